import socket
from contextlib import suppress
from threading import Thread

import pytest

from runner.credentials import Secret, Token
from runner.errors import SignInError
from runner.login.logout import log_out, sign_out
from runner.state.tokens.file import TokenFile

REVOKE = "/services/oauth2/revoke"


def token_at(url, **changes):
    facts = {
        "access_token": Secret("00D!access"),
        "instance_url": url,
        "refresh_token": Secret("5Aep.refresh"),
        "login_url": url,
        "username": "ada@acme.example",
        **changes,
    }
    return Token(**facts)


@pytest.fixture
def store(tmp_path, org):
    kept = TokenFile(tmp_path / "tokens" / "acme.json", login_command="runner login job.yaml")
    kept.save(token_at(org.url))
    return kept


def revoked(org):
    return [form["token"] for form in org.forms("/revoke")]


def test_both_tokens_end_at_the_org_and_the_file_goes(store, org, transport):
    signed_out = log_out(store, transport)
    assert revoked(org) == ["5Aep.refresh", "00D!access"]
    assert not store.path.exists()
    assert signed_out.revoked.done
    assert signed_out.remaining is None


def test_a_token_the_org_has_forgotten_is_no_problem(store, org, transport):
    org.answers[REVOKE] = (400, {"error": "invalid_token", "error_description": "invalid token"})
    assert log_out(store, transport).revoked.done
    assert not store.path.exists()


def test_a_sign_in_without_refresh_token_ends_too(org, transport):
    assert sign_out(transport, token_at(org.url, refresh_token=None)).done
    assert revoked(org) == ["00D!access"]


def test_the_login_host_is_asked_and_else_the_instance(org, transport):
    token = token_at(org.url, login_url=None)
    assert sign_out(transport, token).done
    assert len(revoked(org)) == 2


def test_an_org_that_cannot_be_reached_leaves_something_to_do(tmp_path, transport):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        store = TokenFile(tmp_path / "acme.json", login_command="runner login job.yaml")
        store.save(token_at(url))
        signed_out = log_out(store, transport)
    assert not store.path.exists()
    assert "cannot be reached" in signed_out.revoked.problem
    assert "ada@acme.example" in signed_out.remaining
    assert url in signed_out.remaining
    assert "Setup" in signed_out.remaining


def test_an_org_that_does_not_answer_as_one_leaves_something_to_do(store, org, transport):
    org.answers[REVOKE] = (503, "<html><title>Maintenance</title></html>")
    signed_out = log_out(store, transport)
    assert "Maintenance" in signed_out.revoked.problem
    assert signed_out.remaining
    assert not store.path.exists()


@pytest.fixture
def refusing_proxy(monkeypatch):
    """A proxy that connects to nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse():
            with suppress(OSError), server.accept()[0] as link:
                link.recv(1 << 16)
                link.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        Thread(target=refuse, daemon=True).start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        yield
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.usefixtures("refusing_proxy")
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://login.elsewhere.example", "not a Salesforce host"),
        ("http://acme.my.salesforce.com", "not the URL of an org"),
        ("https://acme.my.salesforce.com", "The proxy does not connect"),
    ],
)
def test_a_token_that_cannot_be_sent_is_deleted_too(tmp_path, transport, url, words):
    store = TokenFile(tmp_path / "acme.json", login_command="runner login job.yaml")
    store.save(token_at(url))
    signed_out = log_out(store, transport)
    assert not store.path.exists()
    assert words in signed_out.revoked.problem
    assert url in signed_out.remaining


def test_nothing_to_sign_out_of_is_told(tmp_path, transport):
    store = TokenFile(tmp_path / "none.json", login_command="runner login job.yaml")
    with pytest.raises(SignInError, match="There is no token"):
        log_out(store, transport)

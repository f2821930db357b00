import http.client
import socket
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from runner.credentials import Secret
from runner.errors import SignInError, UsageError
from runner.login.listener import listening
from runner.login.pages import SignInEnd, Status

ANSWER = "/OauthRedirect?code=aPrx%3D%3D&state=s1"


@pytest.fixture
def listener():
    with listening(0) as opened:
        yield opened


def ask(listener, path, *, host="127.0.0.1", name="localhost", method="GET"):
    """One request, no redirect followed."""
    connection = http.client.HTTPConnection(host, listener.port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": f"{name}:{listener.port}"})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def browse(url):
    """As a browser does: follows the redirect, gives the last address and its text."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - ours
            return response.url, response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.url, error.code, error.read().decode()


def test_the_answer_arrives_and_the_browser_shows_how_it_ended(listener):
    with ThreadPoolExecutor() as pool:
        page = pool.submit(browse, f"http://localhost:{listener.port}{ANSWER}")
        callback = listener.wait(10)
        assert (callback.code, callback.state) == (Secret("aPrx=="), "s1")
        listener.finish(SignInEnd(Status.DONE, "ada@acme.example"))
        url, status, text = page.result()
    assert url == f"http://localhost:{listener.port}/done"
    assert status == 200
    assert "Signed in" in text
    assert "ada@acme.example" in text
    assert "aPrx" not in text


def test_the_redirect_away_from_the_code_is_kept_nowhere(listener):
    status, headers, text = ask(listener, ANSWER)
    assert (status, headers["Location"], text) == (303, "/done", "")
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_a_refusal_has_its_own_page(listener):
    with ThreadPoolExecutor() as pool:
        address = f"http://localhost:{listener.port}/OauthRedirect?error=access_denied&state=s1"
        page = pool.submit(browse, address)
        assert listener.wait(10).error == "access_denied"
        listener.finish(SignInEnd(Status.REFUSED))
        _, status, text = page.result()
    assert status == 403
    assert "Access was denied" in text


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_addresses_of_localhost_are_served(listener, host):
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    assert ask(listener, ANSWER, host=host)[0] == 303
    assert listener.wait(0)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_every_name_of_this_machine_is_answered(listener, name):
    assert ask(listener, ANSWER, name=name)[0] == 303


@pytest.mark.parametrize("name", ["evil.example", "localhost.evil.example", ""])
def test_a_name_that_only_points_here_is_not_answered(listener, name):
    assert ask(listener, ANSWER, name=name)[0] == 404
    assert listener.wait(0) is None


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/favicon.ico",
        "/done",
        "/OauthRedirect",
        "/OauthRedirect/?code=a&state=s1",
        "/oauthredirect?code=a&state=s1",
        "/OauthRedirect?state=s1",
        "/OauthRedirect?code=a&code=b&state=s1",
        "http://evil.example/",
        "/x/OauthRedirect?code=a&state=s1",
    ],
)
def test_everything_else_is_not_found_and_is_no_answer(listener, path):
    status, headers, text = ask(listener, path)
    assert status == 404
    assert "Nothing here" in text
    assert headers["Cache-Control"] == "no-store"
    ask(listener, ANSWER)
    assert listener.wait(0).code == Secret("aPrx==")


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS"])
def test_only_a_get_is_an_answer(listener, method):
    status, headers, _ = ask(listener, ANSWER, method=method)
    assert status == 501
    assert headers["Cache-Control"] == "no-store"
    assert listener.wait(0) is None


def test_only_the_first_answer_counts(listener):
    assert ask(listener, ANSWER)[0] == 303
    status, _, text = ask(listener, "/OauthRedirect?code=second&state=s1")
    assert status == 410
    assert "This sign-in is over" in text
    assert listener.wait(0).code == Secret("aPrx==")


def test_an_answer_that_comes_too_late_is_told_so(listener):
    assert listener.wait(0) is None
    assert ask(listener, ANSWER)[0] == 410
    assert "is over" in ask(listener, "/done")[2]


def test_a_browser_that_never_comes_back_is_waited_for_only_so_long(listener):
    ask(listener, ANSWER)
    listener.finish(SignInEnd(Status.DONE), linger_seconds=0)


@pytest.mark.parametrize(
    "junk",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET " + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /OauthRedirect?code=secret HTTP/9.9\r\n\r\n",
    ],
)
def test_junk_is_survived_and_not_repeated(listener, junk):
    with socket.create_connection(("127.0.0.1", listener.port), timeout=10) as connection:
        connection.sendall(junk)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionResetError:
            answer = b""
    assert b"secret" not in answer
    assert ask(listener, ANSWER)[0] == 303


def test_a_silent_connection_keeps_nobody_waiting(listener):
    """Browsers open connections for later."""
    with socket.create_connection(("127.0.0.1", listener.port)):
        assert ask(listener, ANSWER)[0] == 303


def test_nothing_is_printed(listener, capfd):
    ask(listener, ANSWER)
    with socket.create_connection(("127.0.0.1", listener.port)) as connection:
        connection.sendall(b"GET /done HTTP/1.1\r\n")
    assert capfd.readouterr() == ("", "")


def test_the_port_is_free_afterwards():
    with listening(0) as first:
        ask(first, ANSWER)
        port = first.port
    with listening(port) as second:
        assert second.redirect_uri == f"http://localhost:{port}/OauthRedirect"


def occupy(family, host):
    taken = socket.socket(family)
    taken.bind((host, 0))
    taken.listen()
    return taken


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_taken_port_is_told_with_what_to_register_for_another(family, host):
    if family is socket.AF_INET6 and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with occupy(family, host) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SignInError, match=f"Port {port} .* is in use") as caught:
            listening(port).__enter__()
    assert "--port" in caught.value.hint
    assert "http://localhost:N/OauthRedirect" in caught.value.hint


@pytest.mark.parametrize("port", [-1, 65_536])
def test_there_is_no_such_port(port):
    with pytest.raises(UsageError, match="no port"):
        listening(port).__enter__()


def test_no_thread_is_left_behind():
    before = set(threading.enumerate())
    with listening(0):
        assert set(threading.enumerate()) - before
    assert not set(threading.enumerate()) - before

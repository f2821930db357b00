"""Connections of our own: reused when that is safe, and what is refused before anything is sent."""

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from runner.errors import TransportError, UnexpectedAnswerError
from runner.salesforce.http.messages import FileBody, OrgRequest
from runner.salesforce.http.transport import Transport
from runner.salesforce.http.upload import FileUpload
from runner.salesforce.http.waits import time_limit
from tests.e2e.sign_in.test_another_org import certificate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def server(*connections, context=None):
    """Answer on each connection in turn: with some bytes for each request, then hang up.

    Gives the URL and a future of the heads of the requests.
    """

    def serve(listener):
        heads = []
        for answers in connections:
            link, _ = listener.accept()
            if context is not None:
                try:
                    link = context.wrap_socket(link, server_side=True)
                except OSError:
                    continue
            with link, suppress(OSError):
                for answer in answers:
                    head = b""
                    while b"\r\n\r\n" not in head and (piece := link.recv(65536)):
                        head += piece
                    heads.append(head)
                    link.sendall(answer)
        return heads

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        scheme = "http" if context is None else "https"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", pool.submit(serve, listener)


def get(transport, url, **more):
    return transport.send(OrgRequest("GET", url, **more)).body


def test_a_connection_is_used_again(transport):
    with server([OK, OK]) as (url, heads):
        assert [get(transport, url), get(transport, url)] == [b"{}", b"{}"]
        assert len(heads.result()) == 2


@pytest.mark.parametrize(
    "answer",
    [
        OK + OK,  # the second was not asked for
        OK.replace(b"\r\nContent", b"\r\nConnection: close\r\nContent"),
        OK.replace(b"/1.1", b"/1.0"),
    ],
)
def test_a_connection_that_is_in_doubt_is_not_used_again(transport, answer):
    with server([answer], [OK.replace(b"{}", b"[]")]) as (url, heads):
        assert [get(transport, url), get(transport, url)] == [b"{}", b"[]"]
        assert len(heads.result()) == 2


def test_a_server_that_has_hung_up_in_the_meantime_is_connected_again(transport):
    with server([OK], [OK]) as (url, heads):
        get(transport, url)
        get(transport, url)
        assert len(heads.result()) == 2


def test_an_answer_that_was_not_read_to_its_end_closes_its_connection(transport):
    with server([OK], [OK]) as (url, _):
        transport.send(OrgRequest("GET", url), lambda _headers, _pieces: None)
        assert get(transport, url) == b"{}"


def test_a_refusal_in_the_middle_of_an_upload_is_read(transport, tmp_path):
    part = tmp_path / "part.csv"
    part.write_bytes(b"x" * 30_000_000)
    refusal = b"HTTP/1.1 413 Too large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def refuse():
            link, _ = listener.accept()
            with link:
                link.recv(65536)
                link.sendall(refusal)
                link.shutdown(socket.SHUT_WR)
                with suppress(OSError):
                    while link.recv(1 << 20):
                        pass

        refused = pool.submit(refuse)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert transport.send(OrgRequest("PUT", url, body=part)).status == 413
        transport.close()
        refused.result()


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\0", "é", "日"])
def test_a_header_with_another_line_in_it_is_not_sent(org, transport, value):
    with pytest.raises(TransportError) as caught:
        transport.send(OrgRequest("GET", org.url, {"X-Any": value}))
    assert caught.value.may_have_arrived is False
    assert org.asked == []


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http:///x", "http://127.0.0.1:x/", "nothing"])
def test_a_url_without_a_server_is_not_asked(transport, url):
    with pytest.raises(TransportError) as caught:
        get(transport, url)
    assert caught.value.may_have_arrived is False


def test_odd_characters_of_a_path_are_encoded(org, transport):
    org.say(200)
    get(transport, f'{org.url}/a b/é?q=x y&z="<>"#part')
    assert org.asked[0].path == "/a%20b/%C3%A9?q=x%20y&z=%22%3C%3E%22"


def test_a_user_in_the_url_signs_in(org, transport):
    org.say(200)
    get(transport, org.url.replace("//", "//me%40x:a%3Ab@"))
    assert org.asked[0].headers["authorization"] == "Basic bWVAeDphOmI="


def test_a_post_without_a_body_says_so(org, transport):
    org.say(200)
    transport.send(OrgRequest("POST", org.url))
    assert org.asked[0].headers["content-length"] == "0"


def test_a_part_that_shrinks_while_it_is_sent_has_not_arrived(transport, tmp_path, monkeypatch):
    part = tmp_path / "part.csv"
    part.write_bytes(b"Id\n1\n")
    shrinks = FileBody(b"", part, 5, "", b"")
    monkeypatch.setattr(FileUpload, "pieces", lambda _: iter([b"Id\n"]))
    with server([OK]) as (url, heads):
        with pytest.raises(TransportError, match="another length") as caught:
            transport.send(OrgRequest("PUT", url, body=shrinks))
        heads.result()
    assert caught.value.may_have_arrived is False


def test_an_answer_that_drips_ends_with_the_time_limit(transport):
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def drip():
            link, _ = listener.accept()
            with link, suppress(OSError):
                link.sendall(OK[:-2])
                while link.recv(65536):
                    pass

        dripping = pool.submit(drip)
        with pytest.raises(TransportError, match=r"the time is up|timed out"), time_limit(0.2):
            get(transport, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        dripping.result()


def test_nothing_is_sent_once_the_time_is_up(org, transport):
    with pytest.raises(TransportError, match="the time is up") as caught, time_limit(-1):
        get(transport, org.url)
    assert caught.value.may_have_arrived is False
    assert org.asked == []


@pytest.fixture
def tls(tmp_path):
    pem = certificate(tmp_path, ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return pem, context


def test_tls_is_spoken_with_a_server_whose_certificate_is_trusted(tls, monkeypatch):
    pem, context = tls
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with server([OK, OK], context=context) as (url, heads), Transport() as transport:
        named = url.replace("127.0.0.1", "localhost")
        assert [get(transport, named), get(transport, named)] == [b"{}", b"{}"]
        assert len(heads.result()) == 2


def test_a_certificate_that_is_not_trusted_or_of_another_host_is_refused(tls, monkeypatch):
    pem, context = tls
    for host in ("localhost", "127.0.0.1"):  # the first is not trusted yet
        with (
            server([OK], context=context) as (url, _),
            Transport() as transport,
            pytest.raises(UnexpectedAnswerError, match="is not trusted"),
        ):
            get(transport, url.replace("127.0.0.1", host))
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))

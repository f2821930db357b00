"""Connections of our own: reused when that is safe, and what is refused before anything is sent."""

import gzip
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Event

import httpx
import pytest

from runner.errors import AbortedError, ExitCode, TransportError
from runner.lanes import Background
from runner.salesforce.http.direct import Connections
from runner.salesforce.http.failures import mapped_failures
from runner.salesforce.http.messages import FileBody, OrgRequest
from runner.salesforce.http.outgoing import Outgoing
from runner.salesforce.http.proxied import Proxied
from runner.salesforce.http.transport import Transport
from runner.salesforce.http.upload import FileUpload
from runner.salesforce.http.waits import time_limit
from runner.tables.staging.parts import FileSlice, PartContent
from tests.unit.salesforce.http.wire import OK, server


def get(transport, url, **more):
    return transport.send(OrgRequest("GET", url, **more)).body


def test_a_connection_is_used_again(transport):
    with server([OK, OK]) as (url, heads):
        assert [get(transport, url), get(transport, url)] == [b"{}", b"{}"]
        assert len(heads.result()) == 2


def test_a_forked_process_leaves_the_connections_of_its_parent_alone(org, transport):
    org.respond = lambda _asked: (200, {})
    get(transport, f"{org.url}/before")
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            get(transport, f"{org.url}/child")
        os._exit(0)
    os.waitpid(child, 0)
    get(transport, f"{org.url}/after")
    ports = {each.path: each.port for each in org.asked}
    assert ports["/child"] != ports["/before"]
    assert ports["/after"] == ports["/before"], "the parent's connection is still there"


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
        assert heads.hung_up.acquire(timeout=20)
        get(transport, url)
        assert len(heads.result()) == 2


def test_an_answer_that_was_not_read_to_its_end_closes_its_connection(transport):
    with server([OK], [OK]) as (url, _):
        transport.send(OrgRequest("GET", url), lambda _headers, _pieces: None)
        assert get(transport, url) == b"{}"


def test_a_refusal_in_the_middle_of_an_upload_is_read(tmp_path):
    file = tmp_path / "chunk.csv"
    file.write_bytes(b"x" * 30_000_000)
    part = PartContent(b"Id\n", (FileSlice(file, 0, 30_000_000),))
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
        with Transport() as transport:
            assert transport.send(OrgRequest("PUT", url, body=part)).status == 413
        refused.result()


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nb", "a\0", "é", "日"])
def test_a_header_with_another_line_in_it_is_not_sent(org, transport, value):
    with pytest.raises(TransportError) as caught:
        transport.send(OrgRequest("GET", org.url, {"X-Any": value}))
    assert caught.value.may_have_arrived is False
    assert org.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/",
        "http:///x",
        "http://127.0.0.1:x/",
        "http://127.0.0.1:0/",
        "http://stra\u00dfe.example/",
        "http://\u2177.example/",
        "nothing",
    ],
)
def test_a_url_without_a_server_is_not_asked(transport, url):
    with pytest.raises(TransportError) as caught:
        get(transport, url)
    assert caught.value.may_have_arrived is False


def test_odd_characters_of_a_path_are_encoded(org, transport):
    org.say(200)
    get(transport, f'{org.url}/a b/é?q=x y&z="<>"#part')
    assert org.asked[0].path == "/a%20b/%C3%A9?q=x%20y&z=%22%3C%3E%22"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://b\u00fccher.example/", "xn--bcher-kva.example"),
        ("https://[::1]:8443/", "[::1]:8443"),
        ("https://ACME.my.salesforce.com:443/", "acme.my.salesforce.com"),
    ],
)
def test_a_host_is_written_as_httpx_writes_it(url, host):
    outgoing = Outgoing("GET", url, {})
    assert f"\r\nHost: {host}\r\n" in outgoing.head().decode()
    assert outgoing.origin().text == host == httpx.Request("GET", url).headers["host"]


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
        with pytest.raises(TransportError, match="shorter than") as caught:
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


@pytest.mark.parametrize("again", [b"", OK[:-1]])
def test_a_request_that_was_taken_is_not_sent_again_by_itself(transport, again):
    """The server hangs up on a connection that is used again: it may have done what was asked."""
    with server([OK, again], [OK]) as (url, heads):
        get(transport, url)
        with pytest.raises(TransportError) as caught:
            transport.send(OrgRequest("POST", f"{url}/second", body=b"{}"))
        assert caught.value.may_have_arrived is True
        get(transport, f"{url}/third")
        assert [head.split()[1] for head in heads.result()] == [b"/", b"/second", b"/third"]


@pytest.fixture(params=[False, True], ids=["direct", "proxied"])
def connections(request):
    made = Proxied(5.0, ssl.create_default_context()) if request.param else Connections(5.0, None)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("pieces", "may_have_arrived"),
    [([b"12"], False), ([b"12", b"34"], False), ([b"123", b"4"], True)],
)
def test_a_body_of_another_length_counts_as_what_was_sent(connections, pieces, may_have_arrived):
    request = OrgRequest("PUT", "http://x/")
    with server([OK]) as (url, heads):
        with pytest.raises(TransportError) as caught, mapped_failures(request):
            connections.send(Outgoing("PUT", url, {}, pieces, 3), 5.0)
        heads.result()
    assert caught.value.may_have_arrived is may_have_arrived


def hang_up(listener):
    listener.accept()[0].close()


def test_a_request_that_breaks_off_has_not_arrived(transport):
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        hung_up = pool.submit(hang_up, listener)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(TransportError) as caught:
            transport.send(OrgRequest("POST", url, body=bytes(20_000_000)))
        hung_up.result()
    assert caught.value.may_have_arrived is False


def test_a_connection_that_is_given_back_after_the_end_is_closed():
    with server([OK, OK]) as (url, heads):
        transport = Transport()
        transport.send(OrgRequest("GET", url), lambda _, body: [*body, transport.close()])
        assert heads.result()[1:] == [b""]


def test_a_request_that_gets_no_connection_has_not_arrived(org):
    org.respond = lambda _: (200, b"{}")

    def nested(*_):
        with time_limit(60.0 if len(org.asked) < 32 else 0.05):
            transport.send(OrgRequest("POST", org.url), nested)

    with Transport() as transport:
        with pytest.raises(TransportError, match="all connections are in use") as caught:
            nested()
        assert caught.value.may_have_arrived is False
    assert len(org.asked) == 32


def test_no_connection_is_left_open(org):
    org.respond = lambda _: (200, b"{}")
    before = len([*Path("/proc/self/fd").iterdir()])
    with Transport() as transport:
        for turn in range(100):
            if turn % 3:
                org.lose() if turn % 2 else org.cut(b"half")
            with suppress(TransportError):
                get(transport, org.url)
    assert len([*Path("/proc/self/fd").iterdir()]) <= before + 2  # the org's own ends


def test_a_stop_ends_a_send():
    accepted = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        def pieces():
            yield bytes(1000)
            accepted.set()
            yield bytes(50_000_000)

        outgoing = Outgoing("PUT", url, {}, pieces(), 50_001_000)
        work = Background(lambda: Connections(5.0, None).send(outgoing, 5.0))
        accepted.wait(10)
        work.stop(ExitCode.INTERRUPTED)
        with pytest.raises(AbortedError):
            work.result()


@pytest.mark.parametrize(
    "path", ["/a\r\nX: 1", "/a\nb", "/\0", "/?q=\x7f", "/\ud800", "/?q=\udfff"]
)
def test_a_path_that_no_url_can_have_is_not_sent(org, transport, path):
    with pytest.raises(TransportError) as caught:
        transport.send(OrgRequest("GET", org.url + path))
    assert caught.value.may_have_arrived is False
    assert org.asked == []


HEAD = b"HTTP/1.1 %b\r\n\r\n"
CHUNKED = HEAD % b"200 OK\r\nTransfer-Encoding: chunked" + b"2;a\r\n{}\r\n0\r\nA: b\r\n\r\n"
PACKED = gzip.compress(b"{}", mtime=0)
SIZED = HEAD % (b"200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d" % len(PACKED)) + PACKED
MOVED = HEAD % b"302 There\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 0"


@pytest.mark.parametrize(
    ("method", "answers"),
    [
        ("GET", [OK, OK]),
        ("HEAD", [OK[:-2], OK[:-2]]),
        ("GET", [HEAD % b"204 No", HEAD % b"304 No\r\nContent-Length: 9", OK]),
        ("POST", [HEAD % b"100 Go on" + OK, HEAD % b"401 No\r\nContent-Length: 0"]),
        ("GET", [CHUNKED, CHUNKED]),
        ("GET", [SIZED, OK]),
        ("GET", [MOVED, OK]),
        ("POST", [OK, b""]),
        ("POST", [OK, OK[:-1]]),
        ("POST", [OK, OK[:20]]),
        ("POST", [OK, b"nonsense\r\n\r\n"]),
    ],
)
def test_answers_on_one_connection_are_those_of_httpx(method, answers):
    found = []
    for made in (Connections(5.0, None), Proxied(5.0, ssl.create_default_context())):
        seen = []
        with server(answers) as (url, heads), closing(made):
            for _ in answers:
                outgoing = Outgoing(method, url, {"Accept-Encoding": "gzip"})
                request = OrgRequest(method, "http://x/")
                try:
                    with mapped_failures(request), closing(made.send(outgoing, 5.0)) as answer:
                        seen.append((answer.status, answer.headers, b"".join(answer.pieces())))
                except TransportError as error:
                    seen.append(error.may_have_arrived)
            seen.extend(head.split(b"\r\n")[0] for head in heads.result())
        found.append(seen)
    assert found[0] == found[1]

"""The wire: framing, compression, keep-alive, header names, both loopback addresses."""

from __future__ import annotations

import gzip
import json
import socket

import httpx
import pytest

from runner.local_org import router, store
from runner.local_org.app import Server, open_org
from runner.local_org.http.messages import Response, Route, WireFault
from runner.local_org.http.server import PortTakenError


@pytest.fixture
def echoing(served, monkeypatch):
    """An org with two routes of the test's own: one echoes, one streams."""

    def echo(_org, request):
        return Response.of_json({"body": request.body.decode(), "big": request.payload is not None})

    def measure(_org, request):
        return Response.of_json({"bytes": len(request.open_body().read())})

    def stream(_org, _request):
        return Response(200, (b"%05d\n" % number for number in range(2000)))

    own = (
        Route("POST", "/echo", echo, versioned=False, signed_in=False),
        Route("PUT", "/measure", measure, versioned=False, signed_in=False, streams=True),
        Route("GET", "/stream", stream, versioned=False, signed_in=False),
    )
    monkeypatch.setattr(router, "ROUTES", own)
    return served()


def test_takes_a_chunked_body(echoing):
    answer = echoing.client.post("/echo", content=iter([b"one ", b"two"]))
    assert answer.json()["body"] == "one two"


def test_takes_a_gzipped_body(echoing):
    answer = echoing.client.post(
        "/echo", content=gzip.compress(b"packed"), headers={"Content-Encoding": "gzip"}
    )
    assert answer.json()["body"] == "packed"


def test_a_body_that_is_not_the_gzip_it_says_ends_the_connection(echoing):
    answer = echoing.client.post("/echo", content=b"plain", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 400


def test_a_big_body_is_whole_for_ordinary_routes_and_a_file_for_streaming_ones(echoing):
    big = b"x" * 6_000_000
    assert len(echoing.client.post("/echo", content=big).json()["body"]) == len(big)
    assert echoing.client.put("/measure", content=big).json() == {"bytes": len(big)}


def test_gzips_answers_on_request_only(echoing):
    packed = echoing.client.get("/stream", headers={"Accept-Encoding": "gzip"})
    plain = echoing.client.get("/stream", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text
    assert len(plain.content) == 12_000


def test_header_names_are_in_title_case(echoing):
    answer = echoing.client.post("/echo", content=b"")
    names = [name.decode() for name, _ in answer.headers.raw]
    assert "Content-Type" in names
    assert all(name[0].isupper() for name in names)


def test_one_connection_serves_many_requests_without_stalls(echoing):
    port = int(echoing.server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as wire:
        file = wire.makefile("rb")
        for number in range(20):
            body = str(number).encode()
            head = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body)
            wire.sendall(head)
            wire.sendall(body)
            assert file.readline().startswith(b"HTTP/1.1 200")
            length = 0
            while line := file.readline().strip():
                if line.lower().startswith(b"content-length"):
                    length = int(line.split(b":")[1])
            assert json.loads(file.read(length))["body"] == str(number)
        file.close()


def test_connections_of_clients_use_the_same_connection_to_the_records(served, monkeypatch):
    org = served()
    opened = []
    connect = store.connect
    monkeypatch.setattr(store, "connect", lambda path: opened.append(path) or connect(path))
    for _ in range(10):
        answer = httpx.get(
            f"{org.server.url}/services/data/v62.0/query",
            params={"q": "SELECT Id FROM Account"},
            headers=dict(org.client.headers),
        )
        assert answer.status_code == 200
    assert len(opened) < 5  # a client may be faster than the end of the request before


def test_answers_on_the_other_loopback_address_too(echoing):
    port = int(echoing.server.url.rpartition(":")[2])
    try:
        with socket.create_connection(("::1", port)) as wire:
            wire.sendall(b"GET /stream HTTP/1.0\r\n\r\n")
            assert wire.recv(12) == b"HTTP/1.1 200"
    except OSError:
        pytest.skip("this machine has no ::1")


def test_head_has_the_headers_of_get_and_no_body(echoing):
    answer = echoing.client.head("/services/data/v60.0")
    assert answer.status_code == 404
    assert answer.content == b""


def test_a_head_of_more_than_16_kib_is_refused(echoing):
    answer = echoing.client.get("/stream", headers={"X-Long": "x" * 17_000})
    assert answer.status_code == 431
    answer = echoing.client.get("/stream?q=" + "x" * 17_000)
    assert answer.status_code == 414


def test_a_taken_port_is_told(echoing, tmp_path):
    org = open_org(tmp_path / "second")
    port = int(echoing.server.url.rpartition(":")[2])
    with pytest.raises(PortTakenError, match=str(port)):
        Server(org, port)
    org.store.close()


def test_a_connection_that_is_reset_on_purpose_is_no_error(served, monkeypatch, caplog):
    def reset(_org, _request):
        return Response(200, b"", wire=WireFault(reset=True))

    own = (Route("GET", "/reset", reset, versioned=False, signed_in=False),)
    monkeypatch.setattr(router, "ROUTES", own)
    org = served()
    with pytest.raises(httpx.ReadError):
        org.client.get("/reset")
    org.stop()
    assert caplog.records == []


def test_a_client_that_goes_between_two_requests_is_no_error(served, caplog):
    org = served()
    connection = socket.create_connection(("127.0.0.1", httpx.URL(org.server.url).port))
    connection.sendall(b"GET /services/data HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.recv(12) == b"HTTP/1.1 200"
    connection.close()  # with unread bytes: a reset
    org.stop()
    assert caplog.records == []

"""Files behind addresses: fetched whole, sent whole, and never told with their secrets."""

import gc
import gzip
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from runner.errors import AbortedError, ExitCode, SourceError, StateError
from runner.tables.remote import fetch, send
from tests.object_store import BUCKET, object_store

ROWS = b"Name\n" + b"Acme\n" * 5000
PACKED = gzip.compress(ROWS)
CODED = {
    "/whole.csv": PACKED,
    "/members.csv": gzip.compress(ROWS[:500]) + gzip.compress(ROWS[500:]),
    "/half.csv": PACKED[: len(PACKED) // 2],
    "/more.csv": PACKED + b"x",
}


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        content = b"Name\nAcme\n"
        if self.path == "/private.csv" and self.headers["Authorization"] != "Basic dTpwQA==":
            self.send_error(401)
            return
        if self.path in CODED:
            content = CODED[self.path]
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
        elif self.path == "/private.csv":
            self.send_response(200)
        else:
            self.send_response(200 if self.path.startswith("/a.csv") else 404)
        cut = self.path.endswith("cut")
        self.send_header("Content-Length", str(len(content) + 10 * cut))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815 - as the library calls it

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_file_is_fetched_over_http(server, tmp_path):
    assert fetch(f"{server}/a.csv?key=secret", tmp_path / "got").read_bytes() == b"Name\nAcme\n"


@pytest.mark.parametrize("path", ["/b.csv?key=secret", "/a.csv?key=secret&cut"])
def test_what_cannot_be_fetched_is_reported_without_its_key(server, tmp_path, path):
    with pytest.raises(SourceError, match=r"cannot be read|arrived damaged") as raised:
        fetch(server + path, tmp_path / "got")
    assert server in raised.value.message
    if "cut" in path:
        assert "10 bytes" in raised.value.message
    assert "secret" not in f"{raised.value.message}{raised.value.hint}"


@pytest.mark.parametrize("name", ["whole", "members"])
def test_a_compressed_transfer_is_decoded(server, tmp_path, name):
    assert fetch(f"{server}/{name}.csv", tmp_path / "got").read_bytes() == ROWS


@pytest.mark.parametrize("name", ["half", "more"])
def test_a_transfer_that_is_cut_off_or_corrupt_is_an_error(server, tmp_path, name):
    with pytest.raises(SourceError, match=f"{name}.csv arrived damaged"):
        fetch(f"{server}/{name}.csv", tmp_path / "got")


@pytest.mark.parametrize("status", [b"202 Accepted", b"206 Partial Content"])
def test_an_answer_that_is_not_the_file_is_an_error(raw_server, tmp_path, status):
    answer, url = raw_server
    answer[0] = b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\nName\n" % status
    with pytest.raises(SourceError, match=f"the status {status[:3].decode()} instead of 200"):
        fetch(url, tmp_path / "got")


def test_an_answer_of_two_lengths_is_an_error(raw_server, tmp_path):
    answer, url = raw_server
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 10\r\n\r\n"
    answer[0] = head + b"Name\nAcme\n"
    with pytest.raises(SourceError, match="arrived damaged: it came with two lengths"):
        fetch(url, tmp_path / "got")


def test_user_and_password_of_an_address_are_sent(server, tmp_path):
    address = server.replace("http://", "http://u:p%40@")
    assert fetch(f"{address}/private.csv", tmp_path / "got").read_bytes() == b"Name\nAcme\n"


def test_what_cannot_be_sent_is_reported(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x")
    with pytest.raises(StateError, match="cannot be written") as raised:
        send(tmp_path / "a.csv", "http://user:secret@127.0.0.1:1/a.csv")
    assert "secret" not in raised.value.message


def test_a_store_whose_library_is_missing_is_reported(tmp_path):
    with pytest.raises(SourceError, match="needs a library that is not installed") as raised:
        fetch("gs://bucket/a.csv", tmp_path / "got")
    assert raised.value.hint == "Install it: pip install gcsfs"


def test_what_is_written_to_an_object_store_is_read_from_it(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"Name\nAcme\n")
    send(tmp_path / "a.csv", "memory://bucket/a.csv")
    assert fetch("memory://bucket/a.csv", tmp_path / "b.csv").read_bytes() == b"Name\nAcme\n"


def test_what_an_object_store_has_stays_if_an_upload_ends_early(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(ROWS)
    url = f"s3://{BUCKET}/a.csv"
    with object_store() as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        send(tmp_path / "a.csv", url)
        with pytest.raises(StateError, match="cannot be written"):
            send(Path("/proc/self/mem"), url)  # an error at its first byte

        def stopped(read, out, size):
            out.write(read.read(min(size, 8)))
            raise AbortedError(ExitCode.INTERRUPTED)

        (tmp_path / "new.csv").write_bytes(b"Name\nother\n")
        with monkeypatch.context() as signal:
            signal.setattr("runner.tables.remote.shutil.copyfileobj", stopped)
            with pytest.raises(AbortedError):
                send(tmp_path / "new.csv", url)
        gc.collect()
        assert fetch(url, tmp_path / "b.csv").read_bytes() == ROWS


@pytest.mark.parametrize("size", [100, 6 << 20], ids=["at once", "in parts"])
def test_no_bucket_is_created(tmp_path, monkeypatch, size):
    (tmp_path / "a.csv").write_bytes(b"x" * size)
    with object_store() as env:
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StateError, match="there is no such bucket") as raised:
            send(tmp_path / "a.csv", "s3://mistyped/folder/a.csv")
        assert "create the bucket first" in raised.value.hint
        assert b"mistyped" not in httpx.get(env["AWS_ENDPOINT_URL"]).content


@pytest.fixture
def raw_server():
    """Sends the bytes in the list to whoever asks, and closes the connection."""
    answer = [b""]

    def serve(listener):
        with suppress(OSError):  # closed
            while True:
                link, _ = listener.accept()
                with link:
                    link.recv(65_536)
                    link.sendall(answer[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield answer, f"http://127.0.0.1:{listener.getsockname()[1]}/a.csv"
        listener.shutdown(socket.SHUT_RDWR)


def answered(framing, body, sent):
    """An answer of which only so many bytes are sent after its headers; None: all."""
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
    if framing == "chunked":
        head += b"Transfer-Encoding: chunked\r\n\r\n"
        body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (body[:30], body[30:]))
        body += b"0\r\n\r\n"
    elif framing == "length":
        head += b"Content-Length: %d\r\n\r\n" % len(body)
    else:
        head += b"\r\n"
    return head, body[:sent]


MEMBERS = CODED["/members.csv"]
BORDER = MEMBERS.index(b"\x1f\x8b\x08", 1)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("body", [PACKED, MEMBERS], ids=["one", "members"])
def test_a_download_that_is_cut_at_any_place_is_an_error(raw_server, tmp_path, framing, body):
    answer, url = raw_server
    answer[0] = b"".join(answered(framing, body, None))
    assert fetch(url, tmp_path / "got").read_bytes() == ROWS
    head, whole = answered(framing, body, None)
    in_body = {1, BORDER, len(whole) // 2, len(whole) - 8, len(whole) - 1}
    cuts = [head[:at] for at in (0, 9, 20, len(head) // 2, len(head) - 2, len(head))]
    for cut in (*cuts, *(head + whole[:at] for at in sorted(in_body))):
        answer[0] = cut
        if framing == "chunked" and cut == head + whole[: len(whole) - 1]:
            continue  # all of the content has arrived
        with pytest.raises(SourceError):
            fetch(url, tmp_path / "got")


def test_a_file_of_unknown_length_is_not_read(raw_server, tmp_path):
    answer, url = raw_server
    answer[0] = b"".join(answered("until closed", PACKED, None))
    with pytest.raises(SourceError, match="does not say how long the file is"):
        fetch(url, tmp_path / "got")

"""Files behind addresses: fetched whole, sent whole, and never told with their secrets."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runner.errors import SourceError, StateError
from runner.tables.remote import fetch, send

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
    assert "pip install" in (raised.value.hint or "")


def test_what_is_written_to_an_object_store_is_read_from_it(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"Name\nAcme\n")
    send(tmp_path / "a.csv", "memory://bucket/a.csv")
    assert fetch("memory://bucket/a.csv", tmp_path / "b.csv").read_bytes() == b"Name\nAcme\n"

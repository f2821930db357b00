"""Real servers on loopback that keep what they get."""

import json
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller


@dataclass
class Got:
    method: str
    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class WebServer:
    url: str
    got: list = field(default_factory=list)
    status: int = 200
    location: str | None = None


@pytest.fixture
def web():
    """A web server that answers with the status that a test sets."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.got.append(Got(self.command, self.path, headers, body))
            self.send_response(made.status)
            if made.location:
                self.send_header("location", made.location)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = WebServer(f"http://127.0.0.1:{server.server_port}")
    often = {"poll_interval": 0.01}
    threading.Thread(target=server.serve_forever, kwargs=often, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def silent():
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"


@pytest.fixture
def mails():
    """A mail server: its address, and the mails that it got."""
    got = []

    class Handler:
        async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - as aiosmtpd calls it
            if b"REFUSED" in envelope.content:
                return "550 no"
            got.append(envelope)
            return "250 OK"

    class OnAnyPort(Controller):
        def _trigger_server(self):
            """Connect once, as it does by the port that it was given."""
            with socket.create_connection(self.server.sockets[0].getsockname()) as client:
                client.recv(1)

    controller = OnAnyPort(Handler(), hostname="127.0.0.1", port=0)
    controller.start()
    host, port = controller.server.sockets[0].getsockname()
    yield f"{host}:{port}", got
    controller.stop()

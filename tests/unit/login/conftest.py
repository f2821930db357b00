"""An org that answers sign-ins as a test tells it to, on a real socket."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from runner.salesforce.http.transport import Transport

ORG = "00D5g00000ABCDEEA5"
USER = "0055g00000ABCDEAA5"
USERNAME = "ada@acme.example"


@dataclass
class PretendedOrg:
    url: str
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and form of each request, in order."""
    answers: dict[str, tuple[int, object]] = field(default_factory=dict)

    def grants(self, **changes):
        """Set what the token endpoint gives; a member that is None is left out."""
        token = {
            "access_token": "00D5g00000ABCDE!AQ.access",
            "refresh_token": "5Aep.refresh",
            "scope": "api refresh_token",
            "instance_url": self.url,
            "id": f"{self.url}/id/{ORG}/{USER}",
            "token_type": "Bearer",
            "issued_at": "1278448832702",
            **changes,
        }
        self.answers["/services/oauth2/token"] = (
            200,
            {name: value for name, value in token.items() if value is not None},
        )

    def forms(self, ending):
        return [form for path, form in self.asked if path.endswith(ending)]


def _requests(org: Callable[[], PretendedOrg]):
    class Requests(BaseHTTPRequestHandler):
        def do_GET(self):
            path = urlsplit(self.path).path
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            org().asked.append((path, {key: value[0] for key, value in parse_qs(body).items()}))
            status, answer = org().answers.get(path, (404, "not here"))
            content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    return Requests


@pytest.fixture
def org():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _requests(lambda: pretended))
    pretended = PretendedOrg(f"http://127.0.0.1:{server.server_port}")
    pretended.grants()
    identity = {
        "user_id": USER,
        "organization_id": ORG,
        "preferred_username": USERNAME,
        "name": "Ada Example",
    }
    pretended.answers |= {
        "/services/data": (200, [{"label": "x", "url": "/services/data/v60.0", "version": "60.0"}]),
        "/services/oauth2/userinfo": (200, identity),
        "/services/oauth2/revoke": (200, ""),
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield pretended
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def transport():
    with Transport() as opened:
        yield opened

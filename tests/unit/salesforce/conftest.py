"""An org of a few lines on a real socket: it answers as told and keeps what it was asked."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

import pytest

from runner.credentials import Secret, Token
from runner.events import Event
from runner.job.model import RetryPolicy
from runner.salesforce.http.retry import Retrier
from runner.salesforce.http.transport import Transport
from runner.salesforce.session import Session


@dataclass(frozen=True)
class Asked:
    """A request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int = 0
    """Of the other end, so one for each connection."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to answer; `lost` closes the connection instead, `missing` bytes never come."""

    status: int = 200
    body: object = b""
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False
    missing: int = 0

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class StubOrg:
    """Gives scripted answers in turn, or asks `respond`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: deque[Answer] = deque()
        self.respond: Callable[[Asked], tuple[int, object]] | None = None
        self._lock = Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body, port = self.rfile.read(length), self.client_address[1]
                asked = Asked(self.command, self.path, headers, body, port)
                answer = stub.answer(asked)
                if answer.lost:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name.replace("_", "-"), value)
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(answer.content) + answer.missing))
                self.end_headers()
                self.wfile.write(answer.content)
                self.close_connection = self.close_connection or bool(answer.missing)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - their names

            def log_message(self, *_args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            if self.script:
                return self.script.popleft()
        return Answer(*self.respond(asked)) if self.respond else Answer(500, b"[]")

    def say(self, status: int = 200, body: object = b"", **headers: str) -> None:
        """Answer this next."""
        self.script.append(Answer(status, body, headers))

    def refuse(self, status: int, code: str, message: str = "no", **headers: str) -> None:
        """Answer next with an error as the REST API words it."""
        self.say(status, [{"message": message, "errorCode": code}], **headers)

    def lose(self, times: int = 1) -> None:
        """Take the next requests in and close the connection without an answer."""
        self.script.extend([Answer(lost=True)] * times)

    def cut(self, body: bytes, **headers: str) -> None:
        """Break the next answer off before its end."""
        self.script.append(Answer(200, body, headers, missing=10))

    def paths(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class MemoryTokens:
    """A token store in memory, with the order of what was done to it."""

    def __init__(self, token: Token) -> None:
        self.token = token
        self.saved: list[Token] = []
        self._lock = Lock()

    def load(self) -> Token:
        return self.token

    def save(self, token: Token) -> None:
        self.token = token
        self.saved.append(token)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._lock:
            yield

    def describe(self) -> str:
        return "tokens/acme.json"


@dataclass
class World:
    """A session against the stub, and all that it was made of."""

    org: StubOrg
    tokens: MemoryTokens
    session: Session
    transport: Transport
    waits: list[float]
    events: list[Event]


@pytest.fixture
def org() -> Iterator[StubOrg]:
    stub = StubOrg()
    yield stub
    stub.close()


@pytest.fixture(scope="session")
def transport() -> Iterator[Transport]:
    """One for all tests: it holds nothing but connections, and certificates take time to read."""
    with Transport(connect_timeout_seconds=5, read_timeout_seconds=5) as made:
        yield made


@pytest.fixture
def world(org: StubOrg, transport: Transport) -> World:
    waits: list[float] = []
    events: list[Event] = []
    token = Token(
        Secret("00Dxx0000001gER!old"),
        org.url,
        refresh_token=Secret("refresh-1"),
        client_id="3MVG9",
        login_url=org.url,
    )
    tokens = MemoryTokens(token)
    retrier = Retrier(
        RetryPolicy(attempts=4, longest_wait_seconds=30, total_seconds=300),
        sleep=waits.append,
        random=lambda: 1.0,
        sink=events.append,
    )
    session = Session(transport, tokens, retrier, login_command="runner login jobs/a.yaml")
    session.api_version = "66.0"
    return World(org, tokens, session, transport, waits, events)

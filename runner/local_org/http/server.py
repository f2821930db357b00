"""Sockets: HTTP/1.1 with keep-alive on loopback, one thread per connection.

Knows connections, framing and compression. Knows nothing of the content: it passes each request to
one function and sends the response.

Header names are sent in Title-Case, since some clients look them up by exact name.
"""

from __future__ import annotations

import contextlib
import io
import logging
import selectors
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TypeAlias, cast
from urllib.parse import parse_qs, urlsplit

from runner.local_org.http import bodies
from runner.local_org.http.messages import Request, Response, WireFault

Answer = Callable[[Request], Response]
Clock = Callable[[], datetime]
_Address: TypeAlias = tuple[socket.AddressFamily, str, int]
_Accepted: TypeAlias = socket.socket | tuple[bytes, socket.socket]

MAX_HEAD_BYTES = 16_384
"""URI and headers together; above it Salesforce answers 414 or 431."""
_IDLE_SECONDS = 900.0
_WRITES_PER_SECOND = 20
_SHUTDOWN_SECONDS = 5.0
"""How long a stopping server waits for a response in progress."""
_log = logging.getLogger(__name__)


class PortTakenError(Exception):
    """Another program uses the port."""


class _Reset(Exception):  # noqa: N818 - ends a connection, not a defect
    """Reset the connection."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "LocalOrg"
    sys_version = ""
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    timeout = _IDLE_SECONDS
    server: _Listener
    raw_requestline: bytes

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError as error:  # the client is gone, between two requests too
            _log.debug("connection abandoned: %s", error)

    def do_GET(self) -> None:
        try:
            self._serve_one()
        except _Reset:
            self._reset()
        except OSError as error:
            _log.debug("connection abandoned: %s", error)
            self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The header `Date`: by default the org's own time."""
        return super().date_time_string(timestamp or self.server.clock().timestamp())

    def version_string(self) -> str:
        return self.server_version

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        _log.debug(format, *args)

    def handle_expect_100(self) -> bool:
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _serve_one(self) -> None:
        _acknowledge_at_once(self.connection)
        refusal = self._too_long()
        if refusal is not None:
            self.close_connection = True
            self._send(Response(refusal))
            return
        try:
            request = self._request()
        except bodies.FramingError as error:
            self.close_connection = True
            self._send(Response(HTTPStatus.BAD_REQUEST, str(error).encode()))
            return
        try:
            self._send(self.server.answer(request))
        finally:
            if request.payload is not None:
                request.payload.close()
            self.server.done()

    def _too_long(self) -> HTTPStatus | None:
        if len(self.raw_requestline) > MAX_HEAD_BYTES:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        size = sum(len(name) + len(value) + 4 for name, value in self.headers.items())
        if len(self.raw_requestline) + size > MAX_HEAD_BYTES:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        return None

    def _request(self) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        target = (
            self.path
            if self.path.startswith("/")
            else urlsplit(self.path)._replace(scheme="", netloc="").geturl()
        )
        path, _, query = target.partition("?")
        body, payload = bodies.receive(self.rfile, headers)  # type: ignore[arg-type]
        return Request(
            method=self.command,
            path="/" + "/".join(step for step in path.split("/") if step),
            query=parse_qs(query, keep_blank_values=True),
            headers=headers,
            body=body,
            payload=payload,
            base_url=f"http://{headers.get('host') or self.server.authority}",
        )

    def _send(self, response: Response) -> None:
        if response.wire is not None and response.wire.reset:
            raise _Reset
        try:
            self._send_blocks(response)
        finally:
            # A stream that is not read to its end still holds its resources.
            if isinstance(response.body, Generator):
                response.body.close()
        if response.wire is not None and response.wire.truncate_after_bytes is not None:
            self.close_connection = True

    def _send_blocks(self, response: Response) -> None:
        blocks = self._send_head(response)
        if self.command == "HEAD":
            return
        for block in _damaged(blocks, response.wire):
            self.wfile.write(block)
            if response.wire is not None:
                self.wfile.flush()

    def _send_head(self, response: Response) -> Iterable[bytes]:
        self.send_response(response.status)
        blocks, framing = self._framed(response)
        if self.close_connection:
            framing = {**framing, "Connection": "close"}
        for name, value in {**response.headers, **framing}.items():
            self.send_header(name, value)
        self.end_headers()
        return blocks

    def _framed(self, response: Response) -> tuple[Iterable[bytes], dict[str, str]]:
        """The body as sent, and the headers that describe it."""
        gzipped = "Content-Encoding" not in response.headers and bodies.wants_gzip(
            self.headers.get("Accept-Encoding", "")
        )
        if response.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            return (), {}
        if isinstance(response.body, bytes):
            packed = bodies.deflated(response.body) if gzipped else None
            body = response.body if packed is None else packed
            framing = {"Content-Length": str(len(body))}
            return (body,), framing if packed is None else {**framing, "Content-Encoding": "gzip"}
        blocks = bodies.deflated_stream(response.body) if gzipped else response.body
        framing = {"Content-Encoding": "gzip"} if gzipped else {}
        if self.request_version == "HTTP/1.0":
            self.close_connection = True
            return blocks, {**framing, "Connection": "close"}
        return _chunks(blocks), {**framing, "Transfer-Encoding": "chunked"}

    def _reset(self) -> None:
        """Drop the connection with a TCP reset, without a response."""
        self.close_connection = True
        linger_nothing = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_nothing)
        # The socket closes only when the files made from it are closed.
        self.rfile.close()
        with contextlib.suppress(OSError):
            self.wfile.close()
        self.wfile = io.BytesIO()  # the base class flushes it
        self.connection.close()


def _acknowledge_at_once(connection: socket.socket) -> None:
    """Avoid a delayed acknowledgement (40 ms) for clients that send head and body apart."""
    option = getattr(socket, "TCP_QUICKACK", None)  # Linux has it
    if option is not None:
        connection.setsockopt(socket.IPPROTO_TCP, option, 1)


def _chunks(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        if block:
            yield b"%x\r\n%b\r\n" % (len(block), block)
    yield b"0\r\n\r\n"


def _damaged(blocks: Iterable[bytes], wire: WireFault | None) -> Iterable[bytes]:
    if wire is None:
        return blocks
    if wire.truncate_after_bytes is not None:
        blocks = _cut(blocks, wire.truncate_after_bytes)
    if wire.bytes_per_second is not None:
        blocks = _slowed(blocks, wire.bytes_per_second)
    return blocks


def _cut(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    for block in blocks:
        yield block[:size]
        size -= len(block)
        if size <= 0:
            return


def _slowed(blocks: Iterable[bytes], bytes_per_second: float) -> Iterator[bytes]:
    size = max(1, int(bytes_per_second / _WRITES_PER_SECOND))
    pause = threading.Event()
    for block in blocks:
        for start in range(0, len(block), size):
            pause.wait(size / bytes_per_second)
            yield block[start : start + size]


class _Listener(socketserver.ThreadingTCPServer):
    """One listening socket; tracks its connections to end them."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    allow_reuse_address = True
    timeout = 0.0
    """A client that is gone before it was accepted does not block the other listener."""

    def __init__(
        self, address: _Address, answer: Answer, done: Callable[[], None], clock: Clock
    ) -> None:
        self.address_family, host, port = address
        self.answer = answer
        self.clock = clock
        self.done = done
        self._open: set[_Accepted] = set()
        self._open_lock = threading.Lock()
        self._serving: set[threading.Thread] = set()
        super().__init__((host, port), _Connection)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def process_request(self, request: _Accepted, client_address: object) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: _Accepted) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: _Accepted, client_address: object) -> None:  # noqa: ARG002 - the base's
        _log.exception("a connection")

    def process_request_thread(self, request: _Accepted, client_address: object) -> None:
        self._serving.add(threading.current_thread())
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._serving.discard(threading.current_thread())

    def end_connections(self) -> None:
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    cast("socket.socket", connection).shutdown(socket.SHUT_RDWR)
        for thread in list(self._serving):
            thread.join(_SHUTDOWN_SECONDS)


class Listeners:
    """The sockets of one server: 127.0.0.1, and ::1 on the same port if there is one.

    `localhost` may resolve to either, and clients do not all try both. `done` is called after
    each request, in its connection's thread; `clock` is the org's.
    """

    def __init__(self, answer: Answer, port: int, done: Callable[[], None], clock: Clock) -> None:
        try:
            first = _Listener((socket.AF_INET, "127.0.0.1", port), answer, done, clock)
        except OSError as error:
            raise PortTakenError(f"port {port} on 127.0.0.1 is not available: {error}") from error
        self._all = [first]
        with contextlib.suppress(OSError):
            self._all.append(_Listener((socket.AF_INET6, "::1", first.port), answer, done, clock))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._ended, self._end = socket.socketpair()
        self.port = first.port

    def start(self) -> None:
        """Start answering in background threads."""
        self._thread.start()

    def _accept(self) -> None:
        """Take connections of all listeners until `stop`, which need not wait for a poll."""
        with selectors.DefaultSelector() as selector:
            for each in self._all:
                selector.register(each, selectors.EVENT_READ, each)
            selector.register(self._ended, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    key.data.handle_request()

    def stop(self) -> None:
        """Stop answering and close connections."""
        self._end.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._ended.close()
        for listener in self._all:
            listener.server_close()
            listener.end_connections()

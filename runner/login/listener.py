"""The loopback listener that receives the org's answer from the browser.

Serves 127.0.0.1 and ::1, as `localhost` may mean either. Accepts one answer at one path, redirects
the browser at once, so that no code stays in its history, and shows how the sign-in ended.
Knows nothing of what the answer means.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import urlsplit

from runner.errors import SignInError, UsageError
from runner.login.callback import PATH, Callback, callback_of, redirect_uri
from runner.login.pages import HEADERS, Page, SignInEnd, Status, not_found, page_of

DEFAULT_PORT = 1717
LARGEST_PORT = 65_535
DONE_PATH = "/done"
LINGER_SECONDS = 3.0
"""How long the last page stays available to a browser that has not fetched it."""
_SILENCE_SECONDS = 10.0
"""How long a connection may be silent; browsers open some for later."""
_EXCHANGE_SECONDS = 60.0
"""How long the browser waits for the end while the code is exchanged."""
_TRIES = 8
"""Attempts to find a port that is free on both addresses."""


class Listener:
    """The listener of one sign-in; see `listening`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._callback: Callback | None = None
        self._end: SignInEnd | None = None
        self._shown = False
        self.port = 0
        """The port, once bound."""

    @property
    def redirect_uri(self) -> str:
        """Where the org redirects the browser."""
        return redirect_uri(self.port)

    def wait(self, timeout_seconds: float) -> Callback | None:
        """Wait for the answer; None if it does not come in time, and then none is accepted."""
        with self._changed:
            if self._changed.wait_for(lambda: self._callback is not None, timeout_seconds):
                return self._callback
            self._end = SignInEnd(Status.EXPIRED)
            return None

    def finish(self, end: SignInEnd, linger_seconds: float = LINGER_SECONDS) -> None:
        """Show in the browser how it ended, and wait until the browser has fetched that."""
        with self._changed:
            self._end = end
            self._changed.notify_all()
            if self._callback is not None:
                self._changed.wait_for(lambda: self._shown, linger_seconds)

    def accept(self, callback: Callback) -> bool:
        """Accept the org's answer; False if there was one before, or the sign-in is over."""
        with self._changed:
            if self._callback is not None or self._end is not None:
                return False
            self._callback = callback
            self._changed.notify_all()
            return True

    def wait_for_end(self) -> SignInEnd | None:
        """Wait until the sign-in has ended; None if there is no answer yet."""
        with self._changed:
            if self._callback is None and self._end is None:
                return None
            self._changed.wait_for(lambda: self._end is not None, _EXCHANGE_SECONDS)
            return self._end or SignInEnd(Status.PENDING)

    def mark_shown(self) -> None:
        """Note that the browser has fetched the end."""
        with self._changed:
            self._shown = self._end is not None
            self._changed.notify_all()


@contextmanager
def listening(port: int = DEFAULT_PORT) -> Iterator[Listener]:
    """Listen on a port of this machine only; 0 for any free one.

    Raises:
        SignInError: The port is in use, or not allowed.
        UsageError: There is no such port.
    """
    if not 0 <= port <= LARGEST_PORT:
        raise UsageError(f"There is no port {port}.", hint="Choose one from 1024 to 65535.")
    listener = Listener()
    servers = _bound(port, listener)
    threads = [
        # The poll bounds how long the shutdown takes, not how soon a request is answered.
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        for server in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield listener
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def _bound(port: int, listener: Listener) -> list[_Server]:
    """Bind both addresses; a program on the other could receive the answer."""
    tries = _TRIES if port == 0 else 1
    for last in (*[False] * (tries - 1), True):
        servers: list[_Server] = []
        try:
            servers.append(_Server("127.0.0.1", port, listener))
            listener.port = servers[0].server_address[1]
            if _has_ipv6():
                servers.append(_Server6("::1", listener.port, listener))
        except OSError as error:
            for server in servers:
                server.server_close()
            if last or error.errno != errno.EADDRINUSE:
                raise _unavailable(port, error) from error
        else:
            return servers
    raise AssertionError  # the last try returns or raises


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _unavailable(port: int, error: OSError) -> SignInError:
    reason = (
        "is in use by another program, perhaps another sign-in"
        if error.errno == errno.EADDRINUSE
        else f"cannot be opened: {error.strerror}"
    )
    return SignInError(
        f"Port {port} of this machine {reason}.",
        hint="Choose another with `--port N`, and register exactly "
        f"{redirect_uri(0).replace(':0/', ':N/')} as a callback URL of the app: the org compares "
        "the port too. Or use `--no-browser`, which needs no port.",
    )


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, listener: Listener) -> None:
        self.listener = listener
        super().__init__((host, port), _Requests)

    def handle_error(self, *_: Any) -> None:  # noqa: ANN401 - whatever the base class passes
        """Log nothing if the browser disconnects: the traceback would contain the code."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Requests(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SILENCE_SECONDS
    server_version = "runner"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer the callback, the page after it, and nothing else."""
        address = urlsplit(self.path)
        if not self._is_for_us():
            self._send(not_found())
        elif address.path == PATH:
            self._accept(callback_of(address.query))
        elif address.path == DONE_PATH:
            self._show()
        else:
            self._send(not_found())

    def _is_for_us(self) -> bool:
        """Refuse host names that somebody else's DNS points here."""
        port = self.server.listener.port
        names = {f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}
        return self.headers.get("Host", "").lower() in names

    def _accept(self, callback: Callback | None) -> None:
        if callback is None:
            self._send(not_found())
        elif self.server.listener.accept(callback):
            self._redirect()
        else:
            self._send(page_of(SignInEnd(Status.EXPIRED)))

    def _redirect(self) -> None:
        """Redirect to a URL without the code, so that the code is not in the history."""
        self._send(Page(HTTPStatus.SEE_OTHER, b""), Location=DONE_PATH)

    def _show(self) -> None:
        end = self.server.listener.wait_for_end()
        self._send(page_of(end) if end else not_found())
        self.server.listener.mark_shown()

    def _send(self, page: Page, **more: str) -> None:
        self.send_response(page.status)
        for name, value in {**HEADERS, **more}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer anything but a GET request without repeating any of it."""
        del message, explain
        self._send(Page(HTTPStatus(code), not_found().body))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401
        """Log nothing: the request line contains the code."""

"""Connections of our own to the org: HTTP/1.1 over a socket, plain or with TLS, kept for reuse.

A general client takes a millisecond a request and a fifth of a start, mostly for what an org does
not need; proxies are left to `proxied`. Knows sockets. Knows nothing of tokens, retries or what an
answer means.
"""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

from runner.salesforce.http import waits
from runner.salesforce.http.answer import Head, body_of, read_head
from runner.salesforce.http.dial import dial
from runner.salesforce.http.failures import CutOffError, ExchangeError, UnsentError
from runner.salesforce.http.outgoing import Origin, Outgoing

if TYPE_CHECKING:
    import ssl

_MOST_CONNECTIONS = 32
_IDLE_SECONDS = 5.0
"""A connection that has been idle for longer may have been dropped on its way."""
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
_BUFFER_BYTES = 64 * 1024
_SENT_BYTES = 256 * 1024


class Connections:
    """A pool of connections; threads may share it, and a forked process begins with none."""

    def __init__(self, connect_timeout: float, trusted: Callable[[], ssl.SSLContext]) -> None:
        """Open nothing yet; `trusted` is called for the first server with TLS."""
        self._connect_timeout = connect_timeout
        self._trusted = trusted
        self._context: ssl.SSLContext | None = None
        self._is_closed = False
        self._begin()

    def _begin(self) -> None:
        """Have no connection, as a pool of this process."""
        self._pid = os.getpid()
        self._idle: dict[Origin, list[_Connection]] = {}
        self._lock = Lock()
        self._free = BoundedSemaphore(_MOST_CONNECTIONS)

    def send(self, request: Outgoing, timeout: float) -> DirectAnswer:
        """Send a request and read the head of its answer.

        Raises:
            UnsentError: The server has got nothing that it could execute.
            ExchangeError: What came back is no answer.
            OSError: The connection broke, or nothing came in time.
        """
        if self._pid != os.getpid():
            self._leave_to_parent()
        origin, head = request.origin(), request.head()
        if not self._free.acquire(blocking=False):
            try:
                waits.wait(self._take, timeout)
            except TimeoutError as error:
                raise UnsentError(str(error)) from error
        try:
            connection = self._connection(origin)
            try:
                connection.timeout = timeout
                found = connection.exchange(head, request)
                body, ends = body_of(found, request.method, connection.stream)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._free.release()
            raise
        return DirectAnswer(self, origin, connection, found, body, reusable=ends)

    def put_back(self, origin: Origin, connection: _Connection, *, reusable: bool) -> None:
        """Take a connection back, to be used again or to be closed."""
        connection.idle_since = time.monotonic()
        with self._lock:
            is_kept = reusable and connection.is_in_step and not self._is_closed
            if is_kept:
                self._idle.setdefault(origin, []).append(connection)
        if not is_kept:
            connection.close()
        self._free.release()

    def close(self) -> None:
        """Close every connection, those in use once they are given back."""
        with self._lock:
            self._is_closed = True
            idle = [each for some in self._idle.values() for each in some]
            self._idle.clear()
        for each in idle:
            each.close()

    def _leave_to_parent(self) -> None:
        """After a fork: two processes on one connection would read each other's answers.

        Closing is this process's own; and what another thread of the parent had locked stays
        locked here for ever.
        """
        idle = [each for some in self._idle.values() for each in some]
        self._begin()
        for each in idle:
            each.close()

    def _take(self, timeout: float | None) -> None:
        if not self._free.acquire(timeout=timeout):
            raise TimeoutError("all connections are in use")

    def _connection(self, origin: Origin) -> _Connection:
        while True:
            with self._lock:
                idle = self._idle.get(origin)
                connection = idle.pop() if idle else None
            if connection is None:
                return self._connect(origin)
            if connection.is_usable():
                return connection
            connection.close()

    def _connect(self, origin: Origin) -> _Connection:
        context = self._tls() if origin.tls else None
        try:
            plain = dial(origin.host, origin.port, self._connect_timeout)
        except (OSError, UnicodeError) as error:
            raise UnsentError(str(error) or type(error).__name__) from error
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is None:
                return _Connection(plain)
            plain.settimeout(waits.left(self._connect_timeout))
            return _Connection(context.wrap_socket(plain, server_hostname=origin.host))
        except (OSError, ValueError) as error:
            plain.close()
            cause = str(error) or type(error).__name__
            if type(error).__name__ == "SSLCertVerificationError" and _UNTRUSTED not in cause:
                cause = f"{_UNTRUSTED}: {cause}"  # from the certificates of macOS or Windows
            raise UnsentError(cause) from error
        except BaseException:
            plain.close()
            raise

    def _tls(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = self._trusted()
            return self._context


class DirectAnswer:
    """An answer; its connection is used again once it has been read to its end."""

    def __init__(  # noqa: PLR0913 - all that it needs to give the connection back
        self,
        connections: Connections,
        origin: Origin,
        connection: _Connection,
        head: Head,
        body: Iterator[bytes],
        *,
        reusable: bool,
    ) -> None:
        self.status = head.status
        self.headers = head.headers
        self._put_back = connections.put_back
        self._origin = origin
        self._connection: _Connection | None = connection
        self._body = body
        self._is_read = False
        self._reusable = reusable and head.keeps_alive

    def pieces(self) -> Iterator[bytes]:
        """The body, as it comes.

        Raises:
            ExchangeError: It is cut off.
            OSError: The connection broke, or nothing came in time.
        """
        yield from self._body
        self._is_read = True

    def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            reusable = self._is_read and self._reusable
            self._put_back(self._origin, connection, reusable=reusable)


class _Connection:
    """One connection."""

    def __init__(self, link: socket.socket) -> None:
        self._socket = link
        self.timeout: float | None = None
        """Of each read and each write."""
        self.idle_since = 0.0
        self.is_in_step = True
        """Whether all of each request has been sent."""
        self._waits = True
        self.stream = io.BufferedReader(_Reader(self._read), _BUFFER_BYTES)

    def exchange(self, head: bytes, request: Outgoing) -> Head:
        """Send a request and read the head of the answer."""
        try:
            self._send(head, request)
        except OSError as error:
            self.is_in_step = False
            cut_off = CutOffError(str(error) or type(error).__name__)
            if isinstance(error, TimeoutError):
                raise cut_off from error
            try:  # a server that refuses an upload may say so and hang up
                return read_head(self.stream)
            except (OSError, ExchangeError):
                raise cut_off from error
        return read_head(self.stream)

    def is_usable(self) -> bool:
        """Whether the server has neither closed the connection nor sent unexpected bytes."""
        if time.monotonic() - self.idle_since > _IDLE_SECONDS:
            return False
        self._waits = False
        try:
            self.stream.peek(1)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._waits = True
        return False

    def close(self) -> None:
        """Close it; whatever is still to be read is lost."""
        with suppress(OSError):
            self._socket.close()

    def _send(self, head: bytes, request: Outgoing) -> None:
        unsent = head
        for piece in request.pieces():
            # The head goes out with what follows it.
            self._write(unsent + piece if unsent else piece)
            unsent = b""
        if unsent:
            self._write(unsent)

    def _write(self, content: bytes) -> None:
        view = memoryview(content)

        def write_within(timeout: float | None) -> int:
            self._socket.settimeout(timeout)
            return self._socket.send(view[:_SENT_BYTES])

        while view:
            view = view[waits.wait(write_within, self.timeout) :]

    def _read(self, buffer: memoryview) -> int:
        if self._waits:
            return waits.wait(lambda timeout: self._read_within(buffer, timeout), self.timeout)
        self._socket.settimeout(0)
        try:
            return self._socket.recv_into(buffer)
        except OSError as error:
            if type(error).__name__ == "SSLWantReadError":
                raise BlockingIOError from error
            raise

    def _read_within(self, buffer: memoryview, timeout: float | None) -> int:
        self._socket.settimeout(timeout)
        try:
            return self._socket.recv_into(buffer)
        except TimeoutError as error:
            if error.errno is None:
                raise
            # The system's own timeout ends a connection; ours may be followed by another read.
            raise ConnectionAbortedError(error.errno, error.strerror) from error


class _Reader(io.RawIOBase):
    """What a buffer reads from."""

    def __init__(self, read: Callable[[memoryview], int]) -> None:
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._read(buffer)

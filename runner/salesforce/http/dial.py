"""Opens a TCP connection to a host that may have several addresses.

An address that does not answer delays the next one by a quarter of a second and no more: a host
with IPv6 is often asked over a network that has none. Knows sockets. Knows nothing of TLS or HTTP.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import time
from contextlib import ExitStack
from typing import Any, Self

from runner.salesforce.http import waits

_HEAD_START_SECONDS = 0.25
"""What an address has before the next one is tried besides."""
_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK})
_Address = tuple[Any, ...]


def dial(host: str, port: int, timeout: float) -> socket.socket:
    """Connect to the first address that answers; all tries together have `timeout` seconds.

    Raises:
        OSError: None does, or the host has no address.
    """
    timeout = waits.left(timeout) or 0.0
    # Python imports IDNA for a text, also if it is ASCII.
    name = host.encode() if host.isascii() else host
    addresses = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    with _Tries(addresses) as tries:
        return waits.wait(tries.wait, timeout)


class _Tries:
    """Connections under way, one for each address that has been tried."""

    def __init__(self, addresses: list[_Address]) -> None:
        self._untried = addresses[::-1]
        self._selector = selectors.DefaultSelector()
        self._open = ExitStack()
        self._error = OSError("the host has no address")
        self._next_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._selector.close()

    def wait(self, timeout: float | None) -> socket.socket:
        """Wait for the first connection.

        Raises:
            OSError: There is none; a TimeoutError where there may be one later.
        """
        ends_at = time.monotonic() + (timeout or 0.0)
        while True:
            now = time.monotonic()
            if self._untried and now >= self._next_at:
                self._try_next(now)
            if not self._selector.get_map():
                if not self._untried:
                    raise self._error
                continue  # the next one need not wait for any
            until = min(ends_at, self._next_at) if self._untried else ends_at
            for key, _ in self._selector.select(max(0.0, until - now)):
                if made := self._made(key.fileobj):  # type: ignore[arg-type]
                    return made
            if time.monotonic() >= ends_at:
                raise TimeoutError("timed out")

    def _try_next(self, now: float) -> None:
        family, kind, protocol, _, address = self._untried.pop()
        self._next_at = now + _HEAD_START_SECONDS
        try:
            link = self._open.enter_context(socket.socket(family, kind, protocol))
            link.settimeout(0)
            code = link.connect_ex(address)
            if code not in _UNDER_WAY:
                raise _failure(code)
        except OSError as error:  # it cannot be reached, or such addresses are not known here
            self._fail(error)
            return
        self._selector.register(link, selectors.EVENT_WRITE)

    def _made(self, link: socket.socket) -> socket.socket | None:
        self._selector.unregister(link)
        code = link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail(_failure(code))
            return None
        return socket.socket(fileno=link.detach())

    def _fail(self, error: OSError) -> None:
        self._error = error
        self._next_at = 0.0


def _failure(code: int) -> OSError:
    """An error that is never a TimeoutError: that would say that there is time left."""
    return ConnectionError(code, os.strerror(code))

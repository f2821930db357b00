"""The latest requests, for the browser page and for tests.

Knows a request and its outcome. Stores no bodies and no tokens.
"""

from __future__ import annotations

from collections import deque
from threading import Lock

from msgspec import Struct

from runner.local_org.org import Org

_MOST_ENTRIES = 2_000


class LoggedRequest(Struct, frozen=True):
    """One request and its answer."""

    time: str
    """ISO 8601, UTC."""
    method: str
    path: str
    query: str
    status: int
    milliseconds: float
    fault: str | None
    """The kind of the injected fault, if any."""


class RequestLog:
    """The latest requests of an org."""

    def __init__(self, _org: Org) -> None:
        self._lock = Lock()
        self._entries: deque[LoggedRequest] = deque(maxlen=_MOST_ENTRIES)

    def add(self, entry: LoggedRequest) -> None:
        """Add a request."""
        with self._lock:
            self._entries.append(entry)

    def latest(self, most: int = _MOST_ENTRIES) -> list[LoggedRequest]:
        """The latest requests, newest first."""
        with self._lock:
            return list(reversed(self._entries))[:most]

    def clear(self) -> None:
        """Remove all entries."""
        with self._lock:
            self._entries.clear()

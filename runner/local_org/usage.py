"""Counts API requests against the daily limit.

Knows the rolling window. Knows no request and no header.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from runner.local_org.org import Org

_WINDOW = timedelta(hours=24)


class ApiUsage:
    """API requests of the last 24 hours; use `org.part(ApiUsage)`."""

    def __init__(self, org: Org) -> None:
        self.maximum = org.settings.daily_api_requests
        self.on_answer: Callable[[], None] | None = None
        """Called each time a request was answered, before the answer is sent."""
        self._clock = org.clock
        self._lock = Lock()
        self._minutes: deque[tuple[datetime, int]] = deque()
        self._used = 0

    def count(self) -> None:
        """Count one request."""
        minute = self._clock().replace(second=0, microsecond=0)
        with self._lock:
            self._forget()
            if self._minutes and self._minutes[-1][0] == minute:
                self._minutes[-1] = (minute, self._minutes[-1][1] + 1)
            else:
                self._minutes.append((minute, 1))
            self._used += 1

    @property
    def used(self) -> int:
        """Requests counted within the window."""
        with self._lock:
            self._forget()
            return self._used

    @property
    def exhausted(self) -> bool:
        """Whether the limit is reached."""
        return self.used >= self.maximum

    def _forget(self) -> None:
        oldest = self._clock() - _WINDOW
        while self._minutes and self._minutes[0][0] < oldest:
            self._used -= self._minutes.popleft()[1]

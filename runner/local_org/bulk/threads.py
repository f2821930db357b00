"""The threads in which both Bulk APIs work: a few jobs at a time, stopped together.

Knows threads. Knows no job.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from runner.local_org.org import Org

_AT_ONCE = 4
_STOP_SECONDS = 10.0


class JobThreads:
    """The threads that work on an org's Bulk jobs."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._stopping = threading.Event()
        self._threads: set[threading.Thread] = set()
        self.slot = threading.Semaphore(_AT_ONCE)
        """Held while a job works; a job that waits holds none."""

    @property
    def stopping(self) -> bool:
        """Whether the server is stopping."""
        return self._stopping.is_set()

    @property
    def busy(self) -> bool:
        """Whether any thread works, or waits to."""
        return bool(self._threads)

    def spawn(self, name: str, work: Callable[[], None]) -> None:
        """Work in a thread of this name."""
        thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait; returns early, and True, when the server stops."""
        return self._stopping.wait(seconds)

    def stop(self) -> None:
        """Stop after the chunks in progress; jobs keep their states."""
        self._stopping.set()
        for thread in list(self._threads):
            thread.join(_STOP_SECONDS)

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._org.store.release()
            self._threads.discard(threading.current_thread())

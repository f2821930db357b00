"""Notices that a server says nothing: a frozen one, or a network that loses all packets.

Drivers would wait for hours. Says after a while what this process waits for, and ends the wait if
it can be ended. Knows nothing of what is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

TELL_SECONDS = 10.0
"""After which there is a message about a wait."""
END_SECONDS = 45.0
"""After which it is ended: longer than a server lets a machine that is gone hold a lock."""
_LOOK_SECONDS = 1.0


class Wait:
    """Something that is under way, as far as anyone knows."""

    def __init__(self, what: str, end: Callable[[], None] | None) -> None:
        self.what = what
        self.end = end
        self.is_told = False
        self.is_ended = False
        self.since = time.monotonic()

    def again(self) -> None:
        """There was an answer, and the next one is waited for."""
        self.since = time.monotonic()


class Watch:
    """Looks at what this process waits for, on a thread that starts with the first wait."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self.tell: Callable[[str], None] | None = None
        """Called with what to say; threads call it."""
        self._waits: list[Wait] = []
        self._lock = Lock()
        self._done = Event()
        self._thread: Thread | None = None

    @contextmanager
    def over(self, what: str, end: Callable[[], None] | None = None) -> Iterator[Wait]:
        """Watch a block.

        Args:
            what: What has not happened: a sentence for messages, without its end.
            end: Makes the block raise; None: nothing can.
        """
        wait = Wait(what, end)
        with self._lock:
            self._waits.append(wait)
            if self._thread is None:
                self._thread = Thread(target=self._look, name="watch", daemon=True)
                self._thread.start()
        try:
            yield wait
        finally:
            with self._lock:
                self._waits.remove(wait)

    def close(self) -> None:
        """Watch no more."""
        self._done.set()

    def _look(self) -> None:
        while not self._done.wait(min(_LOOK_SECONDS, END_SECONDS / 4)):
            with self._lock:
                texts = {text for each in self._waits if (text := self._look_at(each))}
            for text in sorted(texts):  # without the lock: who is told may wait for others
                if self.tell is not None:
                    self.tell(text)

    def _look_at(self, wait: Wait) -> str | None:
        """End a wait if it is time; gives what to say of it, once."""
        seconds = time.monotonic() - wait.since
        if seconds >= END_SECONDS and not wait.is_ended and wait.end is not None:
            wait.is_ended = True
            wait.end()
        if seconds < TELL_SECONDS or wait.is_told:
            return None
        wait.is_told = True
        return f"{wait.what} for {TELL_SECONDS:g} s; still waiting."

"""Pings a monitor when a run starts and ends, as healthchecks describes it.

POST to the URL at success, to its `/start` at the start and to its `/fail` at any other end, with
a log in the body. A ping that fails is reported and not repeated: a late one would mislead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from runner.credentials import Secret, SecretReference
from runner.errors import RunnerError
from runner.notify.webhook import TIMEOUT_SECONDS, post_to, web_url

MOST_CHARACTERS = 10_000
"""Of the log; healthchecks stores as many bytes at least."""


class Heartbeat:
    """The pings of one run, each in a thread of its own and in their order."""

    def __init__(
        self,
        place: SecretReference,
        warn: Callable[[str], None],
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Read the URL; nothing is sent yet."""
        self._warn = warn
        self._timeout = timeout_seconds
        self._last: threading.Thread | None = None
        self._failures: list[str] = []
        try:
            self._url = web_url(place, "the URL of the heartbeat")
        except RunnerError as error:
            self._url = Secret("")
            self._failures.append(" ".join(filter(None, (error.message, error.hint))))

    def start(self) -> None:
        """Ping that a run starts; do not wait for the answer."""
        if self._last is None:
            self._ping("/start", "")

    def end(self, log: str, *, is_done: bool) -> None:
        """Ping how the run ended; do not wait for the answer."""
        self._ping("" if is_done else "/fail", log)

    def finish(self) -> None:
        """Wait for the last answer, and report what was not sent."""
        if self._last is not None:
            self._last.join(2 * self._longest_seconds)
            if self._last.is_alive():
                self._failures.append(f"no answer within {self._timeout:g} s")
        for each in dict.fromkeys(self._failures):
            self._warn(f"the heartbeat was not sent: {each.rstrip('.')}.")

    @property
    def _longest_seconds(self) -> float:
        """A little more than a request takes: looking up a host's name has no limit of its own."""
        return self._timeout * 1.25

    def _ping(self, suffix: str, log: str) -> None:
        if self._url:
            words = (self._last, suffix, log)
            self._last = threading.Thread(target=self._send, args=words, daemon=True)
            self._last.start()

    def _send(self, before: threading.Thread | None, suffix: str, log: str) -> None:
        if before is not None:
            before.join(self._longest_seconds)
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        body = log[:MOST_CHARACTERS].encode()
        try:
            post_to(Secret(_with(self._url.reveal(), suffix)), body, headers, self._timeout)
        except RunnerError as error:
            self._failures.append(error.message)
        except Exception as error:  # noqa: BLE001 - a library's fault is no end of a run
            self._failures.append(type(error).__name__)


def _with(url: str, suffix: str) -> str:
    """A URL with more at the end of its path."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}{suffix}" if suffix else parts.path
    return urlunsplit(parts._replace(path=path))

"""Threads for work that runs side by side: each can be stopped, and has its share of the machine.

A signal reaches the main thread only. Work in a lane learns of it where it waits: for its workers,
for an answer, between two tries. Workers of a pool go on, so that what is in flight can be
accounted for, unless they are idle: nothing is lost where that is broken off. Work outside of a
lane is not concerned: there a signal raises by itself.

Knows threads. Knows nothing of the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from runner.errors import AbortedError, ExitCode

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

Item = TypeVar("Item")
Key = TypeVar("Key")
Result = TypeVar("Result")


class _Lane:
    """A lane and its stop, which is raised once: what follows is the end of the work."""

    def __init__(self, lanes: int) -> None:
        from concurrent.futures import Future  # noqa: PLC0415 - not every start needs it

        self.lanes = lanes
        self.stopped: Future[ExitCode] = Future()
        self._is_over = False

    def check(self) -> None:
        """Raise once it has been told to stop."""
        if self.stopped.done() and not self._is_over:
            self._is_over = True
            raise AbortedError(self.stopped.result())

    @property
    def wakes(self) -> tuple[Future[ExitCode], ...]:
        """What ends a wait early."""
        return () if self._is_over else (self.stopped,)


_lane: ContextVar[_Lane | None] = ContextVar("lane", default=None)
_drained: ContextVar[Future[ExitCode] | None] = ContextVar("drained", default=None)
_is_idle: ContextVar[bool] = ContextVar("is_idle", default=False)


def check_stop() -> None:
    """Raise an AbortedError: once if this lane has been told to stop, always in idle work."""
    lane, drained = _lane.get(), _end_of_idle()
    if lane is not None:
        lane.check()
    if drained is not None and drained.done():
        raise AbortedError(drained.result())


def _end_of_idle() -> Future[ExitCode] | None:
    """The end of the pool that this is an idle worker of."""
    return _drained.get() if _is_idle.get() else None


def _wakes() -> tuple[Future[ExitCode], ...]:
    """What ends a wait of this thread early."""
    lane, drained = _lane.get(), _end_of_idle()
    return (*(lane.wakes if lane else ()), *([drained] if drained else []))


def first_done(futures: Iterable[Future[Result]]) -> set[Future[Result]]:
    """Wait for the first of some futures to be done; a stop ends the wait."""
    from concurrent.futures import FIRST_COMPLETED, wait  # noqa: PLC0415 - not every start needs it

    wanted: set[Future[Any]] = set(futures)
    done, _ = wait({*wanted, *_wakes()}, return_when=FIRST_COMPLETED)
    check_stop()
    return done & wanted


def result_of(future: Future[Result]) -> Result:
    """Wait for a result; a stop ends the wait."""
    first_done([future])
    return future.result()


def sleep(seconds: float) -> None:
    """Sleep; a stop ends it, and while `idle` also the end of the pool that this is a worker of."""
    wakes = _wakes()
    if not wakes:
        time.sleep(seconds)
        return
    from concurrent.futures import wait  # noqa: PLC0415 - not every start needs it

    wait(wakes, seconds)
    check_stop()


@contextmanager
def idle() -> Iterator[None]:
    """Mark work that may be broken off wherever it waits, because nothing is lost by that."""
    token = _is_idle.set(True)
    try:
        yield
    finally:
        _is_idle.reset(token)


def as_worker(drained: Future[ExitCode], work: Callable[[Item], Result], item: Item) -> Result:
    """Do a piece of work in a worker of a pool; once it is drained, idle work ends."""
    token = _drained.set(drained)
    try:
        return work(item)
    finally:
        _drained.reset(token)


def may_be_stopped() -> bool:
    """Whether this thread is a lane, or an idle worker, which has to look up from a long wait."""
    return _lane.get() is not None or _end_of_idle() is not None


def share_of(number: int) -> int:
    """What of a number this lane may use, at least 1; all of it outside of a lane."""
    lane = _lane.get()
    return number if lane is None else max(1, number // lane.lanes)


class Lanes(Generic[Key, Result]):
    """Runs pieces of work, each under a key; several at once, or one in the caller's thread."""

    def __init__(self, width: int) -> None:
        """With a width of 1 work is done by the time `start` returns."""
        self._width = width
        self._pool: ThreadPoolExecutor | None = None
        if width > 1:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - not every start needs it

            self._pool = ThreadPoolExecutor(width, "lane")
        self._work: dict[Key, Future[Result]] = {}
        self._lanes: dict[Key, _Lane] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self.stop(ExitCode.INTERRUPTED)
            self._pool.shutdown(cancel_futures=True)

    @property
    def keys(self) -> frozenset[Key]:
        """Of the work that has been started and not been taken away."""
        return frozenset(self._work)

    @property
    def has_room(self) -> bool:
        """Whether another piece may start."""
        return len(self._work) < self._width

    def start(self, key: Key, work: Callable[[], Result]) -> None:
        """Start a piece of work."""
        if self._pool is None:
            from concurrent.futures import Future  # noqa: PLC0415 - not every start needs it

            done: Future[Result] = Future()
            done.set_result(work())
            self._work[key] = done
            return
        lane = self._lanes[key] = _Lane(self._width)
        self._work[key] = self._pool.submit(_run_in, lane, work)

    def ended(self) -> list[tuple[Key, Result]]:
        """Wait for some work to end, if any is under way; it stays until it is taken away.

        Raises:
            BaseException: What the work has raised.
        """
        if not self._work:
            return []
        from concurrent.futures import FIRST_COMPLETED, wait  # noqa: PLC0415 - not every start needs it

        done, _ = wait(self._work.values(), return_when=FIRST_COMPLETED)
        return [(key, future.result()) for key, future in self._work.items() if future in done]

    def take_away(self, key: Key) -> None:
        """Forget a piece of work that has ended."""
        del self._work[key]

    def stop(self, code: ExitCode) -> None:
        """Tell all work under way to stop, by an AbortedError where it waits."""
        for lane in self._lanes.values():
            if not lane.stopped.done():
                lane.stopped.set_result(code)


def _run_in(lane: _Lane, work: Callable[[], Result]) -> Result:
    token = _lane.set(lane)
    try:
        return work()
    finally:
        _lane.reset(token)


class Background(Generic[Result]):
    """Work in a thread of its own that can be stopped as a lane can."""

    def __init__(self, work: Callable[[], Result]) -> None:
        """Start the work."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - not every start needs it

        self._lane = _Lane(1)
        self._pool = ThreadPoolExecutor(1, "background")
        self._work = self._pool.submit(_run_in, self._lane, work)
        self._pool.shutdown(wait=False)

    def result(self) -> Result:
        """Wait for the end.

        Raises:
            BaseException: What the work has raised.
        """
        return self._work.result()

    def wait(self) -> None:
        """Wait for the end, whatever it is."""
        from concurrent.futures import wait  # noqa: PLC0415 - not every start needs it

        wait([self._work])

    def stop(self, code: ExitCode) -> None:
        """Tell it to stop, by an AbortedError where it waits; nothing happens after its end."""
        if not self._lane.stopped.done():
            self._lane.stopped.set_result(code)

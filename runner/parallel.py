"""Work on several threads: results as they are ready, in order, or one ahead.

Knows threads. Knows nothing of the work.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Generic, Self, TypeVar

from runner.errors import ExitCode
from runner.lanes import as_worker, first_done, idle, result_of, share_of

Item = TypeVar("Item")
Result = TypeVar("Result")

DRAIN_SECONDS = 5.0
"""How long requests in flight may take to finish once a run is to stop."""
_MOST_THREADS = 4
_END = object()


class WorkerPool(Generic[Item, Result]):
    """Calls `work` with each item, at most `width` at once; in a lane its share of that.

    Leaving the block starts nothing new and waits for nothing; call `drain` first to learn how
    the items in flight end.
    """

    def __init__(self, work: Callable[[Item], Result], width: int) -> None:
        self._work = work
        self._width = share_of(width)
        self._threads = ThreadPoolExecutor(self._width, thread_name_prefix="worker")
        self._in_flight: dict[Future[Result], Item] = {}
        self._drained: Future[ExitCode] = Future()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def run(self, items: Iterable[Item]) -> Iterator[tuple[Item, Future[Result]]]:
        """Yield each item as it finishes; items are drawn only when a thread is free."""
        remaining = iter(items)
        while True:
            for item in islice(remaining, self._width - len(self._in_flight)):
                future = self._threads.submit(as_worker, self._drained, self._work, item)
                self._in_flight[future] = item
            if not self._in_flight:
                return
            for future in first_done(self._in_flight):
                yield self._in_flight.pop(future), future

    def drain(self, seconds: float = DRAIN_SECONDS) -> list[tuple[Item, Future[Result] | None]]:
        """Wait for the items in flight and start none; None for those that take longer.

        An item that is idle ends with an AbortedError.
        Items that no thread has started are left out: nothing was done about them.
        """
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._drained.set_result(ExitCode.INTERRUPTED)
        # `wait` does not count one that is cancelled as done until a thread has taken it.
        begun = {each: item for each, item in self._in_flight.items() if not each.cancelled()}
        self._in_flight.clear()
        done, _ = wait(begun, timeout=seconds)
        return [(item, each if each in done else None) for each, item in begun.items()]


def parallel_map(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Iterator[Result]:
    """Call `work` with each item on a few threads; yield the results in the items' order.

    No thread is at work any more when it ends, so that what they use can be closed.

    Args:
        work: Called on one thread an item. Once nobody wants the results any more, it ends where it
            waits for the org, so it must not change anything there.
        items: Drawn as threads become free, at most one more than there are threads.
        threads: By default one a processor, at most four; in a lane its share of them.
    """
    threads = share_of(threads or min(os.cpu_count() or 1, _MOST_THREADS))
    pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")
    ended: Future[ExitCode] = Future()

    def idly(item: Item) -> Result:
        with idle():
            return work(item)

    def begin(most: int) -> list[Future[Result]]:
        return [pool.submit(as_worker, ended, idly, item) for item in islice(remaining, most)]

    def following() -> Result:
        result = result_of(running.popleft())
        running.extend(begin(1))
        return result

    remaining = iter(items)
    running: deque[Future[Result]] = deque()
    try:
        running.extend(begin(threads + 1))
        while running:
            yield following()  # not kept in a variable while the next one is waited for
    finally:
        ended.set_result(ExitCode.INTERRUPTED)
        pool.shutdown(wait=True, cancel_futures=True)


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, and draw each on a thread while the one before it is used."""
    remaining = iter(items)
    pool = ThreadPoolExecutor(1, thread_name_prefix="ahead")
    try:
        coming = pool.submit(next, remaining, _END)
        while (item := result_of(coming)) is not _END:
            coming = pool.submit(next, remaining, _END)
            yield item  # type: ignore[misc]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

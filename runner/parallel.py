"""Several requests side by side, their answers taken one at a time.

Knows threads. Knows nothing of what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from types import TracebackType
from typing import Generic, Self, TypeVar

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

SETTLE_SECONDS = 5.0
"""How long what is on the wire may take to settle once a run is to end."""


class Lanes(Generic[Ask, Answer]):
    """Carries out `work` on each ask, at most `width` at once.

    Leaving the block starts nothing new and waits for nothing: whoever must know how the asks
    under way end calls `settled` first.
    """

    def __init__(self, work: Callable[[Ask], Answer], width: int) -> None:
        self._work = work
        self._width = width
        self._pool = ThreadPoolExecutor(max_workers=width, thread_name_prefix="lane")
        self._under_way: dict[Future[Answer], Ask] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def run(self, asks: Iterable[Ask]) -> Iterator[tuple[Ask, Future[Answer]]]:
        """Yield each ask as it is answered; asks are drawn only as lanes fall free."""
        remaining = iter(asks)
        while True:
            for ask in islice(remaining, self._width - len(self._under_way)):
                self._under_way[self._pool.submit(self._work, ask)] = ask
            if not self._under_way:
                return
            done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
            for future in done:
                yield self._under_way.pop(future), future

    def settled(self, seconds: float = SETTLE_SECONDS) -> list[tuple[Ask, Future[Answer] | None]]:
        """Wait a while for the asks under way, start none; None for those that take longer.

        An ask that no lane had begun is not among them: nothing was done about it.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        done, _ = wait(self._under_way, timeout=seconds)
        ends = [
            (ask, future if future in done else None)
            for future, ask in self._under_way.items()
            if not future.cancelled()
        ]
        self._under_way.clear()
        return ends

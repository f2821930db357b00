"""Several requests side by side, their answers taken one at a time.

Knows threads. Knows nothing of what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

SETTLE_SECONDS = 5.0
"""How long what is on the wire may take to settle once the run is to end."""


def side_by_side(
    work: Callable[[Ask], Answer], asks: Iterable[Ask], *, width: int
) -> Iterator[tuple[Ask, Future[Answer]]]:
    """Carry out `work` on each ask, at most `width` at once; yield each as it settles.

    Asks are drawn only as lanes fall free, so that memory does not grow with their number. A
    consumer that stops early, or an exception in it, starts nothing new and waits a few seconds
    for what is on the wire.
    """
    pool = ThreadPoolExecutor(max_workers=width, thread_name_prefix="lane")
    under_way: dict[Future[Answer], Ask] = {}
    remaining = iter(asks)
    try:
        while True:
            for ask in islice(remaining, width - len(under_way)):
                under_way[pool.submit(work, ask)] = ask
            if not under_way:
                return
            settled, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in settled:
                yield under_way.pop(future), future
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        wait(under_way, timeout=SETTLE_SECONDS)

"""Runs tests of jobs in several processes, and gives their verdicts in the order of the tests.

Knows processes and signals. Knows nothing of what a test is.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Generic, TypeVar

from runner.errors import AbortedError, ExitCode

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Item], Result]

FEW = 4
"""So many items are done sooner here than processes are started."""
_END_SECONDS = 2.0
"""How long processes may take to stop; a run would wait longer for what is in flight."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Died(Exception):  # noqa: N818 - a value as much as an error: of one item
    """The process that worked on an item ended, instead of giving a result; the text says how."""


def processes_for(items: int) -> int:
    """How many processes to use where nobody says it."""
    if items <= FEW:
        return 1
    is_linux = sys.platform == "linux"
    return min(items, len(os.sched_getaffinity(0)) if is_linux else os.cpu_count() or 1)


def in_order(
    work: Work[Item, Result], items: Sequence[Item], processes: int
) -> Iterator[Result | Died]:
    """Call `work` with each item in some processes; yield the results in the order of the items.

    With one process the work is done here.

    Raises:
        AbortedError: A signal came; the processes have ended.
    """
    if processes == 1:
        yield from map(work, items)
        return
    with _pool(work, items, min(processes, len(items))) as pool:
        done: dict[int, Result | Died] = {}
        for at in range(len(items)):
            while at not in done:
                done.update(pool.ended())
            yield done.pop(at)


class _Worker:
    """A process, and which item it works on."""

    item: int | None = None

    def __init__(
        self, context: BaseContext, work: Work[Item, Result], items: Sequence[Item]
    ) -> None:
        self.connection, other = multiprocessing.Pipe()
        self.process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(work, items, other), daemon=True
        )
        # A signal in between would meet the handlers of this process in the new one.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        other.close()


class _Pool(Generic[Item, Result]):
    """Processes, and items that nobody works on yet."""

    def __init__(self, work: Work[Item, Result], items: Sequence[Item], processes: int) -> None:
        # Elsewhere libraries of the system do not survive a fork.
        self._context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        self._work, self._items = work, items
        self._waiting = deque(range(len(items)))
        self._workers: list[_Worker] = []
        for _ in range(processes):
            self._start()

    def _start(self) -> None:
        worker = _Worker(self._context, self._work, self._items)
        self._workers.append(worker)
        self._give(worker)

    def _give(self, worker: _Worker) -> None:
        worker.item = self._waiting.popleft() if self._waiting else None
        with suppress(OSError):  # it has died, which is seen at the next wait
            worker.connection.send(worker.item)

    def ended(self) -> Iterator[tuple[int, Result | Died]]:
        """Wait until some items are done."""
        busy = {
            each.connection: (each.item, each) for each in self._workers if each.item is not None
        }
        for each in wait(list(busy)):
            at, worker = busy[each]  # type: ignore[index]
            try:
                found: Result | Died = worker.connection.recv()
            except (EOFError, OSError):
                found = Died(_end_of(worker.process))
                self._workers.remove(worker)
                if self._waiting:
                    self._start()
            else:
                self._give(worker)
            yield at, found

    def stop(self) -> None:
        """End every process; what it works on is broken off."""
        for worker in self._workers:
            if worker.item is not None:
                worker.process.terminate()
        ends_at = time.monotonic() + _END_SECONDS
        for worker in self._workers:
            worker.process.join(max(ends_at - time.monotonic(), 0.0))
            worker.process.kill()
            worker.process.join()


@contextmanager
def _pool(
    work: Work[Item, Result], items: Sequence[Item], processes: int
) -> Iterator[_Pool[Item, Result]]:
    pool = _Pool(work, items, processes)
    try:
        yield pool
    finally:
        pool.stop()


def _end_of(process: BaseProcess) -> str:
    process.join(_END_SECONDS)
    code = process.exitcode
    if code is not None and code < 0:
        return f"signal {-code} ({signal.Signals(-code).name})"
    return f"exit code {code}"


def _work(work: Work[Item, Result], items: Sequence[Item], connection: Connection) -> None:
    """In a worker process: run tests until no more are requested."""
    # Ctrl-C reaches every process of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _abort)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    Thread(target=_end_with_parent, daemon=True).start()
    with suppress(AbortedError, EOFError, BrokenPipeError):
        while (at := connection.recv()) is not None:
            connection.send(work(items[at]))
    # Threads of work that was broken off may wait for minutes, as after a signal of `run`.
    os._exit(0)


def _abort(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    AbortedError.of_signal = ExitCode.TERMINATED
    raise AbortedError(AbortedError.of_signal)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(int(ExitCode.TERMINATED))

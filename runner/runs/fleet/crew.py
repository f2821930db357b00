"""The workers of a cluster, as one that runs a job sees them.

Knows futures of a cluster. Knows nothing of jobs, nor how one connects.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock
from typing import Any

from runner.lanes import result_of

_ANSWER_SECONDS = 60.0


class Piece:
    """Work of another worker."""

    def __init__(self, task: Any) -> None:  # noqa: ANN401 - an extra's
        self._task = task
        self._done = Future[None]()
        task.add_done_callback(lambda _: self._done.set_result(None))

    def result(self) -> str:
        """Wait for what it answers; a stop ends the wait.

        Raises:
            NotStagedError: It was lost.
        """
        from runner.tables.staging.elsewhere import NotStagedError

        result_of(self._done)
        try:
            return str(self._task.result(timeout=_ANSWER_SECONDS))
        except Exception as error:  # its workers died, or the scheduler has gone
            raise NotStagedError(f"{type(error).__name__}: {error}") from error

    def cancel(self) -> None:
        """Do without it; does not wait, for there may be nobody left who answers."""
        self._task.release()


class Crew:
    """The workers, this one among them.

    The thread that the cluster has given to the job connects to them when the job, which has a
    thread of its own, wants it: from then on the cluster has another thread for pieces of work.
    """

    def __init__(self, connect: Callable[[], Any], work: Callable[[str], str]) -> None:
        """Describe it.

        Args:
            connect: Gives a client of the cluster; called in the thread of the cluster, once.
            work: Does a piece of work on a worker.
        """
        self._connect = connect
        self._work = work
        self._wanted: SimpleQueue[Future[Any] | None] = SimpleQueue()
        self._lock = Lock()
        self._client: Any = None

    def submit(self, order: str) -> Piece:
        """Give one of them a piece of work.

        Raises:
            NotStagedError: They cannot be reached.
        """
        from runner.tables.staging.elsewhere import NotStagedError

        key = f"sfrunner-piece-{os.urandom(8).hex()}"
        try:
            with self._lock:
                if self._client is None:
                    wanted = Future[Any]()
                    self._wanted.put(wanted)
                    self._client = wanted.result()
            # Before jobs that wait for a thread: this one has begun.
            task = self._client.submit(self._work, order, key=key, pure=False, priority=1)
        except Exception as error:  # each library has its own
            raise NotStagedError(f"the scheduler does not answer: {error}") from error
        return Piece(task)

    def serve(self) -> None:
        """Connect to them when it is wanted, until the end."""
        while (wanted := self._wanted.get()) is not None:
            try:
                wanted.set_result(self._connect())
            except Exception as error:  # noqa: BLE001 - raised where it is wanted
                wanted.set_exception(error)

    def end(self) -> None:
        """Nothing more is wanted."""
        self._wanted.put(None)

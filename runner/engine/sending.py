"""The sending loop of every write: pieces go out side by side until all are answered.

Knows workers, the deadline, and when to stop. Knows nothing of what a piece is or how it is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from runner import events
from runner.engine.before_images import BeforeImages
from runner.engine.columns import ColumnPlan
from runner.engine.context import Context
from runner.engine.deadline import Deadline
from runner.engine.task_ledger import TaskLedger
from runner.errors import AbortedError, ExitCode, RunnerError, StateError
from runner.files import NO_ROOM, unwritable
from runner.job.choices import Concurrency
from runner.job.model import Verb, WriteTask
from runner.parallel import WorkerPool
from runner.salesforce.bulk.job import JobInfo, JobState
from runner.tables.results.row_results import RowResults
from runner.tables.staging.parts import Part
from runner.tables.staging.rows import StagedRows

Piece = TypeVar("Piece")
Answer = TypeVar("Answer")
_Sent_contra = TypeVar("_Sent_contra", contravariant=True)


class PreparedWrite(Struct, frozen=True):
    """A write whose rows are staged and mapped, ready to be sent."""

    task: WriteTask
    context: Context
    plan: ColumnPlan
    ledger: TaskLedger
    staging: StagedRows
    results: RowResults
    """Where each row's result goes."""
    before_images: BeforeImages | None
    """None unless the job asks for `undo` and the write changes records."""
    first_part: int = 0
    """The number before that of its first part or batch."""
    failed_before: int | None = None
    """Rows that failed before sending; None: those that failed on this machine."""
    done_before: int | None = None
    """Rows that are done before sending; None: those that are not sent."""

    @property
    def creates_by_id(self) -> bool:
        """Whether rows without an Id are created: an upsert by Id."""
        return self.task.verb is Verb.UPSERT and self.plan.key == "Id"

    def allows(self, failed: int) -> bool:
        """Whether the task may still end well with so many failed rows."""
        most = self.task.max_failures
        return most is None or most.allows(failed, self.staging.rows_total)

    @property
    def failed_unsent(self) -> int:
        """Rows that failed before any of these is sent."""
        if self.failed_before is not None:
            return self.failed_before
        rows = self.staging
        return rows.rejected_total - rows.skipped_total - rows.unchanged_total

    def save_before_images(self, first_row: int, last_row: int) -> None:
        """Save what the records of these rows hold now, if the job asks for `undo`."""
        if self.before_images is not None:
            self.before_images.save(first_row, last_row)


class Sender(Protocol[_Sent_contra, Answer]):
    """How one kind of write sends a piece, and what it does with the answer."""

    def send(self, piece: _Sent_contra) -> Answer:
        """Send a piece; runs in a worker thread."""

    def receive(self, piece: _Sent_contra, answer: Answer) -> None:
        """Record an answer; runs in the main thread, one piece at a time."""

    def unanswered(self, piece: _Sent_contra, error: RunnerError) -> None:
        """Record that a piece was not answered; an AbortedError when it was still in flight."""


class SendingLoop(Generic[Piece, Answer]):
    """Sends pieces until there are none, the time is up, or an error stops it."""

    def __init__(self, sender: Sender[Piece, Answer], write: PreparedWrite, width: int) -> None:
        """Prepare to send; nothing is sent yet.

        Args:
            sender: Sends each piece.
            write: Its `concurrency` and `timeout` apply; the timeout starts now.
            width: How many pieces may be in flight at once unless the job says `serial`.
        """
        self._sender = sender
        self._task = write.task.name
        self._observer = write.context.session.observer
        self._width = 1 if write.task.concurrency is Concurrency.SERIAL else width
        self._again: deque[Piece] = deque()
        self.deadline: Deadline = write.context.deadline(write.task)
        self.stopped_by: RunnerError | None = None
        self.is_complete = True
        """Whether every answer that came is among the results; else the ledger knows more."""

    def stop(self, error: RunnerError) -> None:
        """Send nothing more; pieces in flight are still waited for. The first error counts."""
        self.stopped_by = self.stopped_by or self.deadline.named(error)

    def send_again(self, piece: Piece) -> None:
        """Send this piece before any new one."""
        self._again.append(piece)

    def run(self, pieces: Iterable[Piece]) -> RunnerError | None:
        """Send pieces; they are drawn only as workers become free.

        Returns:
            What ended it early, None when everything was sent.
        """
        with WorkerPool(self._send, self._width) as pool:
            try:
                for piece, answer in pool.run(_UntilStopped(self, self._again, iter(pieces))):
                    self._receive(piece, answer)
            except (RunnerError, OSError) as error:
                found = own_error(error)
                first = self.stopped_by if isinstance(found, StateError) else None
                for piece, late in pool.drain():
                    with suppress(StateError):  # what the ledger lacks, a resume finds out
                        self._receive(piece, late)
                return first or found
        return self.stopped_by

    def _send(self, piece: Piece) -> Answer:
        if self._observer is None:
            return self._sender.send(piece)
        with self._observer.part(self._task, str(getattr(piece, "index", ""))):
            return self._sender.send(piece)

    def _receive(self, piece: Piece, future: Future[Answer] | None) -> None:
        try:
            self._account_for(piece, future)
        except (StateError, OSError) as error:
            self.is_complete = False
            raise own_error(error) from error

    def _account_for(self, piece: Piece, future: Future[Answer] | None) -> None:
        error = future.exception() if future else AbortedError(ExitCode.INTERRUPTED)
        if isinstance(error, OSError):
            error = own_error(error)
        if isinstance(error, RunnerError):
            self.stop(error)
            self._sender.unanswered(piece, error)
        elif future is not None:
            self._sender.receive(piece, future.result())  # raises what is not a RunnerError


def own_error(error: RunnerError | OSError) -> RunnerError:
    """The error about a file of the run, in our words; others are raised."""
    if isinstance(error, RunnerError):
        return error
    if error.filename is None:
        raise error
    if error.errno in NO_ROOM:
        return unwritable(Path(error.filename), error)
    return StateError(
        f"{error.filename} cannot be used: {error.strerror or error}.",
        hint="It belongs to the run. `runner resume` reads the rows and the results again.",
    )


class _UntilStopped(Iterator[Piece]):
    """Pieces to send again, then new ones. May run dry and go on: a piece can come back."""

    def __init__(
        self, loop: SendingLoop[Piece, Answer], again: deque[Piece], fresh: Iterator[Piece]
    ) -> None:
        self._loop = loop
        self._again = again
        self._fresh = fresh

    def __next__(self) -> Piece:
        loop = self._loop
        error = loop.deadline.ended_by()
        if error is not None:
            loop.stop(error)
        if loop.stopped_by is not None:
            raise StopIteration
        return self._again.popleft() if self._again else next(self._fresh)


class Progress:
    """How far a write is, over all its pieces. Threads may share it."""

    def __init__(self, write: PreparedWrite) -> None:
        self._task = write.task.name
        self._sink = write.context.sink
        self._total = write.staging.rows_total
        before = write.done_before
        self._done = write.staging.rejected_total if before is None else before
        self._lock = Lock()
        self._processed: dict[int, int] = {}
        self._parts_done: set[int] = set()

    def add(self, rows: int) -> None:
        """Report that this many more rows are done."""
        with self._lock:
            self._done += rows
        self._report()

    def add_job(self, part: Part, job: JobInfo) -> None:
        """Report the state of a part's Bulk job."""
        with self._lock:
            if part.attempt == 0:  # later attempts send rows that were counted before
                self._done += job.processed - self._processed.get(part.index, 0)
                self._processed[part.index] = job.processed
            if job.state == JobState.JOB_COMPLETE:
                self._parts_done.add(part.index)
        self._report(f"{job.state} {job.id}")

    def _report(self, note: str = "") -> None:
        with self._lock:
            done, parts = self._done, len(self._parts_done)
        self._sink(events.Progress(self._task, done, self._total, parts_done=parts, note=note))

"""Sends a write's rows over REST, several requests side by side, and takes in every answer.

Knows batches, lanes, and what the ledger must know of a batch before it is sent and after. Knows
nothing of how a request is made or retried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from runner import events
from runner.engine.before_images import BeforeImages
from runner.engine.columns import ColumnPlan
from runner.engine.context import Context
from runner.engine.lost_answers import LostAnswers
from runner.engine.task_ledger import ANSWERED, SENT, TaskLedger, rows_of, rows_text
from runner.errors import AbortedError, RunnerError, StateError
from runner.job.model import Concurrency, Verb, WriteTask
from runner.outcome import RowResult, RowStatus
from runner.parallel import WorkerPool
from runner.salesforce.rest.write import BrokenOffError, RecordResult, WriteRequest, write_batch
from runner.state.run_records import PartRecord
from runner.tables.results.row_results import RowResults
from runner.tables.staging.rows import Record, StagedRows

LANES = 8
BATCH_ROWS = 200
Rows = list[tuple[int, Record]]
_IN_DOUBT = "ANSWER_LOST"


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one request, as they stand in the ledger."""

    line: PartRecord
    rows: Rows
    """Those without a result."""
    known: list[RowResult]
    """Results that were written down before."""
    doubtful: bool
    """Whether its rows may have been carried out already."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a batch's rows; a row without a result was not carried out."""

    results: list[RowResult]
    stopped_by: RunnerError | None = None
    doubtful: bool = False
    """Whether the rows without a result may have been carried out all the same."""

    def __add__(self, other: Answer) -> Answer:
        """Both together."""
        return Answer(
            self.results + other.results,
            self.stopped_by or other.stopped_by,
            self.doubtful or other.doubtful,
        )

    def left(self, rows: Rows) -> Rows:
        """Those of the rows that have no result."""
        have = {result.row for result in self.results}
        return [row for row in rows if row[0] not in have]


class RestWrite:
    """One write over REST, from its first request to its last answer.

    Attributes:
        left_open: Whether the org may still know what became of rows that are not settled here.
    """

    def __init__(
        self,
        task: WriteTask,
        context: Context,
        plan: ColumnPlan,
        ledger: TaskLedger,
        before_images: BeforeImages,
    ) -> None:
        self._before_images = before_images
        self._task = task
        self._context = context
        self._ledger = ledger
        self._deadline = context.deadline(task)
        self._write = WriteRequest(
            operation=task.verb,
            sobject=task.sobject,
            key=plan.key,
            all_or_none=task.all_or_none,
            options=task.options,
            lookups=plan.lookups,
        )
        # Anything but a create may be sent twice: its lines need not wait for the disk.
        self._once_only = task.verb is Verb.CREATE
        self._lost_answers = LostAnswers(context.session, self._write, plan, context.user_id)
        self._stopped_by: RunnerError | None = None
        self._failed = 0
        self.left_open = False

    def send(self, staging: StagedRows, results: RowResults) -> None:
        """Send every row that is to be sent; each answer is in `results` when this ends.

        Raises:
            RunnerError: what ended it early; rows without a result were not sent.
        """
        total = staging.rows_total
        done = self._failed = staging.rejected_total
        width = 1 if self._task.concurrency is Concurrency.SERIAL else LANES
        with WorkerPool(self._ask, width) as pool:
            try:
                for batch, answer in pool.run(self._batches(staging, results)):
                    self._take(batch, answer, results)
                    done += len(batch.rows)
                    self._context.sink(events.Progress(self._task.name, done, total))
            except RunnerError:
                self.left_open = True
                for batch, late in pool.drain():
                    with suppress(StateError):  # what is not written down a resume settles
                        self._take(batch, late, results)
                raise
        if self._stopped_by is not None:
            raise self._stopped_by

    def _batches(self, staging: StagedRows, results: RowResults) -> Iterator[Batch]:
        """Batches that have rows to send, each written down before it is given."""
        size = self._task.batch_size or BATCH_ROWS
        for number, rows in enumerate(staging.batches(size)):
            if self._deadline.passed:
                self._stop(self._deadline.error())
            if self._stopped_by is not None or self._too_many_failed(staging.rows_total):
                return
            batch = self._noted(number, rows)
            results.add(batch.known)
            self._count_failed(batch.known)
            if batch.rows:
                if not self._kept(rows):
                    return
                self._ledger.note(batch.line, synced=self._once_only)
                yield batch

    def _kept(self, rows: Rows) -> bool:
        """Have the rows' records looked at first; what is on the wire is still waited for."""
        try:
            self._before_images.keep(rows[0][0], rows[-1][0])
        except AbortedError:
            raise
        except RunnerError as error:
            self._stop(error)
            return False
        return True

    def _noted(self, number: int, rows: Rows) -> Batch:
        line = self._ledger.inherited(number)
        if line is None:
            now = datetime.now(UTC)
            first, last = rows[0][0], rows[-1][0]
            line = PartRecord(
                number, SENT, first_row=first, last_row=last, rows=len(rows), began=now
            )
            return Batch(line, rows, [], doubtful=False)
        known = rows_of(line.results) if line.results else []
        have = {result.row for result in known}
        left = [row for row in rows if row[0] not in have]
        return Batch(replace(line, state=SENT), left, known, doubtful=line.state == SENT)

    def _too_many_failed(self, read: int) -> bool:
        """Whether sending more cannot save the task; what is left stays unprocessed."""
        allowed = self._task.max_failures
        return allowed is not None and not allowed.allows(self._failed, read)

    def _ask(self, batch: Batch) -> Answer:
        """One batch, in a lane of its own."""
        if batch.doubtful:
            return self._settled(batch, batch.rows)
        return self._sent(batch, batch.rows)

    def _sent(self, batch: Batch, rows: Rows) -> Answer:
        try:
            found = write_batch(self._context.session, self._write, _records(rows))
        except BrokenOffError as error:
            return self._broken_off(batch, rows, error)
        began = batch.line.began or datetime.now(UTC)
        return Answer(_rows(rows, self._lost_answers.find_created(found, began)))

    def _broken_off(self, batch: Batch, rows: Rows, error: BrokenOffError) -> Answer:
        """Go on after a create's answer was lost; anything else ends the task."""
        known = Answer(_rows(rows, error.results))
        if not error.in_doubt or self._write.operation is not Verb.CREATE:
            return replace(known, stopped_by=error.cause, doubtful=bool(error.in_doubt))
        found = known + self._settled(batch, [rows[at] for at in error.in_doubt])
        rest = found.left(rows)
        if found.stopped_by is not None or not rest:
            return found
        return found + self._sent(batch, rest)

    def _settled(self, batch: Batch, rows: Rows) -> Answer:
        """Bring rows that may have been carried out to an end, or put them down as in doubt."""
        clear = [row for row in rows if self._lost_answers.can_find(row[1])]
        told = {number for number, _ in clear}
        known = Answer([_doubt(number) for number, _ in rows if number not in told])
        if not clear:
            return known
        began = batch.line.began or datetime.now(UTC)
        try:
            found = self._lost_answers.write_again(_records(clear), began)
        except BrokenOffError as error:
            return known + Answer(_rows(clear, error.results), error.cause, doubtful=True)
        return known + Answer(_rows(clear, found))

    def _take(self, batch: Batch, end: Future[Answer] | None, results: RowResults) -> None:
        """Take in what became of a batch, and write it down."""
        answer = end.result() if end else Answer([], doubtful=True)
        state = SENT if answer.doubtful else ANSWERED
        noted = rows_text([*batch.known, *answer.results])
        results.add(answer.results)
        if answer.doubtful:
            results.add([_doubt(number) for number, _ in answer.left(batch.rows)])
            self.left_open = True
        line = replace(batch.line, state=state, results=noted)
        self._ledger.note(line, synced=self._once_only)
        self._count_failed(answer.results)
        if answer.stopped_by is not None:
            self._stop(answer.stopped_by)

    def _count_failed(self, rows: Sequence[RowResult]) -> None:
        self._failed += sum(row.status is not RowStatus.SUCCEEDED for row in rows)

    def _stop(self, error: RunnerError) -> None:
        self._stopped_by = self._stopped_by or error


def _doubt(number: int) -> RowResult:
    message = (
        "The request was sent and its answer lost: the record may have been written. "
        "Look for it in the org before sending the row again."
    )
    return RowResult(number, RowStatus.IN_DOUBT, code=_IN_DOUBT, message=message)


def _records(rows: Rows) -> list[Record]:
    return [record for _, record in rows]


def _rows(rows: Rows, results: Sequence[RecordResult | None]) -> list[RowResult]:
    """Results with the numbers of their rows; a record without one is left out."""
    pairs = zip(rows, results, strict=True)
    return [_row(number, result) for (number, _), result in pairs if result is not None]


def _row(number: int, result: RecordResult) -> RowResult:
    return RowResult(
        row=number,
        status=RowStatus.SUCCEEDED if result.success else RowStatus.FAILED,
        id=result.id,
        created=result.created,
        code=result.code,
        message=result.message,
        fields=result.fields,
    )

"""Sends a write's rows over REST in batches, and records every answer in the ledger.

Knows batches, and what the ledger must say of a batch before it is sent and after. Knows nothing
of how a request is made or retried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from runner.engine.api_choice import rows_of_a_batch
from runner.engine.file_bodies import RowFiles
from runner.engine.lost_answers import LostAnswers
from runner.engine.sending import PreparedWrite, Progress, SendingLoop
from runner.engine.task_ledger import ANSWERED, SENT, rows_of, rows_text
from runner.engine.unknown_records import unknown_records
from runner.errors import AbortedError, RunnerError
from runner.job.choices import Match
from runner.job.model import Verb
from runner.outcome import RowResult, RowStatus
from runner.salesforce.rest.write import (
    BrokenOffError,
    Record,
    RecordResult,
    WriteRequest,
    write_batch,
)
from runner.state.run_records import PartRecord

MOST_REQUESTS = 16
"""Requests in flight at once."""
_ANSWER_LOST = "The request was sent but its answer was lost, so the record may have been written."
Rows = list[tuple[int, Record]]


class Batch(Struct, frozen=True):
    """Rows of one request, as the ledger has them."""

    line: PartRecord
    rows: Rows
    """Those without a result."""
    known: list[RowResult]
    """Results from an earlier process."""
    in_doubt: bool
    """Whether an earlier process may have sent the rows."""
    unrecorded: bool = False
    """Whether they are in doubt although the ledger does not have them as sent."""

    @property
    def index(self) -> int:
        """Its number in the task."""
        return self.line.part


class Answer(Struct, frozen=True):
    """What became of a batch's rows; a row without a result was not written."""

    results: list[RowResult]
    stopped_by: RunnerError | None = None
    in_doubt: bool = False
    """Whether the rows without a result may have been written all the same."""

    def __add__(self, other: Answer) -> Answer:
        """Both together."""
        return Answer(
            self.results + other.results,
            self.stopped_by or other.stopped_by,
            self.in_doubt or other.in_doubt,
        )

    def left(self, rows: Rows) -> Rows:
        """Those of the rows that have no result."""
        have = {result.row for result in self.results}
        return [row for row in rows if row[0] not in have]


class RestWrite:
    """One write over REST.

    Attributes:
        has_open_rows: Whether the org may still know what became of rows without a final result.
    """

    job_ids = ()

    def __init__(self, write: PreparedWrite) -> None:
        self._write = write
        task, context = write.task, write.context
        self._session = context.session
        self._request = WriteRequest(
            operation=task.verb,
            sobject=task.sobject,
            key=write.plan.key,
            all_or_none=task.all_or_none,
            options=task.options,
            lookups=write.plan.lookups,
            fill=task.merge.fill if task.merge else (),
            has_files=write.plan.has_files,
        )
        self._files = RowFiles(self._request, write.plan)
        # Anything but a create or merge may be sent twice: its lines need not wait for the disk.
        new_by_key = task.verb is Verb.UPSERT and self._request.has_files
        self._creates = task.verb is Verb.CREATE or write.creates_by_id or new_by_key
        self._once_only = self._creates or task.verb is Verb.MERGE
        self._lost_answers = LostAnswers(
            context.session,
            self._request,
            write.plan,
            context.user_id,
            updates_only=task.match is Match.UPDATE_ONLY,
        )
        # Merges side by side would wait for each other's locks, on masters and their children.
        width = 1 if task.verb is Verb.MERGE else MOST_REQUESTS
        self._loop: SendingLoop[Batch, Answer] = SendingLoop(self, write, width)
        self._progress = Progress(write)
        self._failed = write.failed_unsent
        self._handled: set[int] = set()
        """Batches whose rows have all the results that can be given."""
        self.has_open_rows = False
        self.unknown = 0
        """Records in the org that an earlier process may have created and did not record."""

    @property
    def is_complete(self) -> bool:
        """As for `LevelSender`."""
        return self._loop.is_complete

    def run(self) -> RunnerError | None:
        """Send every row; returns what ended it early.

        Rows that have no result afterwards were not sent.
        """
        self._add_known()
        try:
            if self._creates and not self._write.first_part:
                self.unknown = unknown_records(self._write.task, self._write.context)
        except RunnerError as error:
            self._loop.stop(error)
        stopped_by = self._loop.run(self._batches())
        self._account_for_the_rest()
        return stopped_by

    def leave(self, stopped_by: RunnerError) -> None:
        """Account for rows that an earlier process sent, and send nothing."""
        del stopped_by
        self._add_known()
        self._account_for_the_rest()

    def _add_known(self) -> None:
        for line in self._write.ledger.inherited_parts:
            known = rows_of(line.results) if line.results else []
            self._write.results.add(known)
            self._count_failed(known)

    def _account_for_the_rest(self) -> None:
        """Put rows in doubt that an earlier process sent and this one did not come to."""
        for line in self._write.ledger.inherited_parts:
            if line.state != SENT or line.part in self._handled:
                continue
            first, last = line.first_row or 0, line.last_row or 0
            staged = self._write.staging.batches(last - first + 1, after_row=first - 1)
            rows = self._files.opened(next(staged, []))
            known = Answer(rows_of(line.results) if line.results else [])
            left = known.left([row for row in rows if row[0] <= last])
            self._write.results.add([self._in_doubt(row) for row in left])
            self.has_open_rows |= bool(left)

    def send(self, batch: Batch) -> Answer:
        """Send a batch, or find out what became of it first."""
        if batch.in_doubt:
            return self._resolve(batch, batch.rows)
        return self._send(batch, batch.rows)

    def receive(self, batch: Batch, answer: Answer) -> None:
        """Record the results of a batch."""
        write = self._write
        self._handled.add(batch.line.part)
        recorded = rows_text([*batch.known, *answer.results])
        state = SENT if answer.in_doubt else ANSWERED
        line = replace(batch.line, state=state, results=recorded)
        try:  # the ledger first: without its line a resume does not know of the answer
            write.ledger.record(line, synced=self._once_only)
        finally:
            write.results.add(answer.results)
            if answer.in_doubt:
                write.results.add([self._in_doubt(row) for row in answer.left(batch.rows)])
                self.has_open_rows = True
        self._count_failed(answer.results)
        if answer.stopped_by is not None:
            self._loop.stop(answer.stopped_by)
        self._progress.add(len(batch.rows))

    def unanswered(self, batch: Batch, error: RunnerError) -> None:
        """Put the rows of a batch that is still in flight in doubt."""
        self.has_open_rows = True
        if isinstance(error, AbortedError):
            self.receive(batch, Answer([], in_doubt=True))

    def _batches(self) -> Iterator[Batch]:
        """Batches that have rows to send, each in the ledger before it is sent."""
        write = self._write
        size = rows_of_a_batch(write.task, has_files=write.plan.has_files)
        last_begun = max((line.part for line in write.ledger.inherited_parts), default=-1)
        batches = map(self._files.opened, write.staging.batches(size))
        for number, rows in enumerate(batches, write.first_part):
            batch = self._batch(number, rows)
            if self._too_many_failed() and (batch.unrecorded or not batch.in_doubt):
                if number >= last_begun:
                    return
                continue
            if batch.rows:
                if not self._saved_before_images(rows):
                    return
                write.ledger.record(batch.line, synced=self._once_only)
                yield batch

    def _saved_before_images(self, rows: Rows) -> bool:
        """Save the before images; an error lets requests in flight finish."""
        try:
            self._write.save_before_images(rows[0][0], rows[-1][0])
        except AbortedError:
            raise
        except RunnerError as error:
            self._loop.stop(error)
            return False
        return True

    def _batch(self, number: int, rows: Rows) -> Batch:
        line = self._write.ledger.inherited(number)
        is_sent = line is not None and line.state == SENT
        if line is None:
            past = self._write.context.past if self.unknown else None
            began = past.started if past else datetime.now(UTC)
            line = PartRecord(
                number,
                SENT,
                first_row=rows[0][0],
                last_row=rows[-1][0],
                rows=len(rows),
                began=began,
            )
        known = rows_of(line.results) if line.results else []
        have = {result.row for result in known}
        left = [row for row in rows if row[0] not in have]
        unrecorded = self.unknown > 0 and not is_sent
        return Batch(replace(line, state=SENT), left, known, is_sent or unrecorded, unrecorded)

    def _too_many_failed(self) -> bool:
        """Whether sending more cannot save the task; what is left stays unprocessed."""
        return not self._write.allows(self._failed)

    def _send(self, batch: Batch, rows: Rows) -> Answer:
        try:
            found = write_batch(self._session, self._request, _records(rows))
        except BrokenOffError as error:
            return self._broken_off(batch, rows, error)
        return self._known(batch, rows, found)

    def _known(self, batch: Batch, rows: Rows, results: Sequence[RecordResult | None]) -> Answer:
        """Results of rows; those of a request that was repeated are looked for in the org."""
        pairs = [(row, each) for row, each in zip(rows, results, strict=True) if each is not None]
        answered = [row for row, _ in pairs]
        found = self._lost_answers.find_own(
            [each for _, each in pairs], _records(answered), _began(batch)
        )
        return Answer(_rows(answered, found))

    def _broken_off(self, batch: Batch, rows: Rows, error: BrokenOffError) -> Answer:
        """Continue after the answer to a create or merge was lost; others end the task."""
        known = self._known(batch, rows, error.results)
        if not error.in_doubt or not self._once_only:
            return replace(known, stopped_by=error.cause, in_doubt=bool(error.in_doubt))
        found = known + self._resolve(batch, [rows[at] for at in error.in_doubt])
        rest = found.left(rows)
        if found.stopped_by is not None or not rest:
            return found
        return found + self._send(batch, rest)

    def _resolve(self, batch: Batch, rows: Rows) -> Answer:
        """Finish rows that may have been written, or put them in doubt."""
        findable = [row for row in rows if self._lost_answers.can_find(row[1])]
        numbers = {number for number, _ in findable}
        why = self._not_recorded() if batch.unrecorded else _ANSWER_LOST
        lost = Answer([self._in_doubt(row, why) for row in rows if row[0] not in numbers])
        if not findable:
            return lost
        try:
            found = self._lost_answers.write_again(_records(findable), _began(batch))
        except BrokenOffError as error:
            return lost + Answer(_rows(findable, error.results), error.cause, in_doubt=True)
        except RunnerError as error:  # the org could not be asked: a resume asks again
            return lost + Answer([], error, in_doubt=True)
        return lost + Answer(_rows(findable, found))

    def _not_recorded(self) -> str:
        task = self._write.task
        return (
            f"Since the run began, this user has created {self.unknown} more records of "
            f"{task.sobject} than the ledger has: was the state folder replaced by an older copy? "
            "This row may be among them."
        )

    def _in_doubt(self, row: tuple[int, Record], why: str = _ANSWER_LOST) -> RowResult:
        """The result of a row that may have been written, with what to do about it."""
        number, record = row
        if not self._request.creates(record):
            advice = "The row may safely be sent again."
        elif self._lost_answers.can_find(record):
            advice = "`runner resume` finds out."
        else:
            advice = "Look for it in the org before sending the row again."
        message = f"{why} {advice}"
        return RowResult(number, RowStatus.IN_DOUBT, code="ANSWER_LOST", message=message)

    def _count_failed(self, rows: Sequence[RowResult]) -> None:
        self._failed += sum(row.status is not RowStatus.SUCCEEDED for row in rows)


def _began(batch: Batch) -> datetime:
    return batch.line.began or datetime.now(UTC)


def _records(rows: Rows) -> list[Record]:
    return [record for _, record in rows]


def _rows(rows: Rows, results: Sequence[RecordResult | None]) -> list[RowResult]:
    """Results with the numbers of their rows; a record without one is left out."""
    pairs = zip(rows, results, strict=True)
    return [_row(number, result) for (number, _), result in pairs if result is not None]


def _row(number: int, result: RecordResult) -> RowResult:
    if result.success and result.code is None and result.message is None:
        return RowResult(number, RowStatus.SUCCEEDED, result.id, result.created)
    return RowResult(
        row=number,
        status=RowStatus.SUCCEEDED if result.success else RowStatus.FAILED,
        id=result.id,
        created=result.created,
        code=result.code,
        message=result.message,
        fields=result.fields,
    )

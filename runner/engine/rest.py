"""Sends a write's rows over REST, several requests side by side, and takes in every answer.

Knows batches and lanes. Knows nothing of how a request is made or retried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from runner import events
from runner.engine.columns import ColumnPlan
from runner.engine.context import Context, Deadline
from runner.engine.lanes import Lanes
from runner.errors import AbortedError, RunnerError
from runner.job.model import Concurrency, Verb, WriteTask
from runner.outcome import RowResult, RowStatus
from runner.salesforce.records import BrokenOffError, RecordResult, WriteRequest, write_batch
from runner.tables.results import Results
from runner.tables.staging import Record, Staging

LANES = 8
BATCH_ROWS = 200
Batch = list[tuple[int, Record]]
_IN_DOUBT = "ANSWER_LOST"


class RestWrite:
    """One write over REST, from its first request to its last answer."""

    def __init__(
        self, task: WriteTask, context: Context, plan: ColumnPlan, deadline: Deadline
    ) -> None:
        self._task = task
        self._context = context
        self._deadline = deadline
        self._write = WriteRequest(
            operation=task.verb,
            sobject=task.sobject,
            key=plan.key,
            all_or_none=task.all_or_none,
            options=task.options,
            lookups=plan.lookups,
        )
        self._stopped_by: RunnerError | None = None
        self._failed = 0

    def send(self, staging: Staging, results: Results) -> None:
        """Send every row that is to be sent; each answer is in `results` when this ends.

        Raises:
            RunnerError: what ended it early; rows without a result were not sent.
        """
        total = staging.rows_total
        done = self._failed = staging.rejected_total
        width = 1 if self._task.concurrency is Concurrency.SERIAL else LANES
        with Lanes(self._ask, width) as lanes:
            try:
                for batch, answer in lanes.run(self._batches(staging)):
                    self._take(batch, answer, results)
                    done += len(batch)
                    self._context.sink(events.Progress(self._task.name, done, total))
            except AbortedError:
                for batch, late in lanes.settled():
                    self._take(batch, late, results)
                raise
        if self._stopped_by is not None:
            raise self._stopped_by

    def _batches(self, staging: Staging) -> Iterator[Batch]:
        for batch in staging.batches(self._task.batch_size or BATCH_ROWS):
            if self._deadline.passed:
                self._stop(self._deadline.error())
            if self._stopped_by is not None or self._too_many_failed(staging.rows_total):
                return
            yield batch

    def _too_many_failed(self, read: int) -> bool:
        """Whether sending more cannot save the task; what is left stays unprocessed."""
        allowed = self._task.max_failures
        return allowed is not None and not allowed.allows(self._failed, read)

    def _ask(self, batch: Batch) -> list[RecordResult]:
        return write_batch(self._context.session, self._write, [record for _, record in batch])

    def _take(
        self, batch: Batch, answer: Future[list[RecordResult]] | None, results: Results
    ) -> None:
        numbers = [number for number, _ in batch]
        if answer is None:
            results.add(self._in_doubt(numbers))
            return
        error = answer.exception()
        if error is None:
            rows = [_row(*pair) for pair in zip(numbers, answer.result(), strict=True)]
        elif isinstance(error, BrokenOffError):
            rows = self._broken_off(numbers, error)
            self._stop(error.cause)
        else:
            raise error
        self._failed += sum(row.status is not RowStatus.SUCCEEDED for row in rows)
        results.add(rows)

    def _broken_off(self, numbers: Sequence[int], error: BrokenOffError) -> list[RowResult]:
        known = [
            _row(number, result)
            for number, result in zip(numbers, error.results, strict=True)
            if result is not None
        ]
        return known + self._in_doubt([numbers[at] for at in error.in_doubt])

    def _in_doubt(self, numbers: Sequence[int]) -> list[RowResult]:
        """Rows whose answer was lost: of a create nobody knows; the rest can be sent again."""
        if self._task.verb is not Verb.CREATE:
            return []
        message = (
            "The request was sent and its answer lost: the record may have been created. "
            "Look for it in the org before sending the row again."
        )
        return [
            RowResult(number, RowStatus.IN_DOUBT, code=_IN_DOUBT, message=message)
            for number in numbers
        ]

    def _stop(self, error: RunnerError) -> None:
        self._stopped_by = self._stopped_by or error


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

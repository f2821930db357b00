"""Brings records back from the recycle bin.

Knows how records become calls and results. Knows nothing of the call itself, nor of why records
come back.
"""

from __future__ import annotations

from datetime import UTC, datetime

from runner.engine.lost_answers import LostAnswers
from runner.engine.sending import PreparedWrite, Progress, SendingLoop
from runner.errors import RunnerError
from runner.outcome import RowResult, RowStatus
from runner.salesforce.rest.undelete import MOST_RECORDS, undelete
from runner.salesforce.rest.values import WriteRequest
from runner.tables.staging.rows import Record

MOST_CALLS = 4
"""Calls in flight at once."""
_Rows = list[tuple[int, Record]]


class UndeleteWrite:
    """One undelete. An Id is all it sends, and undeleting twice does no harm: no ledger lines."""

    has_open_rows = False
    unknown = 0
    job_ids = ()

    def __init__(self, write: PreparedWrite) -> None:
        self._write = write
        self._loop: SendingLoop[_Rows, list[RowResult]] = SendingLoop(self, write, MOST_CALLS)
        self._progress = Progress(write)
        task, context = write.task, write.context
        request = WriteRequest(task.verb, task.sobject)
        self._lost_answers = LostAnswers(context.session, request, write.plan, context.user_id)

    @property
    def is_complete(self) -> bool:
        """As for `LevelSender`."""
        return self._loop.is_complete

    def run(self) -> RunnerError | None:
        """Bring every record back; returns what ended it early.

        A row that has no result afterwards may be back all the same.
        """
        return self._loop.run(self._write.staging.batches(MOST_RECORDS))

    def leave(self, stopped_by: RunnerError) -> None:
        """Send nothing: there is nothing to account for."""

    def send(self, rows: _Rows) -> list[RowResult]:
        """Bring some records back."""
        began = datetime.now(UTC)
        records = [record for _, record in rows]
        found = undelete(self._write.context.session, [str(each["Id"]) for each in records])
        found = self._lost_answers.find_own(found, records, began)
        return [
            RowResult(
                number,
                RowStatus.SUCCEEDED if each.success else RowStatus.FAILED,
                id=each.id or str(record["Id"]),
                created=each.created,
                code=each.code,
                message=each.message,
                fields=each.fields,
            )
            for (number, record), each in zip(rows, found, strict=True)
        ]

    def receive(self, rows: _Rows, answer: list[RowResult]) -> None:
        """Record the results."""
        self._write.results.add(answer)
        self._progress.add(len(rows))

    def unanswered(self, rows: _Rows, error: RunnerError) -> None:
        """Leave the rows unprocessed: undo finds the records that are still deleted."""

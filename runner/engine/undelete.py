"""Brings records back from the recycle bin, several calls side by side.

Knows batches and lanes. Knows nothing of the call itself, nor of why records come back.
"""

from __future__ import annotations

from concurrent.futures import Future

from runner import events
from runner.engine.before_images import BeforeImages
from runner.engine.columns import ColumnPlan
from runner.engine.context import Context
from runner.engine.task_ledger import TaskLedger
from runner.errors import AbortedError, RunnerError
from runner.job.model import Concurrency, WriteTask
from runner.outcome import RowResult, RowStatus
from runner.parallel import WorkerPool
from runner.salesforce.rest.undelete import MOST_RECORDS, undelete
from runner.tables.results.row_results import RowResults
from runner.tables.staging.rows import Record, StagedRows

LANES = 4
_Rows = list[tuple[int, Record]]


class UndeleteWrite:
    """One undelete, from its first call to its last answer.

    Attributes:
        left_open: Always False: what comes back twice is back once.
    """

    left_open = False

    def __init__(
        self,
        task: WriteTask,
        context: Context,
        plan: ColumnPlan,
        ledger: TaskLedger,
        before_images: BeforeImages,
    ) -> None:
        del (
            plan,
            ledger,
            before_images,
        )  # an Id is all that is sent, and nothing of it need be known later
        self._task = task
        self._context = context
        self._deadline = context.deadline(task)
        self._stopped_by: RunnerError | None = None

    def send(self, staging: StagedRows, results: RowResults) -> None:
        """Bring every record back; each answer is in `results` when this ends.

        Raises:
            RunnerError: What ended it early; rows without a result may be back all the same.
        """
        width = 1 if self._task.concurrency is Concurrency.SERIAL else LANES
        done, total = staging.rejected_total, staging.rows_total
        with WorkerPool(self._ask, width) as pool:
            batches = (rows for rows in staging.batches(MOST_RECORDS) if self._goes_on())
            try:
                for rows, end in pool.run(batches):
                    self._take(end, results)
                    done += len(rows)
                    self._context.sink(events.Progress(self._task.name, done, total))
            except AbortedError:
                for _, late in pool.drain():
                    self._take(late, results)
                raise
        if self._stopped_by is not None:
            raise self._stopped_by

    def _goes_on(self) -> bool:
        if self._deadline.passed and self._stopped_by is None:
            self._stopped_by = self._deadline.error()
        return self._stopped_by is None

    def _ask(self, rows: _Rows) -> list[RowResult]:
        found = undelete(self._context.session, [str(record["Id"]) for _, record in rows])
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

    def _take(self, end: Future[list[RowResult]] | None, results: RowResults) -> None:
        try:
            results.add(end.result() if end else [])
        except RunnerError as error:
            self._stopped_by = self._stopped_by or error

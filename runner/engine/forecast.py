"""What tasks cost: API calls and batches, by their rows.

A forecast is a lower bound: retries, long waits for Bulk jobs and rows that nobody has
counted come on top.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import ceil
from pathlib import Path

from msgspec import Struct

from runner.engine.api_choice import BATCH_ROWS, api_for_write
from runner.engine.lookup_cost import Reading, calls
from runner.errors import UsageError
from runner.job.endpoints import FileSource
from runner.job.model import AnyTask, Api, QueryTask, Verb, WriteTask
from runner.job.source_query import SourceQuery
from runner.tables.sources.row_estimate import estimated_rows

JOB_ROWS = 300_000
"""Rows that one ingest job has, roughly; a part is limited by its bytes."""
JOB_CALLS = 8
"""Create, upload, close, two polls and three results."""
BULK_BATCH_ROWS = 10_000
"""Rows that count as one batch. Source: limits guide, Bulk API 2.0."""


class Forecast(Struct, frozen=True):
    """What tasks cost, at least."""

    api_calls: int = 0
    bulk_jobs: int = 0
    bulk_batches: int = 0

    def __add__(self, other: Forecast) -> Forecast:
        return Forecast(
            self.api_calls + other.api_calls,
            self.bulk_jobs + other.bulk_jobs,
            self.bulk_batches + other.bulk_batches,
        )


def forecast_of_write(task: WriteTask, rows: int, version: str) -> Forecast:
    """What a write of so many rows costs.

    Raises:
        UsageError: The task needs an API that the version does not have.
    """
    if not rows:
        return Forecast()
    by_key = task.verb in {Verb.UPDATE, Verb.DELETE} and (task.key or "Id").lower() != "id"
    lookups = min(calls(each, rows, 0) for each in Reading) if by_key or task.on_create else 0
    if api_for_write(task, rows, version) is Api.REST:
        return Forecast(ceil(rows / (task.batch_size or BATCH_ROWS)) + lookups)
    jobs = ceil(rows / JOB_ROWS)
    return Forecast(jobs * JOB_CALLS + lookups, jobs, ceil(rows / BULK_BATCH_ROWS))


def forecast_of(
    tasks: Sequence[AnyTask], version: str, to_come: Collection[Path]
) -> tuple[Forecast, tuple[str, ...]]:
    """What tasks cost, and the names of those whose rows nobody has counted.

    Args:
        tasks: The tasks; of a query, whose rows are unknown, the first page counts.
        version: The API version.
        to_come: Files that are not written yet.
    """
    total, uncounted = Forecast(), []
    for task in tasks:
        if isinstance(task, SourceQuery):
            continue  # another org counts it
        if isinstance(task, QueryTask):
            total += Forecast(1)
            continue
        rows = _rows(task, to_come)
        if rows is None:
            uncounted.append(task.name)
        try:
            total += forecast_of_write(task, rows or 0, version)
        except UsageError:
            continue  # it says so itself when it is its turn
    return total, tuple(uncounted)


def _rows(task: WriteTask, to_come: Collection[Path]) -> int | None:
    source = task.source
    if not isinstance(source, FileSource) or source.path in to_come:
        return None
    return estimated_rows(source)

"""What a job must mean, beyond what its schema can say.

Each module checks one subject of a `PartialJob`; `check_meaning` runs them all. To add a check,
write a function from a partial job to diagnostics and put it into the table that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.diagnostics import Diagnostic
from runner.job.checks import (
    columns,
    connection,
    endpoints,
    file_bodies,
    limits,
    queries,
    tasks,
    writes,
)
from runner.job.checks.bulk_queries import bulk_queries
from runner.job.checks.columns import ColumnFinder, HeaderReader
from runner.job.checks.endpoints import LibraryFinder
from runner.job.checks.increments import increments
from runner.job.checks.keeping import keeping
from runner.job.checks.merges import merges
from runner.job.checks.mirrors import mirrors
from runner.job.checks.org_sources import masks, org_sources
from runner.job.checks.scopes import scopes
from runner.job.checks.writes import ExpressionChecker
from runner.job.partial_job import PartialJob

if TYPE_CHECKING:
    from runner.job.checks.notices import RecipientFinder

__all__ = ["Readers", "check_meaning"]

_MAX_PROBLEMS_PER_CHECK = 300

_Check = Callable[[PartialJob], Iterator[Diagnostic]]

_ALWAYS: tuple[_Check, ...] = (
    connection.environment,
    connection.outside_folder,
    tasks.duplicate_names,
    tasks.references,
    tasks.rows_of_tasks,
    tasks.order,
    endpoints.targets,
    endpoints.reserved_tables,
    endpoints.formats,
    endpoints.unused_value_keys,
    endpoints.sources,
    endpoints.standard_input,
)
_OF_WRITES: tuple[_Check, ...] = (
    writes.duplicate_fields,
    writes.lookups,
    writes.options,
    limits.of_other_verbs,
    file_bodies.writes,
    writes.time_zones,
    writes.unknown_params,
    scopes,
    mirrors,
    merges,
)
_OF_QUERIES: tuple[_Check, ...] = (
    queries.syntax,
    queries.mistakes,
    queries.children,
    keeping,
    bulk_queries,
    file_bodies.queries,
    queries.rows,
    queries.unknown_params,
    queries.lists,
    increments,
    org_sources,
    masks,
)
_OF_PARAMS: tuple[_Check, ...] = (
    queries.defaults_of_params,
    queries.unused_params,
)


class Readers(Struct, frozen=True):
    """What other layers know, for the checks; without one, its checks are left out."""

    expressions: ExpressionChecker | None = None
    """Says why a `fields` expression does not parse; None if it does."""
    columns_in: ColumnFinder | None = None
    statements: ExpressionChecker | None = None
    """Says why the SQL of a source is not a SELECT; None if it is."""
    header: HeaderReader | None = None
    libraries: LibraryFinder | None = None
    recipients: RecipientFinder | None = None
    exporters: connection.MissingLibrary | None = None
    """What metrics need and is missing."""


def check_meaning(job: PartialJob, readers: Readers) -> list[Diagnostic]:
    """Run every check that the job has something for."""
    found = _run(_ALWAYS, job)
    if job.writes:
        found += _run(_OF_WRITES, job)
        known = columns.KnownColumns(job, readers.header)
        found += known.problems
        found += islice(columns.identity(job, known), _MAX_PROBLEMS_PER_CHECK)
        unknown = columns.unknown_columns(job, known, readers.columns_in)
        found += islice(unknown, _MAX_PROBLEMS_PER_CHECK)
        found += writes.expressions(job, readers.expressions)
        found += writes.statements(job, readers.statements)
    if job.queries:
        found += _run(_OF_QUERIES, job)
    if job.params:
        found += _run(_OF_PARAMS, job)
    if job.notify or (job.connection is not None and job.connection.notify):
        from runner.job.checks.notices import notices  # noqa: PLC0415 - few jobs notify

        found += notices(job, readers.recipients)
    found += connection.libraries_of_metrics(job, readers.exporters)
    return [*found, *endpoints.libraries(job, readers.libraries)]


def _run(checks: Iterable[_Check], job: PartialJob) -> list[Diagnostic]:
    return [each for check in checks for each in islice(check(job), _MAX_PROBLEMS_PER_CHECK)]

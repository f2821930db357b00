"""What a job must mean, beyond what its schema can say.

Each module checks one subject of a `PartialJob`; `check_meaning` runs them all. To add a check,
write a function from a partial job to diagnostics and put it into the table that fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from runner.diagnostics import Diagnostic
from runner.job.checks import connection, endpoints, queries, soql_mistakes, tasks, writes
from runner.job.checks.writes import ExpressionChecker, HeaderReader
from runner.job.partial_job import PartialJob

__all__ = ["ExpressionChecker", "HeaderReader", "check_meaning"]

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
    endpoints.formats,
)
_OF_WRITES: tuple[_Check, ...] = (
    endpoints.sources,
    endpoints.standard_input,
    writes.duplicate_fields,
    writes.options,
    writes.time_zones,
    writes.unknown_params,
)
_OF_QUERIES: tuple[_Check, ...] = (
    queries.syntax,
    soql_mistakes.mistakes,
    queries.children,
    queries.rows,
    queries.unknown_params,
)
_OF_PARAMS: tuple[_Check, ...] = (
    queries.defaults_of_params,
    queries.lists,
    queries.unused_params,
)


def check_meaning(
    job: PartialJob,
    expressions: ExpressionChecker | None,
    statements: ExpressionChecker | None,
    header: HeaderReader | None,
) -> list[Diagnostic]:
    """Run every check that the job has something for."""
    found = _run(_ALWAYS, job)
    if job.writes:
        found += _run(_OF_WRITES, job)
        found += islice(writes.identity(job, header), _MAX_PROBLEMS_PER_CHECK)
        found += writes.expressions(job, expressions)
        found += writes.statements(job, statements)
    if job.queries:
        found += _run(_OF_QUERIES, job)
    if job.params:
        found += _run(_OF_PARAMS, job)
    return found


def _run(checks: Iterable[_Check], job: PartialJob) -> list[Diagnostic]:
    return [each for check in checks for each in islice(check(job), _MAX_PROBLEMS_PER_CHECK)]

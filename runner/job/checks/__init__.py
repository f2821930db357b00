"""What a job must mean, beyond what its schema can say.

Each module finds one sort of problem in a `Draft`; `meaning` runs them all. To add a check, write a
function from a draft to diagnostics and put it in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from runner.diagnostics import Diagnostic
from runner.job.checks import (
    connections,
    fields,
    files,
    names,
    options,
    order,
    path_policy,
    queries,
    shapes,
)
from runner.job.checks.fields import ExpressionChecker
from runner.job.partial_job import Draft

__all__ = ["ExpressionChecker", "meaning"]

_MOST_PROBLEMS = 300
"""Problems of one sort after which looking ends."""

_CHECKS: tuple[Callable[[Draft], Iterator[Diagnostic]], ...] = (
    connections.check,
    names.duplicates,
    names.references,
    order.check,
    files.sources,
    files.targets,
    files.standard_input,
    path_policy.check,
    shapes.check,
    fields.duplicates,
    fields.identity,
    queries.shape,
    queries.children,
    queries.rows,
    queries.kinds_of_rows,
    options.check,
    options.timezones,
)


def meaning(
    draft: Draft,
    values: Mapping[str, Any],
    expressions: ExpressionChecker | None,
    statements: ExpressionChecker | None,
) -> list[Diagnostic]:
    """Run every check; `values` are the job's own, as they were written."""
    found = [each for check in _CHECKS for each in islice(check(draft), _MOST_PROBLEMS)]
    found += queries.defaults_of_params(draft, values.get("params"))
    found += queries.binds(draft, values.get("params"))
    if expressions is not None:
        found += fields.expressions(draft, expressions)
    if statements is not None:
        found += fields.statements(draft, statements)
    return found

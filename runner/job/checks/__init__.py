"""What a job must mean, beyond what its schema can say.

Each module finds one sort of problem in a `Draft`; `meaning` runs them all. To add a check, write a
function from a draft to diagnostics and put it in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.diagnostics import Diagnostic
from runner.job.checks.fields import ExpressionChecker
from runner.job.draft import Draft

__all__ = ["ExpressionChecker", "meaning"]

_CHECKS: tuple[Callable[[Draft], Iterator[Diagnostic]], ...] = ()


def meaning(draft: Draft, expressions: ExpressionChecker | None) -> list[Diagnostic]:
    """Run every check."""
    return [found for check in _CHECKS for found in check(draft)]

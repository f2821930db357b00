"""Rows of a test in place of the source of a task: which columns they have.

Knows which columns a task reads. Knows nothing of how the rows are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.diagnostics import Diagnostic
from runner.job.checks.columns import FUNCTIONS_WITHOUT_PARENTHESES
from runner.job.job_tests import InlineRows, JobTest
from runner.job.partial_job import as_list
from runner.suggest import did_you_mean
from runner.tables.staging.expressions import columns_in

_EXPRESSIONS = ("file", "value")
"""Keys of a field that hold expressions."""
_WORDS = ("record_type", "owner")
"""Keys of a field that hold an expression or a word."""


def columns_of(rows: InlineRows, name: str, tasks: object) -> tuple[str, ...]:
    """Every column that rows in place of a task's source must have; what they leave out is blank.

    Besides their own, those that the task reads, and the tasks that take its rows from it.
    """
    written = [each for each in as_list(tasks) if isinstance(each, Mapping)]
    readers, found = {name}, list(rows.columns)
    for task in written:
        source = task.get("from")
        given = source.get("task") if isinstance(source, Mapping) else None
        if task.get("name") in readers or given in readers:
            readers.add(str(task.get("name")))
            found += [each for each in _columns_of(task) if not each.startswith("sf__")]
    first: dict[str, str] = {}
    for each in found:
        first.setdefault(each.casefold(), each)
    return tuple(
        each
        for folded, each in first.items()
        if each in rows.columns or folded not in FUNCTIONS_WITHOUT_PARENTHESES
    )


def unread_columns(test: JobTest, tasks: object) -> Iterator[Diagnostic]:
    """Columns of rows that no task reads, where the tasks name all that they read."""
    written: Sequence[Mapping[str, Any]] = [
        each for each in as_list(tasks) if isinstance(each, Mapping)
    ]
    readers = [each for each in written if "from" in each]
    if not all("fields" in each or "merge" in each for each in readers):
        return
    if any("sql" in each["from"] for each in readers if isinstance(each["from"], Mapping)):
        return
    known = list(dict.fromkeys(name for each in readers for name in _columns_of(each, words=True)))
    folded = {name.casefold() for name in known}
    for name, rows in test.given.sources.items():
        for at, row in enumerate(rows.rows if isinstance(rows, InlineRows) else ()):
            for column in row:
                if column.casefold() not in folded and isinstance(rows, InlineRows):
                    message = f"no task reads the column {column!r} of {name!r}"
                    hint = did_you_mean(column, known, f"they read {', '.join(known)}")
                    path = (*rows.path, at, column)
                    yield test.origin.diagnose(
                        path, "test/unread-column", message, help=hint, at_key=True
                    )


def _columns_of(task: Mapping[str, Any], *, words: bool = False) -> list[str]:
    """Columns that the expressions of a task name, each once.

    Args:
        task: As written.
        words: Also those of `record_type` and `owner`, whose words may be texts.
    """
    fields = task.get("fields")
    values = [*fields.values()] if isinstance(fields, Mapping) else []
    keys = (*_EXPRESSIONS, *_WORDS) if words else _EXPRESSIONS
    values += [each.get(key) for each in [*values] if isinstance(each, Mapping) for key in keys]
    values += [task.get("master"), *as_list(task.get("losers"))]
    values += [text for each in [*values] if isinstance(each, list) for text in each]
    found: dict[str, str] = {}
    for text in values:
        for name in columns_in(text) if isinstance(text, str) else ():
            found.setdefault(name.casefold(), name)
    return list(found.values())

"""Fields of a write: expressions parse, and what says which record a row is is among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from runner.diagnostics import Diagnostic
from runner.job.endpoints import FileFormat, FileSource, SqlSource, TaskSource
from runner.job.header import header_of
from runner.job.model import Verb, WriteTask
from runner.job.partial_job import Draft, task_path, written_files
from runner.job.soql import selected
from runner.job.sql_binds import for_duckdb
from runner.suggest import did_you_mean, in_words

ExpressionChecker = Callable[[str], str | None]
"""Why an expression does not parse; None where it does."""

_BY_ID = {Verb.UPDATE, Verb.DELETE}


def expressions(draft: Draft, checker: ExpressionChecker) -> Iterator[Diagnostic]:
    """Expressions that do not parse."""
    for task in draft.writes:
        for mapping in task.fields or ():
            reason = checker(mapping.expression)
            if reason is not None:
                path = task_path(task, "fields", mapping.field)
                message = f"`{mapping.field}` is no SQL expression: {reason}"
                hint = "a column stands by its name, a fixed text as \"'Retail'\""
                yield draft.origin.diagnose(path, "job/bad-expression", message, help=hint)


def statements(draft: Draft, checker: ExpressionChecker) -> Iterator[Diagnostic]:
    """SQL of sources that is no single SELECT."""
    for task in draft.writes:
        source = task.source
        reason = checker(for_duckdb(source.sql)) if isinstance(source, SqlSource) else None
        if reason is not None:
            message = f"`sql` is no SELECT: {reason}"
            hint = "write one SELECT over the names in `tables`"
            path = task_path(task, "from", "sql")
            yield draft.origin.diagnose(path, "job/bad-sql", message, help=hint)


def duplicates(draft: Draft) -> Iterator[Diagnostic]:
    """Fields that differ only in case: Salesforce knows no case in names."""
    for task in draft.writes:
        seen: dict[str, str] = {}
        for mapping in task.fields or ():
            first = seen.setdefault(mapping.field.casefold(), mapping.field)
            if first != mapping.field:
                path = task_path(task, "fields", mapping.field)
                message = f"`{mapping.field}` and `{first}` are the same field"
                code = "job/duplicate-field"
                hint = "keep one of the two"
                yield draft.origin.diagnose(path, code, message, help=hint, at_key=True)


def identity(draft: Draft) -> Iterator[Diagnostic]:
    """Upserts without a value for their key, updates and deletes without one for Id."""
    written = written_files(draft)
    queries = {query.name: query.soql for query in draft.queries}
    for task in draft.writes:
        if isinstance(task.source, FileSource) and task.source.path in written and not task.fields:
            continue  # its columns are not there to be seen yet
        wanted = "Id" if task.verb in _BY_ID else task.key
        columns = _columns(task, queries)
        if wanted and columns and wanted.casefold() not in {each.casefold() for each in columns}:
            yield _missing(task, wanted, columns, draft)


def _columns(task: WriteTask, queries: Mapping[str, str]) -> tuple[str, ...] | None:
    """Names of the fields that a write sends, as far as they can be seen."""
    if task.fields is not None:
        return tuple(mapping.field for mapping in task.fields)
    if isinstance(task.source, FileSource) and task.source.shape.format is FileFormat.CSV:
        return header_of(task.source)
    if isinstance(task.source, TaskSource):
        return selected(queries.get(task.source.task, ""))
    return None


def _missing(task: WriteTask, wanted: str, columns: tuple[str, ...], draft: Draft) -> Diagnostic:
    what = (
        f"the key `{wanted}`" if task.key else f"`Id`, by which records are found to {task.verb},"
    )
    has = f"it has {in_words(columns, 'and')}"
    if task.fields is not None:
        message = f"{what} is not among the `fields`"
        path = task_path(task, "key" if task.key else "fields")
        hint = did_you_mean(wanted, columns, f"add `{wanted}: <column>` to `fields`")
        return draft.origin.diagnose(
            path, "job/key-not-mapped", message, help=hint, at_key=task.key is None
        )
    message = f"{what} is no column of the source"
    hint = did_you_mean(wanted, columns, f"{has}; map one with `fields`")
    return draft.origin.diagnose(
        task_path(task, "from"), "job/key-not-in-header", message, help=hint
    )

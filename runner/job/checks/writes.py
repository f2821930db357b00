"""Writes: their fields and SQL parse, and their options go together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from runner.diagnostics import Diagnostic, Location, Severity
from runner.job import binds
from runner.job.checks.queries import unknown_binds
from runner.job.endpoints import DatabaseSource, SqlSource
from runner.job.model import Api, WriteTask
from runner.job.partial_job import PartialJob, option_path, task_path
from runner.suggest import did_you_mean, in_words

ExpressionChecker = Callable[[str], str | None]
"""Why an expression does not parse; None if it does."""

_NAME_WITH_SIGNS = re.compile(r"(?!(?i:select)\b)[^\W\d]\w*(?:[ .:#/&%-]+\w*)+")


def expressions(job: PartialJob, checker: ExpressionChecker | None) -> Iterator[Diagnostic]:
    """Expressions that do not parse."""
    if checker is None:
        return
    for task in job.writes:
        for location, expression, mapping in task.expressions:
            reason = checker(expression)
            if reason is not None:
                path = task_path(task, *location)
                message = f"`{mapping.field}` is not a valid SQL expression: {reason}"
                hint = _expression_hint(expression)
                yield job.origin.diagnose(path, "job/bad-expression", message, help=hint)


def _expression_hint(expression: str) -> str:
    column = "a column by its name"
    if _NAME_WITH_SIGNS.fullmatch(expression.strip()):
        column = f"a column with spaces or special characters as '\"{expression.strip()}\"'"
    return f"write {column}, fixed text as \"'Retail'\""


def lookups(job: PartialJob) -> Iterator[Diagnostic]:
    """Lookups that have not one value for each field."""
    for task in job.writes:
        for each in task.fields or ():
            if each.lookup is None or each.lookup.word != "lookup":
                continue
            by, values = each.lookup.places[0].by, each.lookup.values
            if len(by) != len(values):
                path = task_path(task, "fields", each.field, "value")
                message = f"`{each.field}` is looked up by {in_words(by, 'and')}, but "
                message += f"`value` has {len(values)} of these {len(by)} values"
                hint = "write one expression for each field in `by`"
                if len(values) > len(by):
                    message = f"`value` has {len(values)} values for {in_words(by, 'and')}"
                yield job.origin.diagnose(path, "job/lookup-values", message, help=hint)


def statements(job: PartialJob, checker: ExpressionChecker | None) -> Iterator[Diagnostic]:
    """SQL of sources that is not a single SELECT."""
    if checker is None:
        return
    for task in job.writes:
        source = task.source
        reason = checker(binds.for_duckdb(source.sql)) if isinstance(source, SqlSource) else None
        if reason is not None:
            message = f"`sql` is not a valid SELECT: {reason}"
            hint = "write one SELECT from the names in `tables`"
            path = task_path(task, "from", "sql")
            yield job.origin.diagnose(path, "job/bad-sql", message, help=hint)


def unknown_params(job: PartialJob) -> Iterator[Diagnostic]:
    """Binds in the SQL of a source that have no param."""
    for task in job.writes:
        if isinstance(task.source, DatabaseSource | SqlSource):
            sql = task.source.sql
            yield from unknown_binds(task_path(task, "from", "sql"), sql, binds.sql_names(sql), job)


def duplicate_fields(job: PartialJob) -> Iterator[Diagnostic]:
    """Fields that differ only in case, which Salesforce ignores in names."""
    for task in job.writes:
        seen: dict[str, str] = {}
        for mapping in task.fields or ():
            first = seen.setdefault(mapping.field.casefold(), mapping.field)
            if first != mapping.field:
                path = task_path(task, "fields", mapping.field)
                message = f"`{mapping.field}` and `{first}` are the same field"
                code = "job/duplicate-field"
                hint = "keep one of them"
                yield job.origin.diagnose(path, code, message, help=hint, at_key=True)


def options(job: PartialJob) -> Iterator[Diagnostic]:
    """Options that REST API or Bulk API 2.0 cannot combine."""
    for task in job.writes:
        for key in ("headers", "unknown_columns"):
            path = task_path(task, key)
            if task.fields is not None and path in job.origin.positions:
                message = f"`{key}` does not apply with `fields`"
                yield job.origin.diagnose(
                    path, "job/contradiction", message, help="remove one of them", at_key=True
                )
        for key, message, hint in _contradictions(task):
            path = option_path(job, task, key)
            yield job.origin.diagnose(path, "job/contradiction", message, help=hint)
        for path, message in _without_effect(task, job):
            yield job.origin.diagnose(
                path, "job/no-effect", message, help="remove it", severity=Severity.WARNING
            )


def _contradictions(task: WriteTask) -> Iterator[tuple[str, str, str]]:
    if task.all_or_none and task.api is Api.BULK:
        message = "Bulk API 2.0 does not support all-or-none"
        yield "all_or_none", message, "remove it, or write `api: rest`"
    if task.hard and task.api is Api.REST:
        yield "hard", "REST API does not support hard deletes", "remove it, or write `api: bulk`"
    if task.hard and task.all_or_none:
        message = "a hard delete uses Bulk API 2.0, which does not support all-or-none"
        yield "all_or_none", message, "remove one of them"


def _without_effect(task: WriteTask, job: PartialJob) -> Iterator[tuple[Location, str]]:
    if task.batch_size is not None and task.api is Api.BULK:
        message = "`batch_size` is for REST; Bulk API 2.0 sizes its batches itself"
        yield option_path(job, task, "batch_size"), message
    path = task_path(task, "undo")
    if task.undo and task.hard and path in job.origin.positions:
        yield path, "a hard delete skips the recycle bin and cannot be undone"


def time_zones(job: PartialJob) -> Iterator[Diagnostic]:
    """Time zones that do not exist."""
    for task in job.writes:
        if not _is_zone(task.timezone):
            from zoneinfo import available_timezones  # noqa: PLC0415 - late, as below

            message = f"there is no time zone `{task.timezone}`"
            hint = did_you_mean(
                task.timezone, sorted(available_timezones()), "use a name such as Europe/Berlin"
            )
            path = option_path(job, task, "timezone")
            yield job.origin.diagnose(path, "job/unknown-timezone", message, help=hint)


def _is_zone(name: str) -> bool:
    if name == "UTC":
        return True
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few jobs name a zone

    try:
        ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        return False
    return True

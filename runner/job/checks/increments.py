"""Incremental queries: each row is one record with its Id and its stamp, and the target keeps rows.

Knows what a query selects and where its rows go. Knows nothing of what fields there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.diagnostics import Diagnostic
from runner.job import soql
from runner.job.endpoints import STANDARD_STREAM, FileTarget, TableMode, why_not_compared
from runner.job.model import QueryTask
from runner.job.partial_job import PartialJob, option_path, task_path
from runner.job.text_position import narrowed
from runner.soql.syntax import Query

_OPTIONS = ("overlap", "lag", "refresh", "reconcile")
_DELETIONS_MOVE = "systemmodstamp"
"""The only field that a deletion moves too."""


def increments(job: PartialJob) -> Iterator[Diagnostic]:
    """Queries with `since` that would lose rows, or have no rows to recognise."""
    for task in job.queries:
        if task.since is None:
            yield from _without_since(task, job)
            continue
        query = soql.parsed(task.soql)
        if query is not None:
            yield from _of_query(task, query, job)
        yield from _of_target(task, job)


def _without_since(task: QueryTask, job: PartialJob) -> Iterator[Diagnostic]:
    for key in _OPTIONS:
        path = task_path(task, key)
        if path in job.origin.positions:
            message = f"`{key}` has no effect without `since`"
            hint = "add `since: SystemModstamp`, or remove it"
            yield job.origin.diagnose(path, "job/contradiction", message, help=hint, at_key=True)


def _of_query(task: QueryTask, query: Query, job: PartialJob) -> Iterator[Diagnostic]:
    path = task_path(task, "query")
    selected = soql.selection(task.soql)
    if selected.is_grouped:
        message = "with `since`, each row has to be a record: the query groups or counts"
        yield job.origin.diagnose(path, "job/since-groups", message, help="remove `since`")
        return
    for clause in query.clauses:
        if clause.name in {"LIMIT", "OFFSET"}:
            message = f"{clause.name} would leave out records that no later extract brings"
            found = job.origin.diagnose(
                path, "job/since-limit", message, help=f"remove {clause.name}, or `since`"
            )
            yield narrowed(found, job.origin, task.soql, clause.at, clause.end)
    if task.children:
        message = "`since` and `children` do not go together: children change without their parent"
        hint = "query the children in a task of their own"
        at = option_path(job, task, "children")
        yield job.origin.diagnose(at, "job/contradiction", message, help=hint)
    if not selected.is_open:
        yield from _missing(task, selected, job)


def _missing(task: QueryTask, selected: soql.Selection, job: PartialJob) -> Iterator[Diagnostic]:
    """Fields that an incremental extract needs, and the query does not select."""
    since = task.since.field if task.since else ""
    columns = {item.column.lower() for item in selected.items if item.column == item.path}
    why: Mapping[str, str] = {
        "Id": "rows are recognised by it",
        since: "rows are recognised by it",
        **({"IsDeleted": "it marks deleted records"} if task.deleted else {}),
    }
    for field, reason in why.items():
        if field.lower() not in columns:
            message = f"the query has to select `{field}`: {reason}"
            yield job.origin.diagnose(
                task_path(task, "query"), "job/since-needs-field", message,
                help=f"add `{field}` to its SELECT, without an alias",
            )  # fmt: skip
    if task.deleted and since.lower() != _DELETIONS_MOVE:
        message = f"a deletion does not move `{since}`, so `deleted` would miss it"
        hint = "write `since: SystemModstamp`"
        at = task_path(task, "since")
        yield job.origin.diagnose(at, "job/contradiction", message, help=hint)


def _of_target(task: QueryTask, job: PartialJob) -> Iterator[Diagnostic]:
    target, since = task.target, task_path(task, "since")
    if target is None:
        message = "with `since`, the rows need a target that keeps those of earlier extracts"
        hint = "add `to` with `mode: append` or `mode: merge`"
        yield job.origin.diagnose(since, "job/since-replaces", message, help=hint)
        return
    at = task_path(task, "to")
    if isinstance(target, FileTarget) and target.path == STANDARD_STREAM:
        message = "standard output cannot be the target of an incremental query: it keeps no rows"
        hint = "write to a file or a table"
        yield job.origin.diagnose(at, "job/since-replaces", message, help=hint)
        return
    mode = getattr(target, "mode", TableMode.REPLACE)
    if mode is TableMode.REPLACE:
        message = "the target is replaced, so only the last changes would be left in it"
        hint = "add `mode: append` or `mode: merge` to `to`, or remove `since`"
        yield job.origin.diagnose(at, "job/since-replaces", message, help=hint)
    elif mode is TableMode.APPEND and task.since and task.since.refresh_seconds is not None:
        message = "`refresh` would append every record again"
        at = task_path(task, "refresh")
        hint = "write `mode: merge` in `to`, or remove `refresh`"
        yield job.origin.diagnose(at, "job/contradiction", message, help=hint, at_key=True)
    if mode is not TableMode.REPLACE and task.since and task.since.reconcile:
        reason = why_not_compared(target)
        if reason:
            at = task_path(task, "reconcile")
            message = f"`reconcile` cannot compare this target with the org: {reason}"
            hint = "write `mode: merge` and `key: Id` in `to`, or remove `reconcile`"
            yield job.origin.diagnose(at, "job/contradiction", message, help=hint, at_key=True)

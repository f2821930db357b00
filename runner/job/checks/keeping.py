"""Targets that keep their rows: `mode`, `key`, `deletes` and `schema` fit the target and the query.

Knows targets and the columns of queries. Knows nothing of the rows that a target has.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Location
from runner.job import soql
from runner.job.endpoints import (
    STANDARD_STREAM,
    DatabaseTarget,
    FileFormat,
    FileTarget,
    FolderTarget,
    TableMode,
    Target,
)
from runner.job.model import QueryTask
from runner.job.partial_job import PartialJob, query_targets, task_path
from runner.suggest import did_you_mean

_FILES = (FileFormat.CSV, FileFormat.JSONL, FileFormat.PARQUET)
IS_DELETED = "isdeleted"


def keeping(job: PartialJob) -> Iterator[Diagnostic]:
    """Every problem of targets that keep their rows."""
    for task in job.queries:
        for path, target in query_targets(task):
            reason = _only_replaced(target)
            if target.mode is not TableMode.REPLACE and reason:
                message = f"`mode: {target.mode}` cannot be used here: {reason}"
                hint = "write to a table, or to a CSV, JSON Lines or Parquet file, or remove `mode`"
                at = (*path, "mode")
                yield job.origin.diagnose(at, "job/only-replaced", message, help=hint)
            yield from _unused(task, target, path, job)
            if target.mode is TableMode.MERGE:
                yield from _merge(task, target, path, job)


def _only_replaced(target: Target) -> str:
    """Why rows cannot be added to a target; empty if they can."""
    if isinstance(target, DatabaseTarget):
        return ""
    if isinstance(target, FileTarget) and target.url is not None:
        return "a file at a URL can only be replaced"
    if target.path == STANDARD_STREAM:
        return "standard output keeps no rows"
    if isinstance(target, FolderTarget):
        keeps = target.shape.format in (FileFormat.PARQUET, FileFormat.DELTA)
        return "" if keeps else "only a Delta table or a folder of Parquet files keeps its rows"
    return "" if target.shape.format in _FILES else "a file of this format can only be replaced"


def _unused(
    task: QueryTask, target: Target, path: Location, job: PartialJob
) -> Iterator[Diagnostic]:
    reasons = {
        "key": "" if target.mode is TableMode.MERGE else "rows are only matched by `mode: merge`",
        "schema": ""
        if target.mode is not TableMode.REPLACE
        else "a target that is replaced gets the columns of the query",
        "deletes": _without_deletes(task, target, path),
    }
    for key, reason in reasons.items():
        at = (*path, key)
        if reason and at in job.origin.positions:
            message = f"`{key}` has no effect: {reason}"
            hint = "add `deleted: true` to the task" if "deleted" in reason else "remove it"
            yield job.origin.diagnose(at, "job/unused-key", message, help=hint, at_key=True)


def _without_deletes(task: QueryTask, target: Target, path: Location) -> str:
    if target.mode is not TableMode.MERGE:
        return "rows are only removed by `mode: merge`"
    if path != task_path(task, "to"):
        return "children are never removed"
    return "" if task.deleted else "the query finds no deleted records"


def _merge(
    task: QueryTask, target: Target, path: Location, job: PartialJob
) -> Iterator[Diagnostic]:
    key = target.keeping.key
    if key is None:
        at = (*path, "mode")
        message = "`mode: merge` needs a `key`"
        hint = "name the column that identifies rows: key: Id"
        if (*path, "key") not in job.origin.positions:
            yield job.origin.diagnose(at, "job/no-key", message, help=hint)
        return
    columns = _columns(task, path)
    if columns is None:
        return
    known = {each.lower() for each in columns}
    if key.lower() not in known:
        message = f"the query has no column `{key}`"
        near = did_you_mean(key, columns, f"add {key} to its SELECT")
        yield job.origin.diagnose((*path, "key"), "job/unknown-key-column", message, help=near)
    if target.keeping.deletes is not None and IS_DELETED not in known:
        message = "the query does not select IsDeleted, which marks deleted records"
        hint = "add IsDeleted to its SELECT, or remove `deleted`"
        at = task_path(task, "query")
        yield job.origin.diagnose(at, "job/no-is-deleted", message, help=hint)


def _columns(task: QueryTask, path: Location) -> list[str] | None:
    """The columns of a target's rows; None if only the org knows them."""
    selected = soql.selection(task.soql)
    if path == task_path(task, "to"):
        return None if selected.is_open else [each.column for each in selected.items]
    return None

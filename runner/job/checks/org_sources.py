"""Another org as the source: its query can run before its write, and its rows mean something here.

Knows what a query selects. Knows nothing of what fields there are.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity
from runner.job import soql
from runner.job.order import prerequisites
from runner.job.partial_job import PartialJob, task_path
from runner.job.source_query import SourceQuery
from runner.suggest import did_you_mean

_ID = "id"
_OF_PARENTS = "Account.ERP_Id__c"


def org_sources(job: PartialJob) -> Iterator[Diagnostic]:
    """Queries that would run although their write does not, and Ids that are not of this org."""
    in_order = prerequisites(job.tasks)
    writes = {task.name: task for task in job.writes}
    for task in job.queries:
        if not isinstance(task, SourceQuery):
            continue
        if task.write not in in_order:
            message = f"`{task.write}` runs only when another task fails, so its query has no place"
            hint = "read a file or the rows of another task"
            at = task_path(task, "query")
            yield job.origin.diagnose(at, "job/source-of-answer", message, help=hint)
        write = writes.get(task.write)
        if write is not None and write.fields is None:
            yield from _ids(task, job)


def masks(job: PartialJob) -> Iterator[Diagnostic]:
    """Masks of columns that the query does not select, and a key that is missing or needless."""
    for task in job.queries:
        if not isinstance(task, SourceQuery):
            continue
        selected = soql.selection(task.soql)
        known = [item.column for item in selected.items]
        for mask in task.masks.columns:
            is_known = mask.column.lower() in {name.lower() for name in known}
            if not is_known and not selected.is_open and soql.parsed(task.soql) is not None:
                message = f"the query does not select `{mask.column}`"
                hint = did_you_mean(mask.column, known, "select it, or remove its mask")
                path = task_path(task, "mask", mask.column)
                yield job.origin.diagnose(path, "job/unknown-mask", message, help=hint, at_key=True)
        if task.masks.needs_key and task.masks.key is None:
            message = "`hash` and `fake` need a `mask_key`"
            hint = "add `mask_key: {env: MASK_KEY}`, with a key from `openssl rand -hex 32`"
            path = task_path(task, "mask")
            yield job.origin.diagnose(path, "job/no-mask-key", message, help=hint, at_key=True)
        elif task.masks.key is not None and not task.masks.needs_key:
            message = "`mask_key` has no effect without a `hash` or a `fake`"
            path = task_path(task, "mask_key")
            yield job.origin.diagnose(
                path, "job/no-effect", message, help="remove it", severity=Severity.WARNING,
                at_key=True,
            )  # fmt: skip


def _ids(task: SourceQuery, job: PartialJob) -> Iterator[Diagnostic]:
    """Ids of parents: the other org's."""
    for item in soql.selection(task.soql).items:
        name = item.path or ""
        if name.lower().endswith(_ID) and name.lower() != _ID and "." not in name:
            message = f"`{name}` has Ids of the other org, which this org does not know"
            hint = f"select the parent by its external Id, such as {_OF_PARENTS}"
            yield job.origin.diagnose(
                task_path(task, "query"), "job/source-ids", message, help=hint,
                severity=Severity.WARNING,
            )  # fmt: skip

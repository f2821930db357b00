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

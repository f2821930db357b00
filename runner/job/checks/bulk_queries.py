"""Queries of `api: bulk` with what Bulk API 2.0 does not run.

Source: Bulk API 2.0 developer guide, "Understanding Bulk API 2.0 Query". Knows the parts of a
query. What only the org knows, such as compound fields of custom types, it refuses itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.diagnostics import Diagnostic
from runner.job import soql
from runner.job.model import Api
from runner.job.partial_job import PartialJob, option_path, task_path
from runner.job.text_position import narrowed
from runner.soql.syntax import Call, FieldItem, Path, Query, TypeofItem

_GROUPS = "GROUP BY and aggregates such as COUNT()"
_CLAUSES = {"GROUP BY": _GROUPS, "OFFSET": "OFFSET"}
_OPEN = "FIELDS(ALL) and FIELDS(CUSTOM)"
_ADDRESSES = frozenset({"billingaddress", "shippingaddress", "mailingaddress", "otheraddress"})
_ADDRESS = "addresses as a whole"
_PARTS = "select their parts, such as BillingCity, or remove `api: bulk`"
_REMOVE = "remove it, or `api: bulk`"


def bulk_queries(job: PartialJob) -> Iterator[Diagnostic]:
    """Subqueries and clauses that Bulk API 2.0 refuses."""
    for task in job.queries:
        query = soql.parsed(task.soql)
        if task.api is not Api.BULK or query is None:
            continue
        if soql.selection(task.soql).child_relationships:
            message = "Bulk API 2.0 does not support subqueries"
            path = option_path(job, task, "api")
            hint = "remove `api`, or query the children in a task of their own"
            yield job.origin.diagnose(path, "job/contradiction", message, help=hint)
        told: set[str] = set()
        for what, at, end in _unsupported(query, task.soql):
            if what not in told:
                told.add(what)
                message = f"Bulk API 2.0 does not support {what}"
                hint = _PARTS if what is _ADDRESS else _REMOVE
                path = task_path(task, "query")
                found = job.origin.diagnose(path, "job/contradiction", message, help=hint)
                yield narrowed(found, job.origin, task.soql, at, end)


def _unsupported(query: Query, text: str) -> Iterator[tuple[str, int, int]]:
    """Each thing, with the first and last character to point at."""
    for item in query.items:
        match item:
            case TypeofItem(relationship, at=at):
                yield "TYPEOF", at, relationship.at + len(str(relationship))
            case FieldItem(Path(names, at) as path) if names[-1].lower() in _ADDRESSES:
                yield _ADDRESS, at, at + len(str(path))
            case FieldItem(Call(at=at)):
                what = _of_function(item)
                if what is not None:
                    yield what, at, text.index(")", at) + 1
    for clause in query.clauses:
        if clause.name in _CLAUSES:
            yield _CLAUSES[clause.name], clause.at, clause.end


def _of_function(item: FieldItem) -> str | None:
    functions, argument = soql.functions_of(item)
    if functions == ("fields",):
        return None if str(argument).lower() == "standard" else _OPEN
    return _GROUPS if soql.AGGREGATES & set(functions) else None

"""Queries of `api: bulk` with what Bulk API 2.0 does not run.

Source: Bulk API 2.0 developer guide, "Understanding Bulk API 2.0 Query". Knows the clauses. What
only the org knows, such as compound fields of custom types, it refuses itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic
from runner.job import soql
from runner.job.model import Api
from runner.job.partial_job import PartialJob, option_path, task_path
from runner.job.text_position import narrowed

_REMOVE = "remove it, or `api: bulk`"
_UNSUPPORTED = tuple(
    (re.compile(pattern, re.IGNORECASE), what, hint)
    for pattern, what, hint in (
        (
            rf"\bGROUP\s+BY\b|\b({'|'.join(sorted(soql.AGGREGATES))})\s*\([^()]*\)",
            "GROUP BY and aggregates such as COUNT()",
            _REMOVE,
        ),
        (r"\bTYPEOF\s+\w+", "TYPEOF", _REMOVE),
        (r"\bFIELDS\s*\(\s*(ALL|CUSTOM)\s*\)", "FIELDS(ALL) and FIELDS(CUSTOM)", _REMOVE),
        (r"\bOFFSET\s+(\d+|:\w+)", "OFFSET", _REMOVE),
        (
            r"\b(Billing|Shipping|Mailing|Other)Address\b",
            "addresses as a whole",
            "select their parts, such as BillingCity, or remove `api: bulk`",
        ),
    )
)


def bulk_queries(job: PartialJob) -> Iterator[Diagnostic]:
    """Subqueries and clauses that Bulk API 2.0 refuses."""
    for task in job.queries:
        if task.api is not Api.BULK:
            continue
        if soql.selection(task.soql).child_relationships:
            message = "Bulk API 2.0 does not support subqueries"
            path = option_path(job, task, "api")
            hint = "remove `api`, or query the children in a task of their own"
            yield job.origin.diagnose(path, "job/contradiction", message, help=hint)
        for pattern, what, hint in _UNSUPPORTED:
            at = pattern.search(soql.masked(task.soql))
            if at is not None:
                message = f"Bulk API 2.0 does not support {what}"
                path = task_path(task, "query")
                found = job.origin.diagnose(path, "job/contradiction", message, help=hint)
                yield narrowed(found, job.origin, task.soql, at.start(), at.end())

"""Scopes: the condition that restricts which records a write is compared with.

Knows that a scope is what follows WHERE in a query. Knows nothing of objects and fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic
from runner.job import binds, soql
from runner.job.checks.queries import mistakes_in, unknown_binds
from runner.job.checks.soql_messages import GENERAL, syntax_problem
from runner.job.model import WriteTask
from runner.job.partial_job import PartialJob, task_path
from runner.job.text_position import narrowed

_NO_CONDITION = re.compile(r"\s*(SELECT|FROM|WHERE)\b", re.IGNORECASE)
_CONDITION = "write only the condition, as after WHERE in a query: field = value"
_CODE = "job/bad-scope"


def scopes(job: PartialJob) -> Iterator[Diagnostic]:
    """Scopes that are no condition, and their binds that have no param."""
    for task in job.writes:
        if task.scope is not None:
            yield from _problems(task, task.scope, job)


def _problems(task: WriteTask, scope: str, job: PartialJob) -> Iterator[Diagnostic]:
    path = task_path(task, "scope")

    def pointed(message: str, hint: str, start: int, end: int) -> Diagnostic:
        found = job.origin.diagnose(path, _CODE, message, help=hint)
        return narrowed(found, job.origin, scope, max(start, 0), min(max(end, 1), len(scope)))

    begins = _NO_CONDITION.match(scope)
    if begins:
        message = f"a scope is a condition, and does not begin with {begins[1].upper()}"
        yield pointed(message, _CONDITION, begins.start(1), begins.end(1))
        return
    if soql.has_open_literal(scope):
        hint = "close it; write a quote inside text as \\'"
        yield job.origin.diagnose(path, _CODE, "a quote in the scope is never closed", help=hint)
        return
    found = [pointed(message, hint, *at) for message, hint, *at in mistakes_in(scope)]
    if found:
        yield from found
        return
    query = f"SELECT Id FROM {task.sobject} WHERE {scope}"  # noqa: S608 - only parsed
    before = len(query) - len(scope)
    error = soql.syntax_error(query)
    parsed = soql.parsed(query)
    if error is not None:
        message, hint, start, end = syntax_problem(query, error)
        message = message.replace("the query ends", "the scope ends")
        hint = _CONDITION if hint == GENERAL else hint
        yield pointed(message, hint, start - before, end - before)
    elif parsed is not None and parsed.clauses:
        clause = parsed.clauses[0].name
        at = re.search(clause.replace(" ", r"\s+"), soql.masked(scope), re.IGNORECASE)
        message = f"a scope is only a condition, without {clause}"
        yield pointed(message, _CONDITION, *(at.span() if at else (0, len(scope))))
    yield from unknown_binds(path, scope, binds.names(scope), job)

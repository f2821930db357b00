"""Conditions in SOQL: the scope of a write, and what restricts the records of a lookup.

Knows that a condition is what follows WHERE in a query. Knows nothing of objects and fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Location
from runner.job import binds, soql
from runner.job.checks.queries import mistakes_in, unknown_binds
from runner.job.checks.soql_messages import GENERAL, syntax_problem
from runner.job.partial_job import PartialJob, task_path
from runner.job.text_position import narrowed

_NO_CONDITION = re.compile(r"\s*(SELECT|FROM|WHERE)\b", re.IGNORECASE)
_CONDITION = "write only the condition, as after WHERE in a query: field = value"


def scopes(job: PartialJob) -> Iterator[Diagnostic]:
    """Conditions that are none, and their binds that have no param."""
    for task in job.writes:
        if task.scope is not None:
            yield from _problems(task_path(task, "scope"), task.sobject, task.scope, job)
        for each in task.fields or ():
            if each.lookup and each.lookup.word == "lookup" and each.lookup.places[0].where:
                path = task_path(task, "fields", each.field, "where")
                place = each.lookup.places[0]
                yield from _problems(path, place.sobject, place.where, job)


def _problems(path: Location, sobject: str, text: str, job: PartialJob) -> Iterator[Diagnostic]:
    """What is wrong with a condition on records of an object."""
    noun = f"`{path[-1]}`"
    code = "job/bad-scope" if path[-1] == "scope" else "job/bad-where"

    def pointed(message: str, hint: str, start: int, end: int) -> Diagnostic:
        found = job.origin.diagnose(path, code, message, help=hint)
        return narrowed(found, job.origin, text, max(start, 0), min(max(end, 1), len(text)))

    begins = _NO_CONDITION.match(text)
    if begins:
        message = f"{noun} is a condition, and does not begin with {begins[1].upper()}"
        yield pointed(message, _CONDITION, begins.start(1), begins.end(1))
        return
    if soql.has_open_literal(text):
        hint = "close it; write a quote inside text as \\'"
        yield job.origin.diagnose(path, code, f"a quote in {noun} is never closed", help=hint)
        return
    found = [pointed(message, hint, *at) for message, hint, *at in mistakes_in(text)]
    if found:
        yield from found
        return
    query = f"SELECT Id FROM {sobject} WHERE {text}"  # noqa: S608 - only parsed
    before = len(query) - len(text)
    error = soql.syntax_error(query)
    parsed = soql.parsed(query)
    if error is not None:
        message, hint, start, end = syntax_problem(query, error)
        message = message.replace("the query ends", f"{noun} ends")
        hint = _CONDITION if hint == GENERAL else hint
        yield pointed(message, hint, start - before, end - before)
    elif parsed is not None and parsed.clauses:
        clause = parsed.clauses[0].name
        at = re.search(clause.replace(" ", r"\s+"), soql.masked(text), re.IGNORECASE)
        message = f"{noun} is only a condition, without {clause}"
        yield pointed(message, _CONDITION, *(at.span() if at else (0, len(text))))
    yield from unknown_binds(path, text, binds.names(text), job)

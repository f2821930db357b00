"""Queries: they read as SOQL, their binds have params, their rows go somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from runner.diagnostics import Diagnostic, Location, Position, Severity
from runner.job import soql, sql_binds
from runner.job.binds import names
from runner.job.endpoints import DatabaseSource, SqlSource, TaskRows
from runner.job.model import Api, Verb
from runner.job.params import EXPECTED, declared_default
from runner.job.partial_job import Draft, as_mapping, option_path, source_tasks, task_path
from runner.suggest import did_you_mean, in_words


def shape(draft: Draft) -> Iterator[Diagnostic]:
    """Queries that cannot be SOQL."""
    for task in draft.queries:
        problem = _problem(task.soql)
        if problem:
            code, message, hint = problem
            path = task_path(task, "query")
            yield draft.origin.diagnose(path, code, message, help=hint)


def _problem(text: str) -> tuple[str, str, str] | None:
    if not soql.is_select(text):
        return "job/not-soql", "a query begins with SELECT", "write SELECT fields FROM object"
    if soql.has_open_literal(text):
        hint = "close it; a quote in a text is written \\'"
        return "job/soql-quote", "a quote in the query is never closed", hint
    if soql.from_object(text) is None:
        return "job/no-from", "the query names no object", "write FROM and the object's API name"
    return None


def children(draft: Draft) -> Iterator[Diagnostic]:
    """Tables of children that the query does not select, or that Bulk does not carry."""
    for task in draft.queries:
        selected = soql.child_lists(task.soql)
        known = {name.lower() for name in selected}
        for each in task.children:
            if each.relationship.lower() not in known:
                message = f"the query selects no list of children `{each.relationship}`"
                wanted = f"write a SELECT from {each.relationship} in parentheses into the query"
                yield draft.origin.diagnose(
                    task_path(task, "children", each.relationship),
                    "job/unknown-children",
                    message,
                    help=did_you_mean(each.relationship, list(selected), wanted),
                    at_key=True,
                )
        if selected and task.api is Api.BULK:
            message = "Bulk API 2.0 carries no lists of children"
            path = option_path(draft, task, "api")
            hint = "leave `api` out, or write a query of its own for the children"
            yield draft.origin.diagnose(path, "job/contradiction", message, help=hint)


def rows(draft: Draft) -> Iterator[Diagnostic]:
    """Rows that nobody takes, and rows that there are none of."""
    taken = {each.task for task in draft.writes for _, each in source_tasks(task)}
    for task in draft.queries:
        used = bool(task.targets) or task.name in taken
        path = task_path(task, "query")
        if soql.is_count(task.soql) and used:
            message = "SELECT COUNT() answers a number and gives no rows"
            hint = "write SELECT COUNT(Id) total FROM …"
            yield draft.origin.diagnose(path, "job/query-without-rows", message, help=hint)
        elif not used and draft.is_clean and taken <= set(draft.names):
            message = f"nobody takes the rows of `{task.name}`"
            hint = (
                f"write them to a file with `to`, or read them with `from: {{task: {task.name}}}`"
            )
            code = "job/unused-rows"
            yield draft.origin.diagnose(
                path, code, message, help=hint, severity=Severity.WARNING, at_key=True
            )


def kinds_of_rows(draft: Draft) -> Iterator[Diagnostic]:
    """Rows of a kind that the other task does not have."""
    verbs = {task.name: task.verb for task in draft.tasks}
    takers = (found for task in draft.writes for found in source_tasks(task))
    for where, source in takers:
        if source.rows is None:
            continue
        verb = verbs.get(source.task)
        is_query = verb is Verb.QUERY
        if verb is None or is_query == (source.rows is TaskRows.RECORDS):
            continue
        has = ["records"] if is_query else ["succeeded", "failed", "unprocessed"]
        what = "a query" if is_query else "a write"
        message = f"`{source.task}` is {what} and has no `{source.rows}` rows"
        path = (*where, "rows")
        hint = f"it has {in_words(has)}"
        yield draft.origin.diagnose(path, "job/wrong-rows", message, help=hint)


def defaults_of_params(draft: Draft, declared: object) -> Iterator[Diagnostic]:
    """Defaults that are no value of their type."""
    for param in draft.params:
        written = as_mapping(as_mapping(declared).get(param.name))
        try:
            declared_default(written.get("default"), param.type, param.name)
        except ValueError:
            path = ("params", param.name, "default")
            message = f"the default of `{param.name}` must be {EXPECTED[param.type]}"
            hint = "write one, or change its `type`"
            yield draft.origin.diagnose(path, "job/bad-default", message, help=hint)


def binds(draft: Draft, declared: object) -> Iterator[Diagnostic]:
    """Binds without a param, and params without a bind."""
    known = list(as_mapping(declared))
    used: set[str] = set()
    path: Location
    for path, text, taken in _bound(draft):
        for name in taken:
            used.add(name)
            if name not in known:
                yield _unknown(path, text, name, known, draft)
    if not draft.is_clean:
        return
    for name in (param.name for param in draft.params):
        if name not in used:
            path = ("params", name)
            message = f"no query and no SQL uses the param `{name}`"
            hint = f"write `:{name}` in a query or in the SQL of a source, or remove it"
            code = "job/unused-param"
            yield draft.origin.diagnose(
                path, code, message, help=hint, severity=Severity.WARNING, at_key=True
            )


def _bound(draft: Draft) -> Iterator[tuple[Location, str, tuple[str, ...]]]:
    """Every text that may take params, where it stands, and the names in it."""
    for task in draft.queries:
        yield task_path(task, "query"), task.soql, names(task.soql)
    for write in draft.writes:
        if isinstance(write.source, DatabaseSource | SqlSource):
            sql = write.source.sql
            yield task_path(write, "from", "sql"), sql, sql_binds.names(sql)


def _unknown(path: Location, text: str, name: str, known: list[str], draft: Draft) -> Diagnostic:
    what = "query" if path[-1] == "query" else "SQL"
    message = f"the {what} takes `:{name}`, and there is no such param"
    hint = did_you_mean(name, known, f"declare it: params: {{{name}: {{type: string}}}}")
    found = draft.origin.diagnose(path, "job/unknown-param", message, help=hint)
    return _at_bind(found, name, text, draft)


def _at_bind(found: Diagnostic, name: str, text: str, draft: Draft) -> Diagnostic:
    """The same problem, pointing into a query of several lines."""
    if found.position is None:
        return found
    lines = draft.origin.lines
    first = found.position.line
    pattern = re.compile(rf"(?<!:):{name}\b")
    for number in range(first, min(first + text.count("\n") + 2, len(lines) + 1)):
        at = pattern.search(lines[number - 1])
        if at:
            position = Position(number, at.start() + 1, at.end() + 1)
            return replace(found, position=position, line_text=lines[number - 1])
    return found

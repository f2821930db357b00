"""Queries and params: SOQL reads as such, its rows are used, and each bind has a param.

Knows what people write who know SQL, Apex or another tool. Knows nothing of objects and fields: the
org judges the query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from runner.diagnostics import Diagnostic, Location, Severity
from runner.job import binds, soql
from runner.job.checks.soql_messages import syntax_problem
from runner.job.endpoints import DatabaseSource, SqlSource
from runner.job.model import QueryTask
from runner.job.params import EXPECTED, LIST_OF, declared_default
from runner.job.partial_job import PartialJob, as_mapping, source_tasks, task_path
from runner.job.text_position import narrowed
from runner.soql.errors import SoqlError
from runner.suggest import did_you_mean

_MISTAKE = "job/soql-mistake"
_OBJECT = {"FROM", "an object"}
_PLACEHOLDER = re.compile(r"\$\{|\{\{")
_NULL = "write `= null` or `!= null`"
_MISTAKES = (
    (
        r"/\*.*?(\*/|$)|--[^\n]*|//[^\n]*",
        "SOQL has no comments",
        "move it into a YAML comment, above the task or above `query`",
    ),
    (
        r"(?<=\bSELECT)\s+\*",
        "SOQL has no `SELECT *`",
        "name the fields, or write FIELDS(STANDARD), or FIELDS(ALL) with LIMIT 200",
    ),
    (r"\bCOUNT\s*\(\s*\*\s*\)", "SOQL has no `COUNT(*)`", "write COUNT(Id)"),
    (
        r"(?<=\bSELECT)\s+DISTINCT\b",
        "SOQL has no `DISTINCT`",
        "group by the fields instead: SELECT Name FROM Account GROUP BY Name",
    ),
    (r";\s*$", "a query does not end with `;`", "remove it"),
    (r'"[^"\n]*"?', "SOQL has no double quotes", "write text in single quotes: 'text'"),
    (
        r"[\u2018\u2019\u201c\u201d\u00b4]",
        "SOQL has no typographic quotes",
        "write text in straight single quotes: 'text'",
    ),
    (r"[\u00a0\u2000-\u200b\u202f\u3000\ufeff]", "SOQL takes plain spaces only",
     "replace this character, which looks like a space or like nothing, with a space"),
    (
        r"\bALL\s+ROWS\b",
        "`ALL ROWS` works in Apex only",
        "remove it and write `deleted: true` in the task",
    ),
    (r"\bIS\s+(NOT\s+)?NULL\b", "SOQL has no `IS NULL`", _NULL),
    (
        r"\bBETWEEN\b(?=[^()]*?\bAND\b)",
        "SOQL has no `BETWEEN`",
        "write `field >= … AND field <= …`",
    ),
    (r"\b(INNER|LEFT|RIGHT|CROSS|OUTER)\s+JOIN\b|\bJOIN\s+\w+\s+ON\b", "SOQL has no joins",
     "select fields of a parent by their path, Account.Name, and children in a subquery"),
)  # fmt: skip
_IN_QUOTES = re.compile(r"(?<![\w:\\]):([A-Za-z_]\w*)")


def syntax(job: PartialJob) -> Iterator[Diagnostic]:
    """Queries that cannot be SOQL."""
    for task in job.queries:
        path = task_path(task, "query")
        error = soql.syntax_error(task.soql)
        problem = _problem(task.soql, error)
        if problem:
            code, *told = problem
            yield job.origin.diagnose(path, code, told[0], help=told[1])
        elif error is not None and not _has_mistake(task.soql):
            message, hint, start, end = syntax_problem(task.soql, error)
            found = job.origin.diagnose(path, "job/soql-syntax", message, help=hint)
            yield narrowed(found, job.origin, task.soql, start, end)


def _problem(text: str, error: SoqlError | None) -> tuple[str, str, str] | None:
    if not soql.is_select(text):
        return "job/not-soql", "a query must begin with SELECT", "write SELECT fields FROM object"
    if soql.has_open_literal(text) and not _has_comment(text):
        hint = "close it; write a quote inside text as \\'"
        return "job/soql-quote", "a quote in the query is never closed", hint
    if error is not None and error.at >= len(text.rstrip()) and _OBJECT & {*error.expected}:
        hint = "add FROM and the object's API name"
        return "job/no-from", "the query does not name an object", hint
    return None


def _has_comment(text: str) -> bool:
    """Whether a query has a comment, in which a quote is not a quote."""
    return _patterns()[0].search(soql.masked(text)) is not None


def _has_mistake(text: str) -> bool:
    """Whether a query has what `mistakes` or the check of placeholders reports."""
    masked = soql.masked(text)
    return bool(_PLACEHOLDER.search(masked)) or any(each.search(masked) for each in _patterns())


@cache
def _patterns() -> list[re.Pattern[str]]:
    """Of `_MISTAKES`; most jobs have no query."""
    return [re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern, *_ in _MISTAKES]


def mistakes(job: PartialJob) -> Iterator[Diagnostic]:
    """What SOQL does not have, and binds inside quotes."""
    for task in job.queries:
        text = task.soql
        path = task_path(task, "query")
        for message, hint, start, end in mistakes_in(text):
            found = job.origin.diagnose(path, _MISTAKE, message, help=hint)
            yield narrowed(found, job.origin, text, start, end)
        twice = _named_twice(text)
        if twice is not None:
            message = f"a query that groups names two of its columns `{twice[0]}`"
            hint = f"give one an alias: {twice[1]}"
            yield job.origin.diagnose(path, _MISTAKE, message, help=hint)
        for start, end, name in _quoted_binds(text):
            if name in job.declared_params:
                message = f"`:{name}` inside quotes is text: the param is not put in there"
                hint = (
                    f"write `:{name}` without quotes; for LIKE, pass the pattern with its `%` as"
                    " the value"
                )
                found = job.origin.diagnose(path, _MISTAKE, message, help=hint)
                yield narrowed(found, job.origin, text, start, end)


def mistakes_in(text: str) -> Iterator[tuple[str, str, int, int]]:
    """What SOQL does not have: message, hint, and the first and last character to point at."""
    masked = soql.masked(text)
    for pattern, (_, message, hint) in zip(_patterns(), _MISTAKES, strict=True):
        for at in pattern.finditer(masked):
            yield message, hint, at.end() - len(at[0].lstrip()), at.end()


def _named_twice(text: str) -> tuple[str, str] | None:
    """A name that the org would give to two columns, and the second one with another name."""
    selected = soql.selection(text)
    seen: set[str] = set()
    for item in selected.items if selected.is_grouped else ():
        name = ".".join(item.member)
        if name.lower() in seen:
            path = item.path or ""
            called = "".join(f"{function.upper()}(" for function in item.functions)
            alias = path.replace(".", "_") if "." in path and not called else f"{name}2"
            return name, f"{called}{path}{')' * len(item.functions)} {alias}"
        seen.add(name.lower())
    return None


def _quoted_binds(text: str) -> Iterator[tuple[int, int, str]]:
    for quoted in soql.literals(text):
        for bind in _IN_QUOTES.finditer(quoted[0]):
            yield quoted.start() + bind.start(), quoted.start() + bind.end(), bind[1]


def children(job: PartialJob) -> Iterator[Diagnostic]:
    """Child tables that the query has no subquery for."""
    for task in job.queries:
        if soql.parsed(task.soql) is None:
            continue
        selected = soql.selection(task.soql).child_relationships
        known = {name.lower() for name in selected}
        for each in task.children:
            if each.relationship.lower() not in known:
                name = each.relationship
                yield job.origin.diagnose(
                    task_path(task, "children", name),
                    "job/unknown-children",
                    f"the query has no subquery for the children `{name}`",
                    help=did_you_mean(name, selected, f"add a subquery FROM {name} to its SELECT"),
                    at_key=True,
                )


def rows(job: PartialJob) -> Iterator[Diagnostic]:
    """Rows that nothing uses, and queries that return none."""
    used_tasks = {each.task for task in job.tasks for _, each in source_tasks(task)}
    for task in job.queries:
        used = bool(task.targets or task.files) or task.name in used_tasks
        path = task_path(task, "query")
        if used and soql.selection(task.soql).counts_only:
            message = "SELECT COUNT() returns a number, not rows"
            hint = "write SELECT COUNT(Id) total FROM …"
            yield job.origin.diagnose(path, "job/query-without-rows", message, help=hint)
        elif not used and job.is_clean and used_tasks <= set(job.names):
            message = f"the rows of `{task.name}` are not used"
            hint = (
                f"write them to a file with `to`, or read them with `from: {{task: {task.name}}}`"
            )
            code = "job/unused-rows"
            yield job.origin.diagnose(
                path, code, message, help=hint, severity=Severity.WARNING, at_key=True
            )


def defaults_of_params(job: PartialJob) -> Iterator[Diagnostic]:
    """Defaults that do not fit their type."""
    for param in job.params:
        written = as_mapping(job.declared_params.get(param.name))
        try:
            declared_default(written.get("default"), param.type, param.name)
        except ValueError:
            path = ("params", param.name, "default")
            message = f"the default of `{param.name}` must be {EXPECTED[param.type]}"
            hint = "change the default or the `type`"
            yield job.origin.diagnose(path, "job/bad-default", message, help=hint)


def unknown_params(job: PartialJob) -> Iterator[Diagnostic]:
    """Binds in a query that have no param."""
    for task in job.queries:
        own = {each.name for each in task.lists}
        names = tuple(name for name in binds.names(task.soql) if name not in own)
        yield from unknown_binds(task_path(task, "query"), task.soql, names, job)


def unknown_binds(
    path: Location, text: str, names: tuple[str, ...], job: PartialJob
) -> Iterator[Diagnostic]:
    """Those of the binds `names` in the `text` at `path` that have no param."""
    known = list(job.declared_params)
    what = {"query": "query", "scope": "scope", "where": "lookup"}.get(str(path[-1]), "SQL")
    for name in names:
        if name not in job.declared_params:
            message = f"the {what} uses `:{name}`, but there is no param `{name}`"
            hint = did_you_mean(name, known, f"declare it: params: {{{name}: {{type: string}}}}")
            found = job.origin.diagnose(path, "job/unknown-param", message, help=hint)
            at = re.search(rf"(?<!:):{name}\b", text)
            yield narrowed(found, job.origin, text, *at.span()) if at else found


def lists(job: PartialJob) -> Iterator[Diagnostic]:
    """Lists where SOQL or a database takes one value."""
    kinds = {param.name for param in job.params if param.type.startswith(LIST_OF)}
    for task in job.queries:
        path = task_path(task, "query")
        known = kinds | {each.name for each in task.lists}
        yield from _lists_of_task(task, job)
        for at in soql.binds(task.soql):
            if at[1] in known and not binds.takes_list(task.soql, at.start()):
                message = f"`:{at[1]}` is a list, which SOQL takes after IN, INCLUDES or EXCLUDES"
                hint = f"write `IN :{at[1]}`"
                found = job.origin.diagnose(path, "job/list-param", message, help=hint)
                yield narrowed(found, job.origin, task.soql, *at.span())
    for write in job.writes:
        if isinstance(write.source, DatabaseSource):
            path = task_path(write, "from", "sql")
            for name in filter(kinds.__contains__, binds.sql_names(write.source.sql)):
                message = f"`:{name}` is a list, which SQL sent to a database cannot take"
                hint = "join with a file or another task's rows in `from: {sql: …, tables: …}`"
                yield job.origin.diagnose(path, "job/list-param", message, help=hint)


def _lists_of_task(task: QueryTask, job: PartialJob) -> Iterator[Diagnostic]:
    used = binds.names(task.soql)
    for each in task.lists:
        path = task_path(task, "lists", each.name)
        if each.name in job.declared_params:
            message = f"`{each.name}` is a param already"
            hint = "give the list another name"
            yield job.origin.diagnose(path, "job/list-twice", message, help=hint, at_key=True)
        elif each.name not in used:
            message = f"the query does not use the list `{each.name}`"
            hint = f"write `IN :{each.name}` in the query, or remove the list"
            yield job.origin.diagnose(
                path, "job/unused-list", message, help=hint, severity=Severity.WARNING, at_key=True
            )


def unused_params(job: PartialJob) -> Iterator[Diagnostic]:
    """Params that no bind uses."""
    if not job.is_clean:
        return
    used = {name for task in job.queries for name in binds.names(task.soql)}
    for task in job.writes:
        used.update(binds.names(task.scope or ""))
        places = (each.lookup.places for each in task.fields or () if each.lookup)
        used.update(name for some in places for each in some for name in binds.names(each.where))
        if isinstance(task.source, DatabaseSource | SqlSource):
            used.update(binds.sql_names(task.source.sql))
    for name in (param.name for param in job.params if param.name not in used):
        message = f"the param `{name}` is not used in any query or SQL"
        hint = f"use `:{name}` in a query or in the SQL of a source, or remove it"
        yield job.origin.diagnose(
            ("params", name), "job/unused-param", message, help=hint, severity=Severity.WARNING,
            at_key=True,
        )  # fmt: skip

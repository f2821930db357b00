"""Mistakes in queries that the org would refuse, or would understand differently.

Knows what people write who know SQL, Apex or another tool. Knows nothing of objects and fields: the
org judges the query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic
from runner.job import soql
from runner.job.partial_job import PartialJob, task_path
from runner.job.text_position import narrowed

CODE = "job/soql-mistake"
_NULL = "write `= null` or `!= null`"
_MISTAKES = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), message, hint)
    for pattern, message, hint in (
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
    )
)  # fmt: skip
_IN_QUOTES = re.compile(r"(?<![\w:\\]):([A-Za-z_]\w*)")


def has_comment(text: str) -> bool:
    """Whether a query has a comment, in which a quote is not a quote."""
    return _MISTAKES[0][0].search(soql.masked(text)) is not None


def mistakes(job: PartialJob) -> Iterator[Diagnostic]:
    """What SOQL does not have, and binds inside quotes."""
    for task in job.queries:
        text = task.soql
        path = task_path(task, "query")
        masked = soql.masked(text)
        for pattern, message, hint in _MISTAKES:
            for at in pattern.finditer(masked):
                space = len(at[0]) - len(at[0].lstrip())
                found = job.origin.diagnose(path, CODE, message, help=hint)
                yield narrowed(found, job.origin, text, at.start() + space, at.end())
        twice = _named_twice(text)
        if twice is not None:
            message = f"a query that groups names two of its columns `{twice[0]}`"
            hint = f"give one an alias: {twice[1]} {twice[1].replace('.', '_')}"
            yield job.origin.diagnose(path, CODE, message, help=hint)
        for start, end, name in _quoted_binds(text):
            if name in job.declared_params:
                message = f"`:{name}` inside quotes is text: the param is not put in there"
                hint = (
                    f"write `:{name}` without quotes; for LIKE, pass the pattern with its `%` as"
                    " the value"
                )
                found = job.origin.diagnose(path, CODE, message, help=hint)
                yield narrowed(found, job.origin, text, start, end)


def _named_twice(text: str) -> tuple[str, str] | None:
    """A name that the org would give to two columns, and the header of the second."""
    selected = soql.selection(text)
    seen: set[str] = set()
    for item in selected.items if selected.is_grouped else ():
        name = ".".join(item.member)
        if name.lower() in seen:
            return name, item.column
        seen.add(name.lower())
    return None


def _quoted_binds(text: str) -> Iterator[tuple[int, int, str]]:
    for quoted in soql.literals(text):
        for bind in _IN_QUOTES.finditer(quoted[0]):
            yield quoted.start() + bind.start(), quoted.start() + bind.end(), bind[1]

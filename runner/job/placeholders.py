"""Finds `${NAME}` and `{{ name }}` in a job: nothing in a job is interpolated.

Knows which texts are for people only. Knows nothing of what the placeholders were meant for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Location, Severity
from runner.job.model import Origin
from runner.job.text_position import narrowed
from runner.job.yaml.tree import Plain

CODE = "job/placeholder"
_PLACEHOLDER = re.compile(r"\$\{\s*\w[^}\n]*\}|\{\{.*?\}\}", re.DOTALL)
_FOR_PEOPLE = frozenset({"description"})


def find(values: Plain, origin: Origin, path: Location = ()) -> Iterator[Diagnostic]:
    """Find every placeholder; in `fields`, where it may be meant as text, as a warning."""
    if isinstance(values, dict):
        for key, value in values.items():
            if key not in _FOR_PEOPLE:
                yield from find(value, origin, (*path, key))
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from find(value, origin, (*path, index))
    elif isinstance(values, str):
        severity = Severity.WARNING if "fields" in path else Severity.ERROR
        for at in _PLACEHOLDER.finditer(values):
            message = f"`{at[0].splitlines()[0][:60]}` is not replaced: a job has no placeholders"
            found = origin.diagnose(path, CODE, message, help=_help(path), severity=severity)
            yield narrowed(found, origin, values, at.start(), at.end())


def _help(path: Location) -> str:
    if path[-1] in {"query", "sql"}:
        return "declare a param and write `:name`, without quotes around it"
    if "fields" in path:
        return "write a column of the source by its name, outside quotes"
    if "connection" in path or path[:1] in {("token",), ("auth",)} or path[-1] in {"env", "token"}:
        return "write the value itself; a secret is read from `{env: NAME}`"
    return "write the value itself; values that change are params, as `:name` in a query or SQL"

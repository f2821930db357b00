"""Another org as the source of a write: a query of that org, which runs before the write.

Frozen values. Knows which write a query is for. Knows nothing of how either runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from runner.job.masks import Masks
from runner.job.model import AnyTask, Connection, QueryTask


class SourceQuery(QueryTask, frozen=True, kw_only=True):
    """The query in the `from` of a write; its rows come from an org of its own."""

    write: str
    """The write that reads its rows."""
    connection: Connection | None = None
    """Of that org; None only in a job that has problems."""
    masks: Masks = Masks()
    """What takes the place of values that must not leave that org."""


def query_name(write: str) -> str:
    """Name of the query for a write; no written task has a dot in its name."""
    return f"{write}.source"


def is_source_query(name: str) -> bool:
    """Whether a query of this name is such a query."""
    return "." in name


def names_query(source: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether what is written in `from` is a query of another org."""
    return isinstance(source, Mapping) and "query" in source


def connections_of(tasks: Iterable[AnyTask]) -> dict[Connection, SourceQuery]:
    """The connections of the orgs that tasks read from, each with the first task that does."""
    found: dict[Connection, SourceQuery] = {}
    for task in tasks:
        if isinstance(task, SourceQuery) and task.connection is not None:
            found.setdefault(task.connection, task)
    return found

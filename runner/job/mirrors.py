"""Mirrors: each becomes an upsert, and a task for the records that its source does not have.

The upsert is in the place of the mirror. The other tasks come after all that are written, the last
mirror first: children are written below their parents, and have to be deleted before them. None of
them runs if the upsert of a mirror does not succeed. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from runner.job.endpoints import MissingSource
from runner.job.model import AnyTask, FieldMapping, Job, Mirror, Verb, WriteTask
from runner.job.origin import Origin
from runner.job.source_query import SourceQuery

_ID = FieldMapping("Id", "Id")
_MISSING = ".missing"


def missing_name(mirror: str) -> str:
    """Name of the task for the missing records; no written task has a dot in its name."""
    return f"{mirror}{_MISSING}"


def mirror_of(name: str) -> str:
    """Name of the mirror that a task belongs to, or the task's own."""
    return name.removesuffix(_MISSING)


def owner_of(job: Job, mirror: str) -> str:
    """What the `owner_field` of a mirror's records holds."""
    return f"{job.name}/{mirror}"


def with_missing(tasks: Sequence[AnyTask], origin: Origin) -> tuple[tuple[AnyTask, ...], Origin]:
    """Add the tasks for the missing records, and where to point at for their problems."""
    mirrors = [task for task in tasks if isinstance(task, WriteTask) and task.mirror is not None]
    if not mirrors:
        return tuple(tasks), origin
    needed = [task.name for task in mirrors if task.enabled]
    added: list[AnyTask] = []
    positions = dict(origin.positions)
    for task in reversed(mirrors):
        index = len(tasks) + len(added)
        added.append(_missing(task, index, needed))
        if task.enabled:
            needed = [*needed, missing_name(task.name)]
        own = ("tasks", task.index)
        for path, position in origin.positions.items():
            if path[: len(own)] == own:
                rest = path[len(own) :]
                rest = ("fields", *rest[2:]) if rest[:2] == ("missing", "set") else rest
                positions["tasks", index, *rest] = position
    return (*tasks, *added), replace(origin, positions=positions)


def _missing(task: WriteTask, index: int, needs: Sequence[str]) -> WriteTask:
    sets = (task.mirror or Mirror()).sets
    return replace(
        task,
        name=missing_name(task.name),
        verb=Verb.DELETE if sets is None else Verb.UPDATE,
        index=index,
        source=MissingSource(task.name),
        key=None,
        fields=(_ID, *(sets or ())),
        needs=tuple(needs),
        on_failure=None,
        on_create=(),
        mirror=None,
        in_scope=True,
        only_changes=sets is not None,
        results=task.results and task.results / "missing",
        limits={},
    )


def is_chosen(task: AnyTask, names: Collection[str]) -> bool:
    """Whether a task runs if only these are named.

    A mirror is named once for all it does, and a write with the query of its rows.
    """
    if not names or task.name in names:
        return True
    if isinstance(task, SourceQuery):
        return task.write in names
    source = task.source if isinstance(task, WriteTask) else None
    return isinstance(source, MissingSource) and source.task in names

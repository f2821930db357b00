"""What could be made of a job file, for the checks that look at its meaning.

A job with problems is made out as far as it goes, so that all problems are told at once: a task
with an unknown key is still a task. Knows which problems leave a task in the dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.diagnostics import Diagnostic, Location
from runner.job import build
from runner.job.endpoints import FileSource, FileTarget, Source, SqlSource, Target, TaskSource
from runner.job.model import (
    DECLARED_VERBS,
    AnyTask,
    Connection,
    Origin,
    Param,
    QueryTask,
    Verb,
    WriteTask,
)
from runner.job.path_policy import NOWHERE_ELSE, Reach

_DECISIVE = frozenset(
    ("name", "from", "key", "fields", "needs", "to", "children", "on_failure", *DECLARED_VERBS)
)
"""Task keys without which nothing can be said of the task."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A job as far as it could be made out."""

    origin: Origin
    folder: Path
    """Absolute; what paths in the job are relative to."""
    connection: Connection | None
    connection_origin: Origin
    """Of the file that holds the connection."""
    connection_path: Location
    """Where in that file."""
    params: tuple[Param, ...]
    names: tuple[str | None, ...]
    """Name of each written task, whether it could be made out or not."""
    tasks: tuple[AnyTask, ...]
    is_clean: bool
    """Whether no task has a problem so far; if not, what seems unused may only be misspelt."""
    reach: Reach = NOWHERE_ELSE
    """Which places outside its folder the job may name."""

    @property
    def writes(self) -> Iterator[WriteTask]:
        """Tasks that write to the org."""
        return (task for task in self.tasks if isinstance(task, WriteTask))

    @property
    def queries(self) -> Iterator[QueryTask]:
        """Tasks that read from the org."""
        return (task for task in self.tasks if isinstance(task, QueryTask))

    @property
    def is_whole(self) -> bool:
        """Whether every written task could be made out."""
        return len(self.tasks) == len(self.names)


def task_path(task: AnyTask, *keys: str | int) -> Location:
    """Where a task, or something in it, stands in the job."""
    return ("tasks", task.index, *keys)


def source_files(task: WriteTask) -> Iterator[tuple[Location, FileSource]]:
    """Every file that a write reads, and where the job says so."""
    return ((path, each) for path, each in _sources(task) if isinstance(each, FileSource))


def source_tasks(task: WriteTask) -> Iterator[tuple[Location, TaskSource]]:
    """Every other task whose rows a write takes, and where the job says so."""
    return ((path, each) for path, each in _sources(task) if isinstance(each, TaskSource))


def _sources(task: WriteTask) -> Iterator[tuple[Location, Source]]:
    here = task_path(task, "from")
    if isinstance(task.source, SqlSource):
        yield from (((*here, "tables", each.name), each.source) for each in task.source.tables)
    else:
        yield here, task.source


def written_files(draft: Draft) -> set[Path]:
    """Files that queries of the job write, which may come later."""
    targets = (target for query in draft.queries for target in query.targets)
    return {target.path for target in targets if isinstance(target, FileTarget)}


def query_targets(task: QueryTask) -> Iterator[tuple[Location, Target]]:
    """Every place that a query writes, and where the job says so."""
    if task.target is not None:
        yield task_path(task, "to"), task.target
    for each in task.children:
        yield task_path(task, "children", each.relationship, "to"), each.target


def option_path(draft: Draft, task: AnyTask, key: str) -> Location:
    """Where a task's option stands: in the task, or among the defaults."""
    own = task_path(task, key)
    shared = ("defaults", key)
    return own if own in draft.origin.positions or shared not in draft.origin.positions else shared


def as_mapping(value: object) -> Mapping[str, Any]:
    """The value, or an empty mapping where it is none."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> Sequence[Any]:
    """The value, or an empty list where it is none."""
    return value if isinstance(value, list) else []


def names_of(values: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Name of each task; None where it has none."""
    names = (as_mapping(task).get("name") for task in as_list(values.get("tasks")))
    return tuple(name if isinstance(name, str) else None for name in names)


class Faults:
    """Where problems stand, for quick asking."""

    def __init__(self, problems: Iterable[Diagnostic]) -> None:
        self._paths = {found.path for found in problems}
        self._below: dict[Location, set[str | int]] = {}
        for path in self._paths:
            for depth in range(len(path)):
                self._below.setdefault(path[:depth], set()).add(path[depth])

    def covers(self, path: Location) -> bool:
        """Whether there is a problem at the path or around it."""
        return any(path[:depth] in self._paths for depth in range(len(path) + 1))

    def below(self, path: Location) -> set[str | int]:
        """Keys of the value at the path that have a problem at them or inside."""
        return self._below.get(path, set())


def params_of(values: Mapping[str, Any], faults: Faults) -> tuple[Param, ...]:
    """Every param that could be made out."""
    declared = _sound(as_mapping(values.get("params")), ("params",), faults)
    return tuple(build.param(name, each) for name, each in declared.items())


def tasks_of(values: Mapping[str, Any], folder: Path, faults: Faults) -> tuple[AnyTask, ...]:
    """Every task that could be made out."""
    defaults = _sound(as_mapping(values.get("defaults")), ("defaults",), faults)
    made: list[AnyTask] = []
    for index, each in enumerate(as_list(values.get("tasks"))):
        sound = _sound_task(each, ("tasks", index), faults)
        if sound is not None:
            made.append(build.task(sound, index, folder, defaults))
    return tuple(made)


def _sound_task(task: object, path: Location, faults: Faults) -> Mapping[str, Any] | None:
    """The task without its faulty keys; None where those that are left say too little."""
    written = as_mapping(task)
    sound = _sound(written, path, faults)
    if (written.keys() - sound.keys()) & _DECISIVE:
        return None
    verb = build.verb_of(sound)
    needed = {"name", *(() if verb is Verb.QUERY else ("from",)), *_KEYED.get(verb, ())}
    return sound if verb and needed <= sound.keys() else None


_KEYED: Mapping[Verb | None, tuple[str, ...]] = {Verb.UPSERT: ("key",)}


def _sound(values: Mapping[str, Any], path: Location, faults: Faults) -> Mapping[str, Any]:
    """What stands at `path` without its faulty keys; nothing where it is faulty as a whole."""
    if faults.covers(path):
        return {}
    bad = faults.below(path)
    return {key: value for key, value in values.items() if key not in bad}

"""What can be built of a job file that may have problems, for the checks of its meaning.

A job with problems is built as far as possible, so that all problems are reported at once: a task
with an unknown key is still a task. Knows which problems leave too little of a task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runner.diagnostics import Diagnostic, Location
from runner.job import build
from runner.job.endpoints import (
    FileSource,
    FileTarget,
    Source,
    SqlSource,
    Target,
    TaskSource,
    readable_path,
)
from runner.job.model import (
    DECLARED_VERBS,
    AnyTask,
    Connection,
    Job,
    Param,
    QueryTask,
    Verb,
    WriteTask,
)
from runner.job.origin import Origin
from runner.job.permissions import NO_PERMISSIONS, Permissions
from runner.job.source_query import SourceQuery
from runner.outcome import RowStatus

if TYPE_CHECKING:
    from runner.job.metrics import Metrics
    from runner.job.notices import Notice

_DECISIVE = frozenset(
    (
        "name",
        "for_each",
        "from",
        "key",
        "fields",
        "needs",
        "to",
        "children",
        "lists",
        "since",
        "on_failure",
        "scope",
        "missing",
        "managed",
        "owner_field",
        "master",
        "losers",
        *DECLARED_VERBS,
    )
)
"""Task keys without which nothing can be said about the task."""


class PartialJob(Struct, frozen=True, dict=True):
    """A job, without the parts that have problems."""

    origin: Origin
    folder: Path
    """Absolute; what paths in the job are relative to."""
    connection: Connection | None
    connection_origin: Origin
    """The file that holds the connection."""
    connection_path: Location
    """Where in that file."""
    declared_params: Mapping[str, Any]
    """By name, as written."""
    params: tuple[Param, ...]
    names: tuple[str | None, ...]
    """Name of each written task, whether it could be built or not."""
    tasks: tuple[AnyTask, ...]
    is_clean: bool
    """Whether no task has a problem so far; if not, what seems unused may only be misspelt."""
    connection_is_whole: bool = True
    """Whether no key of the connection has a problem; if not, what seems missing may be there."""
    permissions: Permissions = NO_PERMISSIONS
    """Paths outside its folder that the job may use."""
    written_before: frozenset[Path] = frozenset()
    """Files that another job writes before this one starts."""
    reads: Callable[[str], bool] | None = None
    """Whether the task of a name reads its source, as its rows are not stored; None: all do."""
    notify: tuple[Notice, ...] = ()
    metrics: Metrics | None = None

    @property
    def all_metrics(self) -> tuple[tuple[Origin, Location, Metrics], ...]:
        """Where metrics go, with the file and the path that say so."""
        of_connection = self.connection.metrics if self.connection else None
        at = (*self.connection_path, "metrics")
        found = (
            (self.origin, ("metrics",), self.metrics),
            (self.connection_origin, at, of_connection),
        )
        return tuple((origin, path, each) for origin, path, each in found if each is not None)

    @cached_property
    def writes(self) -> tuple[WriteTask, ...]:
        """Tasks that write to the org."""
        return tuple(task for task in self.tasks if isinstance(task, WriteTask))

    @cached_property
    def queries(self) -> tuple[QueryTask, ...]:
        """Tasks that read from the org."""
        return tuple(task for task in self.tasks if isinstance(task, QueryTask))

    @property
    def is_whole(self) -> bool:
        """Whether every written task could be built."""
        return len({task.index for task in self.tasks}) == len(self.names)


def task_path(task: AnyTask, *keys: str | int) -> Location:
    """Path of a task, or of something in it, in the job."""
    inside = ("from",) if isinstance(task, SourceQuery) else ()
    return ("tasks", task.index, *inside, *keys)


def files_to_read(job: PartialJob, task: AnyTask) -> list[tuple[Location, FileSource]]:
    """Every file that a task still reads, and its path in the job."""
    return source_files(task) if job.reads is None or job.reads(task.name) else []


def source_files(task: AnyTask) -> list[tuple[Location, FileSource]]:
    """Every file that a task reads, and its path in the job."""
    return [(path, each) for path, each in _sources(task) if isinstance(each, FileSource)]


def source_tasks(task: AnyTask) -> list[tuple[Location, TaskSource]]:
    """Every other task whose rows a task reads, and its path in the job."""
    return [(path, each) for path, each in _sources(task) if isinstance(each, TaskSource)]


def _sources(task: AnyTask) -> Iterator[tuple[Location, Source]]:
    if isinstance(task, QueryTask):
        yield from (
            (task_path(task, "lists", each.name, "from"), each.source) for each in task.lists
        )
        return
    here = task_path(task, "from")
    if isinstance(task.source, SqlSource):
        yield from (((*here, "tables", each.name), each.source) for each in task.source.tables)
    else:
        yield here, task.source


def written_files(job: PartialJob) -> set[Path]:
    """Files that queries of the job, or jobs before it, write; they may not exist yet."""
    paths = (readable_path(target) for query in job.queries for target in query.targets)
    return {each for each in paths if each is not None} | job.written_before


def files_written_by(job: Job) -> frozenset[Path]:
    """Files that a job leaves: the targets of its queries, the row results of its writes."""
    targets = {
        path
        for task in job.tasks
        if isinstance(task, QueryTask)
        for target in task.targets
        if not (isinstance(target, FileTarget) and target.url is not None)
        and (path := readable_path(target)) is not None
    }
    results = {
        task.results / f"{status}.csv"
        for task in job.tasks
        if isinstance(task, WriteTask) and task.results is not None
        for status in RowStatus
    }
    return frozenset(targets | results)


def query_targets(task: QueryTask) -> list[tuple[Location, Target]]:
    """Every target of a query, and its path in the job."""
    own = [] if task.target is None else [(task_path(task, "to"), task.target)]
    children = (
        (task_path(task, "children", each.relationship, "to"), each.target)
        for each in task.children
    )
    return [*own, *children]


def file_path(path: Location, job: PartialJob) -> Location:
    """Path of a file's name: `path` itself, or `file` or `folder` below it."""
    inner = ((*path, key) for key in ("file", "folder"))
    return next((each for each in inner if each in job.origin.positions), path)


def option_path(job: PartialJob, task: AnyTask, key: str) -> Location:
    """Path of a task's option: in the task, or in the defaults."""
    own = task_path(task, key)
    shared = ("defaults", key)
    return own if own in job.origin.positions or shared not in job.origin.positions else shared


def as_mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> Sequence[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def names_of(values: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Name of each task; None if it has none."""
    names = (as_mapping(task).get("name") for task in as_list(values.get("tasks")))
    return tuple(name if isinstance(name, str) else None for name in names)


class ProblemPaths:
    """Where a document has problems, for quick lookups."""

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


def params_of(declared: Mapping[str, Any], problems: ProblemPaths) -> tuple[Param, ...]:
    """Every param that can be built."""
    sound = sound_part(declared, ("params",), problems)
    return tuple(build.param(name, each) for name, each in sound.items())


def tasks_of(
    values: Mapping[str, Any],
    folder: Path,
    problems: ProblemPaths,
    connections: Mapping[int, Connection | None],
) -> tuple[AnyTask, ...]:
    """Every task that can be built; `connections` are those of their sources, by their index."""
    defaults = sound_part(as_mapping(values.get("defaults")), ("defaults",), problems)
    made: list[AnyTask] = []
    for index, each in enumerate(as_list(values.get("tasks"))):
        sound = _sound_task(each, ("tasks", index), problems)
        if sound is not None:
            source = connections.get(index)
            made += build.tasks(sound, index, folder, defaults, source)
    return tuple(made)


def _sound_task(task: object, path: Location, problems: ProblemPaths) -> Mapping[str, Any] | None:
    """The task without the keys that have problems; None if too little is left."""
    written = as_mapping(task)
    sound = sound_part(written, path, problems)
    if (written.keys() - sound.keys()) & _DECISIVE:
        return None
    verb = build.verb_of(sound)
    needed = {"name", *(() if verb is Verb.QUERY else ("from",)), *_KEYED.get(verb, ())}
    return sound if verb and needed <= sound.keys() else None


_KEYED: Mapping[Verb | None, tuple[str, ...]] = {
    Verb.UPSERT: ("key",),
    Verb.MIRROR: ("key", "scope"),
    Verb.MERGE: ("master", "losers"),
}


def sound_part(
    values: Mapping[str, Any], path: Location, problems: ProblemPaths
) -> Mapping[str, Any]:
    """The mapping at `path` without the keys that have problems; empty if it has one itself."""
    if problems.covers(path):
        return {}
    bad = problems.below(path)
    return {key: value for key, value in values.items() if key not in bad}

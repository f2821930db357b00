"""Where the tasks of a plan read their rows, while nothing is written to its place.

What queries would write to files is written to the plan's own folder, and read from there. Knows
sources and targets. Knows nothing of rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from runner.engine.task_conflicts import Place, places_written
from runner.files import unwritable
from runner.job.endpoints import (
    STANDARD_STREAM,
    DatabaseSource,
    DatabaseTarget,
    FileSource,
    FileTarget,
    ListColumn,
    MissingSource,
    Source,
    SqlSource,
    Table,
    TableMode,
    TaskRows,
    TaskSource,
    shown_url,
    tasks_of,
)
from runner.job.model import AnyTask, ChildTable, Job, QueryTask, Verb, WriteTask
from runner.job.source_query import SourceQuery
from runner.plan import WRITES, Change
from runner.tables.sources.csv import PLAIN_CSV

ANY_FIELD = "*"
_LEFT_BY_FAILURE = frozenset({TaskRows.FAILED, TaskRows.UNPROCESSED})


class Left(Struct):
    """What planned tasks leave in an org for those after them, of the same job or a later one."""

    new_records: int = 0
    """Numbers of placeholders that are used."""
    new_keys: dict[tuple[str, str], list[Path]] = field(default_factory=dict)
    """Files with the keys of records to be created, by object and field in lower case."""
    writers: dict[str, str] = field(default_factory=dict)
    """Objects whose records a task before changes, in lower case, and that task."""
    changed: dict[str, dict[str, str]] = field(default_factory=dict)
    """By object in lower case: fields whose values a task before changes, in lower case, and that
    task; `ANY_FIELD` if it deletes records, or nobody knows what it does."""
    deletes: dict[str, str] = field(default_factory=dict)
    """Objects whose records an earlier task deletes, in lower case, and that task."""


class PlannedSources(Struct):
    """The files of queries, and what each write of the plan leaves."""

    tasks: Sequence[AnyTask]
    """Of the job."""
    read: Collection[Path]
    """Files that tasks of any planned job read."""
    files: dict[Path, Path] = field(default_factory=dict)
    """Files that queries write, and where they are while the plan is made."""
    written: dict[Place, str] = field(default_factory=dict)
    """Files, folders and databases that a task before writes, and that task."""
    left: Left = field(default_factory=Left)
    _counts: dict[str, Mapping[Change, int]] = field(default_factory=dict)
    _unknown: dict[str, bool] = field(default_factory=dict)
    """Writes whose rows are not known, and whether there may be any."""
    _early: set[str] = field(default_factory=set)
    """Tasks that may leave other rows during a run than now."""

    def is_read(self, task: AnyTask) -> bool:
        """Whether another task reads the rows that this one leaves."""
        return any(
            source.task == task.name
            for other in self.tasks
            for each in _sources(other)
            for source in tasks_of(each)
        )

    def unknown_rows(self, task: WriteTask) -> tuple[tuple[str, ...], bool]:
        """Why a write's rows are not known, and whether there may be any."""
        said: list[str] = []
        is_open = False
        for source in tasks_of(task.source):
            if source.task in self._unknown:
                said.append(f"The rows of `{source.task}` are not known yet.")
                is_open |= self._unknown[source.task]
            elif source.rows in _LEFT_BY_FAILURE:
                said.append(f"Which rows of `{source.task}` fail is only known after the run.")
                is_open |= self._may_fail(source.task)
        return tuple(said), is_open

    def changed_before(self, task: QueryTask) -> str | None:
        """Why a query finds other records during a run than now; None if it does not."""
        writer = self.left.writers.get(task.sobject.lower())
        if writer is None or isinstance(task, SourceQuery):  # which reads another org
            return None
        self._early.add(task.name)
        return (
            f"`{writer}` changes records of {task.sobject} first; this is what the query finds now."
        )

    def early_rows(self, task: AnyTask) -> tuple[str, ...]:
        """Why a task may have other rows during a run than now."""
        read = [each for source in _sources(task) for each in tasks_of(source)]
        early = [each.task for each in read if each.task in self._early]
        if early:
            self._early.add(task.name)
        return tuple(f"`{each}` may leave other rows by then." for each in dict.fromkeys(early))

    def read_too_early(self, task: AnyTask) -> str | None:
        """Why a task reads something else during a run than now; None if it does not."""
        found = (self._writer_of(each) for own in _sources(task) for each in _flat(own))
        writer = next((each for each in found if each is not None), None)
        if writer is None:
            return None
        self._early.add(task.name)
        return f"`{writer}` writes what this task reads; the plan shows what is there now."

    def add_places(self, task: AnyTask) -> None:
        """Note what a task writes outside of the org."""
        for place in places_written(task):
            self.written.setdefault(place, task.name)

    def _writer_of(self, source: Source) -> str | None:
        """The task before that writes what is read here; not where its rows are read instead."""
        if isinstance(source, DatabaseSource):
            return self.written.get(source.url)
        if not isinstance(source, FileSource) or source.path in self.files:
            return None
        if source.url is not None:
            return self.written.get(source.url)
        return next(
            (
                name
                for place, name in self.written.items()
                if isinstance(place, Path)
                if source.path.is_relative_to(place) or fnmatch(str(place), str(source.path))
            ),
            None,
        )

    def unknown_lists(self, task: QueryTask) -> tuple[str, ...]:
        """Why a query's values are not known."""
        return tuple(
            f"The rows of `{source.task}` are not known yet."
            for each in task.lists
            for source in tasks_of(each.source)
            if source.task in self._unknown or source.rows in _LEFT_BY_FAILURE
        )

    def add_unknown(self, task: WriteTask, *, is_open: bool) -> None:
        """Note a write whose rows are not known."""
        self._unknown[task.name] = is_open
        if is_open:
            self.left.writers.setdefault(task.sobject.lower(), task.name)
            self._add_changed(task, (ANY_FIELD,))

    def add_write(
        self, task: WriteTask, counts: Mapping[Change, int], fields: Collection[str]
    ) -> None:
        """Note what a write would do, and which fields of records it changes."""
        self._counts[task.name] = counts
        if counts.get(Change.DELETE) or task.name in self._early:
            self._add_changed(task, (ANY_FIELD,))
        elif counts.get(Change.UPDATE):
            self._add_changed(task, fields)
        if any(counts.get(each) for each in WRITES):
            self.left.writers.setdefault(task.sobject.lower(), task.name)

    def compared_too_early(
        self, task: WriteTask, fields: Iterable[str], parents: Iterable[str]
    ) -> str | None:
        """Why a write's rows cannot be compared now with the records that they will find.

        Args:
            task: The write.
            fields: That it fills.
            parents: Objects of the lookups of its records: those are gone with a parent.
        """
        changed = self.left.changed.get(task.sobject.lower(), {})
        found = [changed.get(each.lower()) for each in (ANY_FIELD, *fields)]
        found += [self.left.deletes.get(each.lower()) for each in parents]
        writer = next((each for each in found if each is not None), None)
        if writer is None:
            return None
        self._early.add(task.name)
        return (
            f"`{writer}` changes records of {task.sobject} first; rows are compared with what "
            "they hold now, and an apply compares them during the run."
        )

    def _add_changed(self, task: WriteTask, fields: Collection[str]) -> None:
        changed = self.left.changed.setdefault(task.sobject.lower(), {})
        for each in fields:
            changed.setdefault(each.lower(), task.name)
        if task.verb in {Verb.DELETE, Verb.MERGE}:
            self.left.deletes.setdefault(task.sobject.lower(), task.name)

    def writes_any(self, sobjects: Collection[str]) -> bool:
        """Whether a task before changes records of one of these objects."""
        return any(each.lower() in self.left.writers for each in sobjects)

    def depends_on_writes(self, task: WriteTask) -> bool:
        """Whether its rows depend on what other writes of the plan do."""
        by_name = {each.name: each for each in self.tasks}
        if isinstance(task.source, MissingSource):
            mirror = by_name.get(task.source.task)
            return isinstance(mirror, WriteTask) and self.depends_on_writes(mirror)
        waiting = [source.task for source in tasks_of(task.source)]
        while waiting:
            other = by_name.get(waiting.pop())
            if isinstance(other, WriteTask):
                return True
            if isinstance(other, QueryTask):
                if other.name in self._early:
                    return True  # because of a write
                waiting += [s.task for each in other.lists for s in tasks_of(each.source)]
        return False

    def redirected_write(self, task: WriteTask) -> WriteTask:
        """The task, reading the files of the plan's queries."""
        return replace(task, source=self._redirected(task.source))

    def redirected_lists(self, task: QueryTask) -> QueryTask:
        """The query, its lists from the files of the plan's queries, its rows written nowhere."""
        return replace(task, lists=self._lists(task), target=None, children=(), files=None)

    def redirected_query(self, task: QueryTask, folder: Path) -> QueryTask | None:
        """The query, writing into a folder of the plan; None if no other task reads its rows."""
        targets = [each for each in task.targets if isinstance(each, FileTarget)]
        is_file_read = any(target.path in self.read for target in targets)
        if not (is_file_read or self.is_read(task)):
            return None
        out = folder.with_name(f"{folder.name}.files")
        out.mkdir(parents=True, exist_ok=True)
        own = task.target
        target = None
        if isinstance(own, FileTarget) and own.path in self.read:
            target = _moved(own, out / own.path.name)
        children = tuple(
            ChildTable(
                child.relationship,
                _moved(child.target, out / f"{at}-{child.target.path.name}")
                if isinstance(child.target, FileTarget)
                else FileTarget(out / f"{at}.csv", PLAIN_CSV),
                child.parent_column,
            )
            for at, child in enumerate(task.children)
        )
        files = out / "files" if task.files else None
        since = replace(task.since, reconcile=False) if task.since else None
        return replace(
            task,
            lists=self._lists(task),
            target=target,
            children=children,
            files=files,
            since=since,
        )

    def add_targets(self, task: QueryTask, redirected: QueryTask) -> None:
        """Note where a query's files are."""
        pairs = [(task.target, redirected.target)]
        pairs += [
            (one.target, other.target)
            for one, other in zip(task.children, redirected.children, strict=True)
        ]
        for declared, used in pairs:
            if isinstance(declared, FileTarget) and isinstance(used, FileTarget):
                self.files[declared.path] = used.path

    def _may_fail(self, name: str) -> bool:
        counts = self._counts.get(name, {})
        return any(counts.get(each) for each in (*WRITES, Change.REFUSED))

    def _lists(self, task: QueryTask) -> tuple[ListColumn, ...]:
        return tuple(replace(each, source=self._plain(each.source)) for each in task.lists)

    def _redirected(self, source: Source) -> Source:
        if isinstance(source, SqlSource):
            tables = tuple(Table(each.name, self._plain(each.source)) for each in source.tables)
            return replace(source, tables=tables)
        return source if isinstance(source, DatabaseSource | MissingSource) else self._plain(source)

    def _plain(self, source: FileSource | TaskSource) -> FileSource | TaskSource:
        if isinstance(source, FileSource) and source.path in self.files:
            return replace(source, path=self.files[source.path])
        return source


def source_in_words(source: Source, job: Job) -> str:
    """Where a write's rows come from."""
    if isinstance(source, TaskSource):
        return f"{source.rows or 'the'} rows of {source.task}"
    if isinstance(source, FileSource):
        if source.url:
            return shown_url(source.url)
        path = source.path
        return str(path.relative_to(job.folder) if path.is_relative_to(job.folder) else path)
    if isinstance(source, SqlSource):
        return f"SQL over {', '.join(each.name for each in source.tables)}"
    if isinstance(source, MissingSource):
        return f"records in the scope of {source.task} that its source lacks"
    return "a database"


def place_in_words(task: QueryTask) -> str:
    """Where a query's rows go."""
    target = task.target
    if target is None:
        return ""
    if isinstance(target, DatabaseTarget):
        return f"table {target.table}"
    if isinstance(target, FileTarget) and target.url:
        return shown_url(target.url)
    return target.path.name


def _moved(target: FileTarget, path: Path) -> FileTarget:
    """The target in another place, with the rows that it keeps."""
    keeps_rows = target.mode is not TableMode.REPLACE and target.url is None
    if keeps_rows and target.path.is_file():
        try:
            shutil.copyfile(target.path, path)
        except OSError as error:
            raise unwritable(path, error) from error
    return replace(target, path=path, url=None)


def _flat(source: Source) -> tuple[Source, ...]:
    return tuple(e.source for e in source.tables) if isinstance(source, SqlSource) else (source,)


def _sources(task: AnyTask) -> tuple[Source, ...]:
    return (task.source,) if isinstance(task, WriteTask) else tuple(e.source for e in task.lists)


def files_read(task: AnyTask) -> Iterator[Path]:
    """The files that a task reads."""
    yield from (each.path for _, each in _files(task))


def local_sources(task: AnyTask) -> Iterator[tuple[str, FileSource]]:
    """The files that a task reads and that can be read again, each with a name in the job."""
    for name, source in _files(task):
        if source.url is None and source.path != STANDARD_STREAM:
            yield name, source


def _files(task: AnyTask) -> Iterator[tuple[str, FileSource]]:
    found: list[tuple[str, Source]] = []
    if isinstance(task, QueryTask):
        found += [(f"{task.name}/{each.name}", each.source) for each in task.lists]
    elif isinstance(task.source, SqlSource):
        found += [(f"{task.name}/{each.name}", each.source) for each in task.source.tables]
    else:
        found.append((task.name, task.source))
    yield from ((name, source) for name, source in found if isinstance(source, FileSource))

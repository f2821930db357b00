"""A job that touches nothing but a local org and one folder, for tests.

Knows what a job reads and writes. Knows nothing of tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from runner.diagnostics import Diagnostic
from runner.job.endpoints import (
    STANDARD_STREAM,
    DatabaseSource,
    DatabaseTarget,
    FileSource,
    FileTarget,
    FolderTarget,
    Source,
    SqlSource,
    Target,
)
from runner.job.model import (
    AnyTask,
    ChildTable,
    Connection,
    Environment,
    FieldMapping,
    Job,
    QueryTask,
    WriteTask,
)
from runner.job.partial_job import query_targets, source_files, task_path
from runner.job.source_query import SourceQuery

AnySource = TypeVar("AnySource", bound=Source)


def outside_reach(job: Job) -> Iterator[Diagnostic]:
    """What a job reads or writes that a test must not: databases, URLs, streams, other orgs."""
    for task in job.tasks:
        for path, what in _outside_of(task):
            message = f"a test cannot {what}"
            hint = (
                "use a file in a copy of the job"
                if "write" in what
                else f"give the test rows in its place: `sources: {{{_written_name(task)}: …}}`"
            )
            yield job.origin.diagnose(path, "test/outside", message, help=hint)


def _written_name(task: AnyTask) -> str:
    return task.write if isinstance(task, SourceQuery) else task.name


def _outside_of(task: AnyTask) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(task, SourceQuery):
        yield task_path(task, "connection"), "read from another org"
    if isinstance(task, WriteTask) and isinstance(task.source, DatabaseSource):
        yield task_path(task, "from"), "read from a database"
    for path, source in source_files(task):
        if source.url is not None:
            yield path, "read from a URL"
        elif source.path == STANDARD_STREAM:
            yield path, "read standard input"
    for path, target in query_targets(task) if isinstance(task, QueryTask) else ():
        if isinstance(target, DatabaseTarget):
            yield path, "write to a database"
        elif isinstance(target, FileTarget) and target.url is not None:
            yield path, "write to a URL"


class Sandbox(Struct, frozen=True):
    """The folder that takes the place of every path that a job writes to."""

    root: Path

    def path(self, written: Path) -> Path:
        """Where a file is that the job writes to this absolute path, or to standard output."""
        if written == STANDARD_STREAM:
            return self.root / "stdout"
        return self.root / "files" / written.relative_to(written.anchor)

    def written(self, folder: Path) -> Iterator[tuple[str, Path]]:
        """Files that the job wrote: as a job in this folder names them, and where they are."""
        top, root = self.root / "files", self.path(folder)
        for each in sorted(self.root.rglob("*")):
            if each.is_file() and each.is_relative_to(root):
                yield each.relative_to(root).as_posix(), each
            elif each.is_file() and each.is_relative_to(top):
                yield f"/{each.relative_to(top).as_posix()}", each
            elif each.is_file():
                yield str(STANDARD_STREAM), each

    def isolated(self, job: Job) -> Job:
        """The job on the local org of its folder, with everything that it writes moved here.

        What one task writes and another reads is read from here, too. Nobody is notified.
        """
        moved = _written_paths(job)
        connection = Connection(
            Environment.LOCAL,
            api_version=job.connection.api_version,
            target=job.connection.target,
        )
        tasks = tuple(self._task(task, moved) for task in job.tasks)
        # Named one by one: whatever else a job has reaches out, such as notices and metrics.
        return Job(
            name=job.name,
            file=job.file,
            connection=connection,
            tasks=tasks,
            description=job.description,
            params=job.params,
            max_disk_bytes=job.max_disk_bytes,
            limits=job.limits,
            origin=job.origin,
        )

    def _task(self, task: AnyTask, moved: frozenset[Path]) -> AnyTask:
        if isinstance(task, WriteTask):
            return replace(
                task,
                source=self._source(task.source, moved),
                results=task.results and self.path(task.results),
                fields=task.fields and tuple(self._mapping(each, moved) for each in task.fields),
            )
        children = tuple(
            ChildTable(each.relationship, self._target(each.target), each.parent_column)
            for each in task.children
        )
        return replace(
            task,
            target=task.target and self._target(task.target),
            children=children,
            files=task.files and self.path(task.files),
            lists=tuple(
                replace(each, source=self._source(each.source, moved)) for each in task.lists
            ),
        )

    def _mapping(self, mapping: FieldMapping, moved: frozenset[Path]) -> FieldMapping:
        if mapping.folder not in moved:
            return mapping
        return replace(mapping, folder=self.path(mapping.folder))

    def _source(self, source: AnySource, moved: frozenset[Path]) -> AnySource:
        if isinstance(source, FileSource) and source.path in moved:
            return replace(source, path=self.path(source.path))
        if isinstance(source, SqlSource):
            tables = tuple(
                replace(each, source=self._source(each.source, moved)) for each in source.tables
            )
            return replace(source, tables=tables)
        return source

    def _target(self, target: Target) -> Target:
        if isinstance(target, FileTarget | FolderTarget):
            return replace(target, path=self.path(target.path))
        return target


def _written_paths(job: Job) -> frozenset[Path]:
    """Files and folders that the tasks of a job write."""
    queries = [task for task in job.tasks if isinstance(task, QueryTask)]
    targets = [target for task in queries for target in task.targets]
    paths = [each.path for each in targets if isinstance(each, FileTarget | FolderTarget)]
    paths += [task.files for task in queries if task.files is not None]
    return frozenset(paths) - {STANDARD_STREAM}

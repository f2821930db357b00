"""Which tasks must not run at once, although neither needs the other.

Two writes that lock the same records: of one object, of an object and its children, or children of
the same parents. Salesforce advises against both ("Record-Level Locking" in its guide to record
access for large organizations): the locks of one make rows of the other fail. And tasks of which
one writes the file, folder or database that the other reads or writes.

Knows what a task touches. Knows nothing of when a task runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from runner.credentials import SecretReference
from runner.engine.context import Context
from runner.engine.org_check import files_of_queries, known_header
from runner.engine.schedule import Conflict
from runner.errors import AbortedError, RunnerError, TransientError
from runner.job.choices import Concurrency
from runner.job.endpoints import (
    STANDARD_STREAM,
    DatabaseSource,
    DatabaseTarget,
    FileSource,
    FolderTarget,
    Source,
    SqlSource,
    Target,
    folder_of,
)
from runner.job.model import AnyTask, QueryTask, Verb, WriteTask
from runner.job.notation import is_pattern
from runner.salesforce.described import FieldDescribe

_UNLOCKED = frozenset({"user", "group", "recordtype", "profile", "userrole", "organization"})
"""Objects whose records are not locked by those that refer to them."""

Place = Path | str | SecretReference
"""A file or folder, the URL of a file, or the URL of a database."""


class Footprint(Struct, frozen=True):
    """What a task touches."""

    locks: frozenset[str] = frozenset()
    """Objects whose records it locks, in lower case; none for a query."""
    is_serial: bool = False
    """Whether it is a write beside which no other runs."""
    reads: frozenset[Place] = frozenset()
    writes: frozenset[Place] = frozenset()

    def is_in_the_way_of(self, other: Footprint) -> bool:
        """Whether the two must not run at once."""
        if self.locks and other.locks and (self.is_serial or other.is_serial):
            return True
        return (
            not self.locks.isdisjoint(other.locks)
            or _meet(self.writes, other.writes | other.reads)
            or _meet(other.writes, self.reads)
        )


def conflicts_of(tasks: Sequence[AnyTask], context: Context) -> Conflict:
    """Find out which of some tasks must not run at once.

    Raises:
        TransientError: The org could not be asked about the objects that they write.
    """
    to_be_written = files_of_queries(tasks)
    known = {task.name: footprint(task, context, to_be_written) for task in tasks}

    def conflict(one: AnyTask, other: AnyTask) -> bool:
        return known[one.name].is_in_the_way_of(known[other.name])

    return conflict


def footprint(task: AnyTask, context: Context, to_be_written: Collection[Path]) -> Footprint:
    """What a task touches.

    Args:
        task: The task.
        context: The run.
        to_be_written: Files that queries of the run write.

    Raises:
        TransientError: The org could not be asked about its object.
    """
    if isinstance(task, QueryTask):
        read = (each.source for each in task.lists)
        return Footprint(reads=_places(map(_read, read)), writes=places_written(task))
    own = [task.source, *_tables(task.source)]
    files = [context.job.files_folder(task.source)] if _has_files(task) else []
    return Footprint(
        locks=_locks(task, context, to_be_written),
        is_serial=task.concurrency is Concurrency.SERIAL,
        reads=_places([*map(_read, own), *files]),
        writes=places_written(task),
    )


def places_written(task: AnyTask) -> frozenset[Place]:
    """What a task writes outside of the org."""
    if isinstance(task, WriteTask):
        return _places([task.results])
    return _places([*map(_written, task.targets), *([task.files] if task.files else [])])


def _has_files(task: WriteTask) -> bool:
    return any(each.is_file for each in task.fields or ())


def _tables(source: Source) -> list[Source]:
    return [each.source for each in source.tables] if isinstance(source, SqlSource) else []


def _read(source: Source) -> Place | None:
    if isinstance(source, DatabaseSource):
        return source.url
    if not isinstance(source, FileSource):
        return None
    is_many = source.url is None and is_pattern(source.path)
    return source.url or (folder_of(source.path) if is_many else source.path)


def _written(target: Target) -> Place | None:
    if isinstance(target, DatabaseTarget):
        return target.url
    return target.path if isinstance(target, FolderTarget) else target.url or target.path


def _places(found: Iterable[Place | None]) -> frozenset[Place]:
    return frozenset(each for each in found if each is not None and each != STANDARD_STREAM)


def _meet(some: Iterable[Place], others: Iterable[Place]) -> bool:
    """Whether a place is among others: the same, or one inside of the other."""
    return any(_is_inside(one, other) for one in some for other in others)


def _is_inside(one: Place, other: Place) -> bool:
    if isinstance(one, Path) and isinstance(other, Path):
        return one.is_relative_to(other) or other.is_relative_to(one)
    return one == other


def _locks(task: WriteTask, context: Context, to_be_written: Collection[Path]) -> frozenset[str]:
    """Objects whose records a write locks: its own, and the parents that its rows name."""
    own = task.sobject.lower()
    try:
        found = {parent.lower() for parent in _related(task, context, to_be_written)}
    except (AbortedError, TransientError):
        raise
    except RunnerError:
        found = set()  # the task will end by saying so, and sends nothing
    return frozenset({own, *(found - _UNLOCKED)})


def _related(task: WriteTask, context: Context, to_be_written: Collection[Path]) -> Iterator[str]:
    describes = context.describes
    described = describes.of(task.sobject)
    header = known_header(task, to_be_written)
    deletes = task.verb in {Verb.DELETE, Verb.MERGE}
    if deletes or (header is None and task.fields is None):
        for each in described.fields.values():
            yield from _parents(each)
        if deletes:
            yield from described.children.values()  # which may be deleted with it, or move
        return
    from runner.engine.columns import plan_columns  # noqa: PLC0415 - of writes alone

    plan, _ = plan_columns(context.job, task, header, describes)
    for column in plan.columns:
        resolved = describes.resolve(task.sobject, column.field)
        if resolved.parent is not None:
            yield resolved.parent
        else:
            yield from _parents(resolved.field)


def _parents(field: FieldDescribe) -> tuple[str, ...]:
    return field.reference_to if field.createable or field.updateable else ()

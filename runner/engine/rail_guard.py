"""Stops a run before it writes, where that would exceed a limit of the job.

Before the first write, every task is judged whose rows can be known by then: those of files,
databases and finished tasks. Tasks that read the rows of others are judged before their own first
row is sent. Knows when a task is judged. Knows nothing of how its rows are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from threading import Lock

from msgspec import Struct, field
from msgspec.structs import replace

from runner import events
from runner.engine.context import Context
from runner.engine.rails import Effect, exceeded, needs_records, rails_of
from runner.errors import JobError, RailError, SourceError, UsageError
from runner.job.binds import bind
from runner.job.endpoints import (
    STANDARD_STREAM,
    FileSource,
    MissingSource,
    Source,
    SqlSource,
    TaskSource,
)
from runner.job.mirrors import is_chosen
from runner.job.model import Job, WriteTask
from runner.job.partial_job import files_written_by
from runner.job.rails import Rail
from runner.salesforce.rest.query import pages

EffectOf = Callable[[WriteTask, Context], Effect]
"""What a task would do that has not begun: its rows are read, and nothing is sent or kept."""


class RailGuard(Struct):
    """The limits of one run. Tasks that run side by side share it."""

    job: Job
    allowed: Collection[Rail] = ()
    """Limits that do not count this time."""
    only: Collection[str] = ()
    """Names of the tasks that run; empty means all."""
    has_written: bool = False
    """Whether a write has begun, in this process or before a resume."""
    _effects: dict[str, Effect] = field(default_factory=dict)
    _records: dict[tuple[str, str | None], int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def compares(self, task: WriteTask) -> bool:
        """Whether a task's rows have to be compared with their records to judge it."""
        return needs_records(task, rails_of(self.job, task, self.allowed))

    def check(
        self, task: WriteTask, context: Context, effect: Callable[[], Effect], others: EffectOf
    ) -> None:
        """Judge a task that is about to write, and every other whose rows are known by now.

        Args:
            task: Its rows are staged, and nothing of them was sent.
            context: Of the task.
            effect: Finds out what it would do.
            others: Finds out what another would do.

        Raises:
            RailError: A limit would be exceeded.
            OrgError: The org does not say how many records there are, or what they hold.
        """
        with self._lock:
            if rails_of(self.job, task, self.allowed):
                self._effects[task.name] = effect()
            for other in self._known_by_now(task, context):
                quiet = replace(context, sink=events.ignore)
                try:
                    self._effects[other.name] = others(other, quiet)
                except (JobError, SourceError, UsageError):
                    continue  # it will say so itself, when it is its turn
            found = tuple(
                exceeded(
                    self.job, self._effects, lambda each: self._count(each, context), self.allowed
                )
            )
            if found:
                raise RailError(found, resumable=self.has_written)
            self.has_written = True

    def _known_by_now(self, task: WriteTask, context: Context) -> Iterator[WriteTask]:
        """Other tasks that have limits, have not begun, and whose rows can be read."""
        answers = {each.on_failure for each in self.job.tasks}
        judged = [
            other
            for other in self.job.tasks
            if isinstance(other, WriteTask)
            and other.name != task.name
            and other.enabled
            and is_chosen(other, self.only)
            and other.name not in self._effects
            and other.name not in answers
            and rails_of(self.job, other, self.allowed)
            and not context.has_begun(other)
        ]
        if not judged:
            return
        ended = {each.name for each in context.ledger.run(context.run_id).tasks if each.final}
        to_come = frozenset(
            file
            for each in self.job.tasks
            if each.name not in ended
            for file in files_written_by(replace(self.job, tasks=(each,)))
        )
        # What a mirror lacks is known once the mirror itself has been judged.
        yield from (other for other in judged if _is_known(other.source, context, ended, to_come))

    def _count(self, task: WriteTask, context: Context) -> int:
        asked = (task.sobject.lower(), task.scope)
        if asked not in self._records:
            self._records[asked] = records_in_scope(task, context)
        return self._records[asked]


def records_in_scope(task: WriteTask, context: Context) -> int:
    """How many records a share is of: those of the object, or of the task's scope.

    Raises:
        OrgError: The org does not say.
    """
    where = f" WHERE {bind(task.scope, context.params)}" if task.scope else ""
    soql = f"SELECT COUNT() FROM {task.sobject}{where}"  # noqa: S608 - checked by describe
    return next(pages(context.session, soql)).total_size


def _is_known(
    source: Source, context: Context, ended: Collection[str], to_come: Collection[Path]
) -> bool:
    """Whether rows can be read now: nothing that a task has yet to write, or that comes once."""
    if isinstance(source, SqlSource):
        return all(_is_known(each.source, context, ended, to_come) for each in source.tables)
    if isinstance(source, TaskSource):
        return source.task in ended and context.rows_file(source).exists()
    if isinstance(source, MissingSource):
        from runner.engine.mirror import missing_file  # noqa: PLC0415 - few jobs mirror

        return missing_file(context, source).exists()
    if isinstance(source, FileSource):
        return source.path != STANDARD_STREAM and source.path not in to_come
    return True

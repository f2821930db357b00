"""What a query records before it adds rows to its targets, and what a resume makes of that.

A process may die after rows have got into a target and before the ledger has the task's end. Added
once more they would be there twice. So the ledger first gets what to look for, and how the task
ends if it is there. Knows the record. Knows nothing of how rows are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from runner.engine.query import OWN, place_of
from runner.engine.task_end import TaskEnd
from runner.errors import StateError
from runner.files import sync, unwritable
from runner.job.endpoints import TableMode, Target
from runner.outcome import TaskOutcome
from runner.state.watermarks import Extracted
from runner.tables.targets.landing import Landing, has_landed, marker

if TYPE_CHECKING:
    from runner.engine.context import Context
    from runner.job.model import QueryTask
    from runner.tables.targets.deliver import OnLanding
    from runner.tables.targets.target_state import TargetState


class _Record(Struct, frozen=True):
    """What the ledger has of a query that adds rows."""

    outcome: TaskOutcome
    """How the task ends."""
    extracted: Extracted | None
    needed: tuple[Path, ...]
    """Files of the run that are needed after its end."""
    last: str | None
    """The place that is written last; None: its rows are not added but replace others."""
    landings: dict[str, Landing] = {}
    """By place."""


class Appended:
    """The rows that one query adds to its targets."""

    def __init__(self, task: QueryTask, context: Context) -> None:
        """Look for the rows that an earlier process of the run was about to add.

        Raises:
            StateError: Nothing tells whether they are in their target, or it cannot be read.
        """
        self._task, self._context = task, context
        past = context.past.task(task.name) if context.past else None
        folder = context.task_folder(task)
        self._record = _read(past.plan, folder) if past and past.plan else None
        targets = dict(targets_of(task))
        landings = self._record.landings if self._record else {}
        self._landed = {
            place for place, each in landings.items() if self._has(targets[place], each)
        }

    @property
    def end(self) -> TaskEnd | None:
        """How the task ends if all of its rows are in their targets already; None if not.

        Raises:
            StateError: They are, but files that are needed as well are gone.
        """
        record = self._record
        if record is None or record.last not in self._landed:
            return None
        gone = next((each for each in record.needed if not each.exists()), None)
        if gone is not None:
            raise StateError(
                f"The rows of task {self._task.name!r} are in their target already, but this run"
                f" cannot be finished: {gone} does not exist.",
                hint=f"Abandon it: `{self._abandon}`.",
            )
        note = "its rows were in the target already when the run was resumed"
        outcome = replace(record.outcome, notes=(*record.outcome.notes, note))
        return TaskEnd(outcome, extracted=record.extracted)

    def has(self, place: str) -> bool:
        """Whether an earlier process has added the rows of a place."""
        return place in self._landed

    def expect(self, end: TaskEnd, needed: Sequence[Path]) -> None:
        """Say how the task ends once all is written, and which files are needed after that."""
        last = None
        for place, target in targets_of(self._task):
            last = place if target.mode is TableMode.APPEND else None
        extracted = end.extracted
        files = (*needed, *((extracted.delivered,) if extracted else ()))
        landings = self._record.landings if self._record else {}
        known = {place: each for place, each in landings.items() if self.has(place)}
        self._record = _Record(end.outcome, extracted, files, last, known)

    def told(self, place: str, target: Target) -> tuple[TargetState | None, OnLanding | None]:
        """What the target keeps beside the rows, and what to call just before they are added.

        Raises:
            StateError: The database cannot be reached.
        """
        if target.mode is not TableMode.APPEND:
            return None, None
        context, job = self._context, self._context.job
        over = context.ledger.settled(job.file)
        state = marker(target, job.name, self._task.name, context.org_id, context.run_id, over)
        return state, partial(self._note, place)

    def _note(self, place: str, landing: Landing) -> None:
        record = self._record
        if record is None:
            return
        for each in record.needed if place == record.last else ():
            try:
                sync(each)
            except OSError as error:
                raise unwritable(each, error) from error
        self._record = replace(record, landings={**record.landings, place: landing})
        text = msgspec.json.encode(self._record, enc_hook=str).decode()
        self._context.ledger.plan_task(self._context.run_id, self._task.name, text)

    def _has(self, target: Target, landing: Landing) -> bool:
        context, task = self._context, self._task.name
        found = has_landed(target, landing, context.job.name, task, context.run_id)
        if found is None:
            raise StateError(
                f"It is not known whether the rows of task {task!r} are in {place_of(target)}: the"
                " process died while it added them, and the target does not show it.",
                hint=f"Look into it, then abandon the run: `{self._abandon}`. If rows are missing,"
                " run the job again.",
            )
        return found

    @property
    def _abandon(self) -> str:
        return f"runner resume {self._context.run_id} --abandon"


def targets_of(task: QueryTask) -> Iterator[tuple[str, Target]]:
    """The targets of a query in the order in which they are written, each with its place."""
    for child in task.children:
        yield child.relationship, child.target
    if task.target is not None:
        yield OWN, task.target


def _read(text: str, folder: Path) -> _Record:
    """Read a record; the task's folder may be elsewhere on this machine."""
    record = msgspec.json.decode(text, type=_Record, dec_hook=_path)
    extracted = record.extracted
    if extracted is not None:
        extracted = replace(extracted, delivered=folder / extracted.delivered.name)
    needed = tuple(folder / each.name for each in record.needed)
    return replace(record, extracted=extracted, needed=needed)


def _path(type_: type, text: Any) -> Any:  # noqa: ANN401 - msgspec's own signature
    return type_(text)

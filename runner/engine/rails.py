"""Judges the limits of a job by what its tasks would do.

Pure: from numbers to problems with positions. Knows nothing of how the numbers are found out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from msgspec import Struct

from runner.diagnostics import Diagnostic, Location
from runner.job.endpoints import MissingSource, TaskSource
from runner.job.limits import RAILS, Needs, applies, exceeds, verbs_of
from runner.job.model import Job, WriteTask
from runner.job.rails import Amount, Rail
from runner.wording import counted

_DONE = {
    Rail.MAX_CREATES: ("create {}", "record"),
    Rail.MAX_UPDATES: ("change {}", "record"),
    Rail.MAX_DELETES: ("delete {}", "record"),
    Rail.MAX_CLEARS: ("empty {} of records", "cell"),
}


class Effect(Struct, frozen=True):
    """What a write would do."""

    rows: int = 0
    """Rows of its source."""
    creates: int = 0
    updates: int = 0
    deletes: int = 0
    clears: int = 0
    """Cells of records that would be emptied."""

    def of(self, rail: Rail) -> int:
        """The number that a limit is about."""
        return {
            Rail.MIN_ROWS: self.rows,
            Rail.MAX_CREATES: self.creates,
            Rail.MAX_UPDATES: self.updates,
            Rail.MAX_DELETES: self.deletes,
            Rail.MAX_CLEARS: self.clears,
        }[rail]


def rails_of(job: Job, task: WriteTask, allowed: Collection[Rail]) -> frozenset[Rail]:
    """The limits that say something about a task's rows, its own and the job's."""
    return frozenset(
        rail
        for rail in {*job.limits, *job.limits_of(task)}
        if rail not in allowed and _counts(job, task, rail)
    )


def needs_records(task: WriteTask, rails: Collection[Rail]) -> bool:
    """Whether these limits need to know what the task's records hold."""
    return any(RAILS[rail].verbs.get(task.verb) is Needs.RECORDS for rail in rails)


def exceeded(
    job: Job,
    effects: Mapping[str, Effect],
    records: Callable[[WriteTask], int],
    allowed: Collection[Rail] = (),
) -> Iterator[Diagnostic]:
    """Limits that are exceeded.

    A limit of the job is about all tasks together; a share is judged for each object by itself.

    Args:
        job: With its limits.
        effects: What each task would do, by its name, as far as it is known.
        records: Counts the records that a task's rows are a share of.
        allowed: Limits that do not count this time.
    """
    tasks = [task for task in job.tasks if isinstance(task, WriteTask) and task.name in effects]
    path: Location
    group: Collection[WriteTask]
    for task in tasks:
        for rail, amount in task.limits.items():
            if rail not in allowed and rail in _own(task):
                path = ("tasks", task.index, "limits", rail.value)
                others = (each for each in tasks if _completes(each, task))
                group = [task, *others] if rail is not Rail.MIN_ROWS else [task]
                yield from _judged(job, path, rail, amount, group, effects, records)
    for rail, amount in job.limits.items():
        counted = [task for task in tasks if rail not in allowed and _counts(job, task, rail)]
        for group in _groups(rail, amount, counted):
            path = ("limits", rail.value)
            yield from _judged(job, path, rail, amount, group, effects, records)


def _own(task: WriteTask) -> Collection[Rail]:
    """The limits that a task may exceed, or what completes it if it is a mirror."""
    return [rail for rail in RAILS if any(applies(rail, verb) for verb in verbs_of(task))]


def _completes(task: WriteTask, mirror: WriteTask) -> bool:
    """Whether a task is for the records that a mirror's source does not have."""
    return isinstance(task.source, MissingSource) and task.source.task == mirror.name


def _counts(job: Job, task: WriteTask, rail: Rail) -> bool:
    """Whether a limit has something to count in the rows of a task, or of what completes it."""
    if rail not in _own(task) or RAILS[rail].verbs.get(task.verb) is Needs.USAGE:
        return False
    if rail is Rail.MIN_ROWS and isinstance(task.source, MissingSource):
        return False
    if rail is not Rail.MIN_ROWS or rail in task.limits:
        return True
    # How many rows another write leaves is not a question of an extract that is whole.
    source = task.source
    producer = job.task(source.task) if isinstance(source, TaskSource) else None
    return not isinstance(producer, WriteTask)


def _groups(
    rail: Rail, amount: Amount, tasks: Collection[WriteTask]
) -> Iterator[Collection[WriteTask]]:
    """The tasks that a limit of the job judges together."""
    if rail is Rail.MIN_ROWS:
        yield from ([task] for task in tasks)
    elif amount.percent is None:
        yield tasks
    else:
        for sobject in dict.fromkeys(task.sobject.lower() for task in tasks):
            yield [task for task in tasks if task.sobject.lower() == sobject]


def _judged(  # noqa: PLR0913, PLR0917 - what it takes to judge
    job: Job,
    path: Location,
    rail: Rail,
    amount: Amount,
    tasks: Collection[WriteTask],
    effects: Mapping[str, Effect],
    records: Callable[[WriteTask], int],
) -> Iterator[Diagnostic]:
    number = sum(effects[task.name].of(rail) for task in tasks)
    if not tasks or (rail is not Rail.MIN_ROWS and not number):
        return
    first = next(iter(tasks))
    if rail is Rail.MIN_ROWS:
        least = amount.number or 0
        if number >= least:
            return
        has = counted(number, "row")
        message = f"the source of `{first.name}` has {has}, and `{rail}` requires {least:,}"
    else:
        total = records(first) if amount.percent is not None else 0
        if not exceeds(amount, number, total):
            return
        what, noun = _DONE[rail]
        done = what.format(counted(number, noun))
        share = f" of the {total:,} of {first.sobject}" if amount.percent is not None else ""
        acting = [task for task in tasks if effects[task.name].of(rail)]
        who = f"`{acting[0].name}`" if len(acting) == 1 else f"{len(acting)} tasks together"
        message = f"{who} would {done}, and `{rail}` allows {amount}{share}"
    hint = f"Check the rows first; `--allow {rail}` overrides it once."
    yield job.origin.diagnose(path, RAILS[rail].code, message, help=hint, at_key=True)

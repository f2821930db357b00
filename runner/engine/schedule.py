"""Which task of a run may start, given which have ended and which are under way.

Tasks that must not run at once run in the order of `in_order`, so that side by side they leave what
they leave one after another. Pure. Knows order. Knows nothing of what tasks do or of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from msgspec import Struct, field

from runner.job.endpoints import tasks_of
from runner.job.model import AnyTask, WriteTask

Conflict = Callable[[AnyTask, AnyTask], bool]
"""Whether two tasks must not run at once."""


def _never(_one: AnyTask, _other: AnyTask) -> bool:
    return False


class _Entry(Struct):
    """A task that has not ended."""

    task: AnyTask
    rank: int
    """Its place in the file; of the answer to a failure, that of the task that failed."""
    waits_for_all_above: bool
    waits_for: set[str] = field(default_factory=set)
    """Names of tasks that must end first."""


class Schedule:
    """The tasks of a run that have not ended."""

    def __init__(self, ordered: Sequence[AnyTask], conflict: Conflict = _never) -> None:
        """Plan the order.

        Args:
            ordered: Tasks in the order in which they would run one after another.
            conflict: Which of them must not run at once.
        """
        self._conflict = conflict
        self._entries: dict[str, _Entry] = {}
        for task in ordered:
            entry = _Entry(task, task.index, task.needs is None)
            entry.waits_for.update(task.needs or ())
            if isinstance(task, WriteTask):
                entry.waits_for.update(each.task for each in tasks_of(task.source))
            entry.waits_for.update(self._in_the_way(task))
            self._entries[task.name] = entry

    def next(self, under_way: Collection[str]) -> AnyTask | None:
        """The first task that may start; None if none may before another ends."""
        return next(
            (
                entry.task
                for entry in self._entries.values()
                if entry.task.name not in under_way and self._may_start(entry)
            ),
            None,
        )

    def ended(self, task: AnyTask) -> None:
        """Take a task out that has ended or is skipped."""
        self._entries.pop(task.name, None)

    def answer(self, failed: AnyTask, answer: AnyTask, under_way: Collection[str]) -> None:
        """Put the answer to a failure in the place of the task that failed, before that is ended.

        What waited for the one waits for the other, if it runs without success of the first.
        """
        entry = _Entry(answer, self._entries[failed.name].rank, waits_for_all_above=False)
        place = list(self._entries).index(failed.name)
        before = dict(list(self._entries.items())[:place])
        after = dict(list(self._entries.items())[place + 1 :])
        for other in (*before.values(), *after.values()):
            if self._conflict(other.task, answer):
                if other.task.name in before or other.task.name in under_way:
                    entry.waits_for.add(other.task.name)
                else:
                    other.waits_for.add(answer.name)
        self._entries = {**before, failed.name: self._entries[failed.name]}
        self._entries |= {answer.name: entry, **after}

    @property
    def most_at_once(self) -> int:
        """No more tasks than this can be under way at once."""
        entries = list(self._entries.values())
        place = {entry.task.name: at for at, entry in enumerate(entries)}
        # Sets of tasks are numbers, a bit for each: there may be thousands.
        before = [0] * len(entries)
        after = [0] * len(entries)
        direct: list[list[int]] = []
        for at, entry in enumerate(entries):
            found = [place[name] for name in entry.waits_for if name in place]
            if entry.waits_for_all_above:
                found += [n for n, other in enumerate(entries[:at]) if other.rank < entry.rank]
            direct.append(found)
            for other in found:
                before[at] |= before[other] | 1 << other
        for at in reversed(range(len(entries))):
            for other in direct[at]:
                after[other] |= after[at] | 1 << at
        in_order_with = map(int.bit_count, map(int.__or__, before, after))
        return max((len(entries) - number for number in in_order_with), default=1)

    def _in_the_way(self, task: AnyTask) -> set[str]:
        """Tasks that come before this one and must not run beside it."""
        return {name for name, each in self._entries.items() if self._conflict(each.task, task)}

    def _may_start(self, entry: _Entry) -> bool:
        if not entry.waits_for.isdisjoint(self._entries):
            return False
        return not entry.waits_for_all_above or not any(
            other.rank < entry.rank for other in self._entries.values()
        )

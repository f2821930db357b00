"""Task names: unique, and named rightly by the tasks that refer to them."""

from __future__ import annotations

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Location
from runner.job.model import AnyTask, WriteTask
from runner.job.partial_job import Draft, source_tasks, task_path
from runner.suggest import did_you_mean, in_words


def duplicates(draft: Draft) -> Iterator[Diagnostic]:
    """Two tasks of one name; case aside, since result folders bear the names."""
    first: dict[str, int] = {}
    for index, name in enumerate(draft.names):
        if name is None:
            continue
        earlier = first.setdefault(name.casefold(), index)
        if earlier != index:
            position = draft.origin.positions.get(("tasks", earlier, "name"))
            where = f" on line {position.line}" if position else ""
            path = ("tasks", index, "name")
            message = f"`{name}` is already the name of the task{where}"
            hint = "give each task a name of its own"
            yield draft.origin.diagnose(path, "job/duplicate-task", message, help=hint)


def references(draft: Draft) -> Iterator[Diagnostic]:
    """Names of tasks that do not exist, and tasks that refer to themselves."""
    known = [name for name in draft.names if name]
    for task in draft.tasks:
        for path, named in _named(task):
            others = [each for each in known if each != task.name]
            if named == task.name:
                message = f"the task `{named}` refers to itself"
                code = "job/refers-to-itself"
                yield draft.origin.diagnose(path, code, message, help="name another task")
            elif named not in known:
                takes = f"the other tasks are {in_words(others, 'and')}" if others else None
                hint = did_you_mean(named, others, takes or "there is no other task")
                message = f"there is no task `{named[:60]}`"
                yield draft.origin.diagnose(path, "job/unknown-task", message, help=hint)


def _named(task: AnyTask) -> Iterator[tuple[Location, str]]:
    """Every reference to a task, and where it stands."""
    for position, name in enumerate(task.needs or ()):
        yield task_path(task, "needs", position), name
    if task.on_failure is not None:
        yield task_path(task, "on_failure"), task.on_failure
    if isinstance(task, WriteTask):
        yield from (((*path, "task"), each.task) for path, each in source_tasks(task))

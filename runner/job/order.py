"""The order of a job's tasks: what comes before what, by `needs` and by where they are written.

A task without `needs` waits for every task above it, except for `on_failure` tasks: those are
outside the order and run when their task fails.

Pure. Knows nothing of what tasks do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from runner.job.endpoints import TaskSource, tasks_of
from runner.job.model import AnyTask, WriteTask

Prerequisites = Mapping[str, tuple[str, ...]]


def prerequisites(tasks: Sequence[AnyTask]) -> Prerequisites:
    """Names of the tasks that must come before each task of the order."""
    on_failure = {task.on_failure for task in tasks}
    main = [task for task in tasks if task.name not in on_failure]
    names = [task.name for task in main]
    return {
        task.name: tuple(names[:index]) if task.needs is None else task.needs
        for index, task in enumerate(main)
    }


def earlier(name: str, before: Prerequisites, tasks: Sequence[AnyTask]) -> set[str]:
    """Every task that has certainly ended when this one starts."""
    failing = [task.name for task in tasks if task.on_failure == name]
    pending = list(before.get(name, failing[:1]))
    found: set[str] = set()
    while pending:
        each = pending.pop()
        if each not in found:
            found.add(each)
            pending += before.get(each, ())
    return found


def in_order(tasks: Sequence[AnyTask]) -> tuple[AnyTask, ...]:
    """Tasks so that each comes after its prerequisites, otherwise as written.

    This is the order in which they run one after another. Tasks named by an `on_failure` are left
    out: they run only when the other task fails.
    """
    on_failure = {task.on_failure for task in tasks}
    waiting = [task for task in tasks if task.name not in on_failure]
    ordered: list[AnyTask] = []
    done: set[str] = set()
    while waiting:
        ready = next(task for task in waiting if _is_ready(task, waiting, done))
        waiting.remove(ready)
        ordered.append(ready)
        done.add(ready.name)
    return tuple(ordered)


def left_out(tasks: Sequence[AnyTask]) -> Mapping[str, str]:
    """Enabled tasks that need a disabled one, or its rows: the name of that by the task's own."""
    found = {task.name: task.name for task in tasks if not task.enabled}
    for task in in_order(tasks):
        needed = (*(task.needs or ()), *(each.task for each in sources_of(task)))
        cause = next((found[name] for name in needed if name in found), None)
        if cause is not None:
            found.setdefault(task.name, cause)
    return {name: cause for name, cause in found.items() if name != cause}


def sources_of(task: AnyTask) -> tuple[TaskSource, ...]:
    """The tasks whose rows a task reads."""
    if isinstance(task, WriteTask):
        return tasks_of(task.source)
    return tuple(each.source for each in task.lists if isinstance(each.source, TaskSource))


def _is_ready(task: AnyTask, waiting: Sequence[AnyTask], done: Collection[str]) -> bool:
    """Whether every task that must come first is done; validation has refused cycles."""
    if task.needs is None:
        return waiting[0] is task
    present = {other.name for other in waiting}
    return all(name in done or name not in present for name in task.needs)

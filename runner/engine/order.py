"""In which order tasks run, and which are left out after a failure.

Pure: from declared tasks to names. Knows nothing of how a task is carried out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from runner.job.model import AnyTask


def in_order(tasks: Sequence[AnyTask]) -> tuple[AnyTask, ...]:
    """Tasks so that each comes after its prerequisites, otherwise as written.

    Tasks that only answer another's failure (`on_failure`) are left out: they run when it fails.
    """
    answers = {task.on_failure for task in tasks}
    waiting = [task for task in tasks if task.name not in answers]
    ordered: list[AnyTask] = []
    done: set[str] = set()
    while waiting:
        ready = next(task for task in waiting if _is_ready(task, waiting, done))
        waiting.remove(ready)
        ordered.append(ready)
        done.add(ready.name)
    return tuple(ordered)


def _is_ready(task: AnyTask, waiting: Sequence[AnyTask], done: Collection[str]) -> bool:
    """Whether nothing that must come first still waits; validation has refused cycles."""
    if task.needs is None:
        return not any(other.index < task.index for other in waiting)
    present = {other.name for other in waiting}
    return all(name in done or name not in present for name in task.needs)


def chosen(tasks: Sequence[AnyTask], names: Collection[str]) -> tuple[AnyTask, ...]:
    """Only the named tasks; all when none is named."""
    return tuple(task for task in tasks if not names or task.name in names)

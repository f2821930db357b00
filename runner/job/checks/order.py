"""Order of tasks: no circles, and rows are there before they are read.

A task without `needs` comes after every task written above it, except those that only answer a
failure (`on_failure`): they stand outside the order and run when their task fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from runner.diagnostics import Diagnostic
from runner.job.model import AnyTask
from runner.job.partial_job import Draft, source_tasks, task_path
from runner.suggest import in_words

Prerequisites = Mapping[str, tuple[str, ...]]


def prerequisites(tasks: Sequence[AnyTask]) -> Prerequisites:
    """Names of the tasks that must come before each task of the order."""
    answers = {task.on_failure for task in tasks}
    main = [task for task in tasks if task.name not in answers]
    names = [task.name for task in main]
    return {
        task.name: tuple(names[:index]) if task.needs is None else task.needs
        for index, task in enumerate(main)
    }


def check(draft: Draft) -> Iterator[Diagnostic]:
    """Find circles; without any, sources that are read too early."""
    if not draft.is_whole or len(set(draft.names)) < len(draft.names):
        return
    before = prerequisites(draft.tasks)
    circles = list(_circles(before))
    yield from (_tell(circle, draft) for circle in circles)
    yield from _answer_circles(draft)
    yield from _needed_answers(before, draft)
    if not circles:
        yield from _early_sources(before, draft)


def _circles(before: Prerequisites) -> Iterator[list[str]]:
    """Circles that share no task, each as short as it can be told."""
    graph = _sparse(before)
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][:0:-1]  # it ends as it begins, and goes the other way
        else:
            return
        yield _shortened(circle, before)
        graph = {
            name: [each for each in needed if each not in circle]
            for name, needed in graph.items()
            if name not in circle
        }


def _sparse(before: Prerequisites) -> dict[str, Sequence[str]]:
    """The same order with fewer edges: a task that waits for all above it stands for them."""
    graph: dict[str, Sequence[str]] = {}
    since = 0
    for index, (name, needed) in enumerate(before.items()):
        waits_for_all = len(needed) == index and needed == tuple(graph)
        graph[name] = (
            needed[since:] if waits_for_all else [each for each in needed if each in before]
        )
        since = index if waits_for_all else since
    return graph


def _shortened(circle: Sequence[str], before: Prerequisites) -> list[str]:
    """The circle, begun at the task written first and cut short where a task waits for many."""
    order = list(before)
    start = circle.index(min(circle, key=order.index))
    rest = [*circle[start:], *circle[:start]]
    path = [rest[0]]
    while rest[0] not in before[path[-1]]:
        needed = set(before[path[-1]])
        path.append(next(name for name in reversed(rest) if name in needed))
    return path


def _tell(circle: Sequence[str], draft: Draft) -> Diagnostic:
    tasks = {task.name: task for task in draft.tasks}
    follower = next((name for name in circle if tasks[name].needs is not None), circle[0])
    position = circle.index(follower)
    needed = circle[(position + 1) % len(circle)]
    task = tasks[follower]
    path = task_path(task, "needs", (task.needs or ()).index(needed) if task.needs else 0)
    message = f"these tasks wait for one another: {' → '.join((*circle, circle[0]))}"
    unsaid = [name for name in circle if tasks[name].needs is None]
    hint = "take one of the `needs` away"
    if unsaid:
        hint = f"{in_words(unsaid, 'and')} comes after all tasks above it; give it its own `needs`"
    return draft.origin.diagnose(path, "job/circle", message, help=hint)


def _answer_circles(draft: Draft) -> Iterator[Diagnostic]:
    """Tasks that answer each other's failures."""
    answer = {task.name: task.on_failure for task in draft.tasks}
    told: set[str] = set()
    for task in draft.tasks:
        path = [task.name]
        while (following := answer.get(path[-1])) and following not in path:
            path.append(following)
        if following == task.name and len(path) > 1 and not told & set(path):
            told.update(path)
            message = f"these tasks answer each other's failure: {' → '.join((*path, task.name))}"
            at = task_path(task, "on_failure")
            hint = "let the last one answer to nothing"
            yield draft.origin.diagnose(at, "job/circle", message, help=hint)


def _needed_answers(before: Prerequisites, draft: Draft) -> Iterator[Diagnostic]:
    """Tasks that wait for one that may never run."""
    for task in draft.tasks:
        for position, name in enumerate(task.needs or ()):
            if name in draft.names and name not in before:
                path = task_path(task, "needs", position)
                message = f"`{name}` runs only when another task fails, so nothing can wait for it"
                hint = "wait for the task that it answers for"
                yield draft.origin.diagnose(path, "job/needs-answer", message, help=hint)


def _early_sources(before: Prerequisites, draft: Draft) -> Iterator[Diagnostic]:
    tasks = {task.name: task for task in draft.tasks}
    takers = ((task, *found) for task in draft.writes for found in source_tasks(task))
    for task, where, source in takers:
        if source.task == task.name:
            continue
        if source.task not in tasks or source.task in _earlier(task.name, before, draft):
            continue
        path = (*where, "task")
        later = tasks[source.task].index > task.index
        what = "comes later" if later else f"is not waited for by `{task.name}`"
        message = f"the rows of `{source.task}` may not be there yet: it {what}"
        hint = f"write it above `{task.name}`" if later else f"add it: needs: [{source.task}]"
        if source.task not in before:
            message = f"`{source.task}` runs only when another task fails"
            hint = "take the rows of a task that always runs"
        yield draft.origin.diagnose(path, "job/source-too-early", message, help=hint)


def _earlier(name: str, before: Prerequisites, draft: Draft) -> set[str]:
    """Every task that has surely ended when this one begins."""
    failing = [task.name for task in draft.tasks if task.on_failure == name]
    open_ends = list(before.get(name, failing[:1]))
    found: set[str] = set()
    while open_ends:
        each = open_ends.pop()
        if each not in found:
            found.add(each)
            open_ends += before.get(each, ())
    return found

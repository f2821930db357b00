"""Tasks: one verb each, unique names, and an order in which each can start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Location
from runner.job.endpoints import TaskRows
from runner.job.model import DECLARED_VERBS, AnyTask, Verb
from runner.job.order import Prerequisites, earlier, prerequisites
from runner.job.origin import Origin
from runner.job.partial_job import PartialJob, as_list, source_tasks, task_path
from runner.job.source_query import SourceQuery
from runner.suggest import closest, did_you_mean, in_words

_VERBS = list(DECLARED_VERBS)
_SYNONYMS = {
    "insert": Verb.CREATE,
    "add": Verb.CREATE,
    "select": Verb.QUERY,
    "soql": Verb.QUERY,
    "export": Verb.QUERY,
    "remove": Verb.DELETE,
}


def verbs(values: Mapping[str, Any], origin: Origin) -> Iterator[Diagnostic]:
    """Tasks with no verb or several.

    Works on plain values, before the schema: without one verb there is no telling which keys a
    task may have.
    """
    for index, task in enumerate(as_list(values.get("tasks"))):
        if not isinstance(task, Mapping):
            continue
        present = [verb for verb in task if verb in _VERBS]
        if not present:
            yield _no_verb(task, index, origin)
        elif len(present) > 1:
            path = ("tasks", index)
            message = f"this task has {len(present)} verbs: {in_words(present, 'and')}"
            hint = "split it into one task per verb"
            at = (*path, present[1])
            found = origin.diagnose(at, "job/two-verbs", message, help=hint, at_key=True)
            yield _of_task(found, path)


def _no_verb(task: Mapping[str, Any], index: int, origin: Origin) -> Diagnostic:
    path = ("tasks", index)
    for key in task:
        meant = _SYNONYMS.get(key) or (closest(key, _VERBS) if key != "deleted" else None)
        if meant:
            message = f"`{key}` is not a verb"
            hint = f"did you mean `{meant}`?"
            at = origin.diagnose((*path, key), "job/no-verb", message, help=hint, at_key=True)
            return _of_task(at, path)
    hint = f"write what it does and to which sObject: {in_words(_VERBS)}"
    return origin.diagnose(path, "job/no-verb", "this task has no verb", help=hint, at_key=True)


def _of_task(found: Diagnostic, path: Location) -> Diagnostic:
    """The same problem, for the whole task: nothing else can be said about it."""
    return replace(found, path=path)


def duplicate_names(job: PartialJob) -> Iterator[Diagnostic]:
    """Two tasks with one name, ignoring case since result folders are named after tasks."""
    first: dict[str, int] = {}
    for index, name in enumerate(job.names):
        if name is None:
            continue
        earlier = first.setdefault(name.casefold(), index)
        if earlier != index:
            position = job.origin.positions.get(("tasks", earlier, "name"))
            where = f" on line {position.line}" if position else ""
            path = ("tasks", index, "name")
            message = f"`{name}` is already the name of the task{where}"
            hint = "give each task a different name"
            yield job.origin.diagnose(path, "job/duplicate-task", message, help=hint)


def references(job: PartialJob) -> Iterator[Diagnostic]:
    """References to tasks that do not exist, and tasks that refer to themselves."""
    known = [name for name in job.names if name]
    of_sources = {task.name for task in job.tasks if isinstance(task, SourceQuery)}
    for task in job.tasks:
        for path, named in _named(task):
            if named in of_sources:
                continue
            others = [each for each in known if each != task.name]
            if named == task.name:
                message = f"the task `{named}` refers to itself"
                code = "job/refers-to-itself"
                yield job.origin.diagnose(path, code, message, help="name another task")
            elif named not in known:
                known_names = f"the other tasks are {in_words(others, 'and')}" if others else None
                hint = did_you_mean(named, others, known_names or "the job has no other task")
                message = f"there is no task `{named[:60]}`"
                yield job.origin.diagnose(path, "job/unknown-task", message, help=hint)


def _named(task: AnyTask) -> Iterator[tuple[Location, str]]:
    """Every reference to a task, and where it is."""
    for position, name in enumerate(task.needs or ()):
        yield task_path(task, "needs", position), name
    if task.on_failure is not None:
        yield task_path(task, "on_failure"), task.on_failure
    yield from (((*path, "task"), each.task) for path, each in source_tasks(task))


def rows_of_tasks(job: PartialJob) -> Iterator[Diagnostic]:
    """Sources that ask another task for a kind of rows that it does not have."""
    verbs = {task.name: task.verb for task in job.tasks}
    readers = (found for task in job.tasks for found in source_tasks(task))
    for where, source in readers:
        if source.rows is None:
            continue
        verb = verbs.get(source.task)
        is_query = verb is Verb.QUERY
        if verb is None or is_query == (source.rows is TaskRows.RECORDS):
            continue
        has = ["records"] if is_query else ["succeeded", "failed", "unprocessed"]
        what = "a query" if is_query else "a write"
        message = f"`{source.task}` is {what} and has no `{source.rows}` rows"
        path = (*where, "rows")
        hint = f"it has {in_words(has)}"
        yield job.origin.diagnose(path, "job/wrong-rows", message, help=hint)


def order(job: PartialJob) -> Iterator[Diagnostic]:
    """Circles; without any, sources that are read too early."""
    if not job.is_whole or len(set(job.names)) < len(job.names):
        return
    before = prerequisites(job.tasks)
    circles = list(_circles(before))
    yield from (_circle_problem(circle, job) for circle in circles)
    yield from _failure_circles(job)
    yield from _needed_failure_tasks(before, job)
    if not circles:
        yield from _early_sources(before, job)


def _circles(before: Prerequisites) -> Iterator[list[str]]:
    """Circles that share no task, each as short as possible."""
    graph = _sparse(before)
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][:0:-1]  # it ends as it begins, and is reversed
        else:
            return
        yield _shortened(circle, before)
        graph = {
            name: [each for each in needed if each not in circle]
            for name, needed in graph.items()
            if name not in circle
        }


def _sparse(before: Prerequisites) -> dict[str, Sequence[str]]:
    """The same order with fewer edges: a task that waits for all above it replaces them."""
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
    """The circle from its first written task on, with shortcuts where a task waits for many."""
    order = list(before)
    start = circle.index(min(circle, key=order.index))
    rest = [*circle[start:], *circle[:start]]
    path = [rest[0]]
    while rest[0] not in before[path[-1]]:
        needed = set(before[path[-1]])
        path.append(next(name for name in reversed(rest) if name in needed))
    return path


def _circle_problem(circle: Sequence[str], job: PartialJob) -> Diagnostic:
    tasks = {task.name: task for task in job.tasks}
    follower = next((name for name in circle if tasks[name].needs is not None), circle[0])
    position = circle.index(follower)
    needed = circle[(position + 1) % len(circle)]
    task = tasks[follower]
    path = task_path(task, "needs", (task.needs or ()).index(needed) if task.needs else 0)
    message = f"these tasks wait for each other: {' → '.join((*circle, circle[0]))}"
    implicit = [name for name in circle if tasks[name].needs is None]
    hint = "remove one of the `needs`"
    if implicit:
        names = in_words(implicit, "and")
        hint = f"without `needs`, a task waits for all tasks above it; add `needs` to {names}"
    return job.origin.diagnose(path, "job/circle", message, help=hint)


def _failure_circles(job: PartialJob) -> Iterator[Diagnostic]:
    """Tasks that are each other's `on_failure`."""
    on_failure = {task.name: task.on_failure for task in job.tasks}
    found: set[str] = set()
    for task in job.tasks:
        path = [task.name]
        while (following := on_failure.get(path[-1])) and following not in path:
            path.append(following)
        if following == task.name and len(path) > 1 and not found & set(path):
            found.update(path)
            message = f"these tasks are each other's `on_failure`: {' → '.join((*path, task.name))}"
            at = task_path(task, "on_failure")
            hint = "remove one of the `on_failure`"
            yield job.origin.diagnose(at, "job/circle", message, help=hint)


def _needed_failure_tasks(before: Prerequisites, job: PartialJob) -> Iterator[Diagnostic]:
    """Tasks that wait for one that may never run."""
    for task in job.tasks:
        for position, name in enumerate(task.needs or ()):
            if name in job.names and name not in before:
                path = task_path(task, "needs", position)
                message = f"`{name}` runs only when another task fails, so nothing can wait for it"
                hint = "wait for the task whose failure it handles"
                yield job.origin.diagnose(path, "job/needs-answer", message, help=hint)


def _early_sources(before: Prerequisites, job: PartialJob) -> Iterator[Diagnostic]:
    tasks = {task.name: task for task in job.tasks}
    readers = ((task, *found) for task in job.tasks for found in source_tasks(task))
    for task, where, source in readers:
        if source.task == task.name:
            continue
        if source.task not in tasks or source.task in earlier(task.name, before, job.tasks):
            continue
        path = (*where, "task")
        later = tasks[source.task].index > task.index
        reason = "it runs later" if later else f"`{task.name}` does not wait for it"
        message = f"the rows of `{source.task}` may not exist yet: {reason}"
        hint = f"move it above `{task.name}`" if later else f"add `needs: [{source.task}]`"
        if source.task not in before:
            message = f"`{source.task}` runs only when another task fails"
            hint = "read the rows of a task that always runs"
        yield job.origin.diagnose(path, "job/source-too-early", message, help=hint)

"""Checks a job against the org's describes: objects, fields, keys and permissions.

A run makes this check before its first task, `runner check` makes nothing else. Knows which sources
have a header already. Knows nothing of what a column must fit (`columns`), nor of SOQL
(`query_check`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from runner.diagnostics import Diagnostic, Location
from runner.engine.context import Context
from runner.engine.masks import mask_problems
from runner.engine.query_check import query_problems, scope_problems
from runner.errors import JobError, OrgError, TransientError
from runner.job.endpoints import FileSource, TaskSource, readable_path
from runner.job.mirrors import is_chosen
from runner.job.model import AnyTask, Job, QueryTask, Verb, WriteTask
from runner.job.soql import columns_of_query
from runner.job.source_query import SourceQuery
from runner.salesforce.describe import Describes
from runner.salesforce.described import ObjectDescribe
from runner.salesforce.versions import supports_all

_NEEDED = {
    Verb.CREATE: ("create",),
    Verb.UPDATE: ("update",),
    Verb.UPSERT: ("create", "update"),
    Verb.DELETE: ("delete",),
    Verb.MERGE: ("delete",),
}
"""What the user must be allowed to do with the object of a write, at least one of them."""


def check_against_org(context: Context, only: Collection[str] = ()) -> None:
    """Find what the org would certainly refuse, before anything is sent.

    Args:
        context: The run; tasks that it has finished already are not checked.
        only: Names of tasks; empty means all.

    Raises:
        JobError: The job does not fit the org; every problem with its position.
        SourceError: A source's header is wrong.
    """
    tasks = [
        task
        for task in context.job.tasks
        if task.enabled and is_chosen(task, only)
        if context.earlier_outcome(task) is None
    ]
    begun = {task.name for task in tasks if context.has_begun(task)}
    problems = org_problems(
        context.job, tasks, lambda task: context.of(task).describes, begun=begun
    )
    problems += too_old(context, tasks)
    if problems:
        raise JobError(problems)


def too_old(context: Context, tasks: Sequence[AnyTask]) -> tuple[Diagnostic, ...]:
    """What of these tasks needs a newer API version."""

    def version_of(task: AnyTask) -> str:
        return context.of(task).version

    if all(supports_all(version_of(task)) for task in tasks):
        return ()
    from runner.engine.version_check import version_problems  # noqa: PLC0415 - old versions only

    return tuple(version_problems(context.job, tasks, version_of))


def org_problems(
    job: Job,
    tasks: Sequence[AnyTask],
    describes_for: Callable[[AnyTask], Describes],
    written_before: Collection[Path] = frozenset(),
    begun: Collection[str] = frozenset(),
) -> tuple[Diagnostic, ...]:
    """What of these tasks does not fit the org, sorted.

    Args:
        job: For the positions of problems.
        tasks: Those to check.
        describes_for: The describes of the org that a task reads or writes.
        written_before: Files that another job writes before this one starts.
        begun: Names of tasks whose rows are stored, and no longer read.

    Raises:
        TransientError: The org could not be asked.
        SourceError: A source's header is wrong.
    """
    to_be_written = files_of_queries(tasks) | set(written_before)
    problems = [
        problem
        for task in tasks
        for problem in (
            _query_problems(job, task, describes_for(task))
            if isinstance(task, QueryTask)
            else _problems(job, task, describes_for(task), to_be_written, task.name in begun)
        )
    ]
    return tuple(sorted(problems, key=lambda each: each.sort_key))


def files_of_queries(tasks: Sequence[AnyTask]) -> set[Path]:
    """Files that queries write, which a source may read once they are written."""
    queries = (task for task in tasks if isinstance(task, QueryTask))
    paths = (readable_path(target) for query in queries for target in query.targets)
    return {each for each in paths if each is not None}


def known_header(task: WriteTask, to_be_written: Collection[Path]) -> Sequence[str] | None:
    """The columns of a write's source; None if they are known only when the task runs.

    Raises:
        SourceError: The source's header is wrong.
    """
    source = task.source
    if not isinstance(source, FileSource) or source.path in to_be_written:
        return None
    from runner.tables.sources.open import read_columns  # noqa: PLC0415 - of writes alone

    return read_columns(source) or None  # an empty file has no columns and needs none


def _problems(
    job: Job,
    task: WriteTask,
    describes: Describes,
    to_be_written: Collection[Path],
    is_begun: bool,  # noqa: FBT001 - as the caller knows it
) -> Iterator[Diagnostic]:
    here: Location = ("tasks", task.index, task.verb.value)
    try:
        described = describes.of(task.sobject)
    except TransientError:
        raise
    except OrgError as error:
        yield job.origin.diagnose(here, "org/unknown-object", error.message, help=error.hint)
        return
    needed = _NEEDED.get(task.verb, ())
    if needed and not any(_may(described, word) for word in needed):
        yield job.origin.diagnose(
            here,
            "org/no-permission",
            f"this user may not {' or '.join(needed)} records of {described.name}",
            help="Give the user the object permission, or sign in as another user.",
        )
        return
    if not task.in_scope:  # that of a mirror is judged once
        yield from scope_problems(job, task, describes)
    header = None if is_begun else known_header(task, to_be_written) or _selected(job, task)
    if header is not None or task.fields is not None:
        from runner.engine.columns import plan_columns  # noqa: PLC0415 - of writes alone

        yield from plan_columns(job, task, header, describes)[1]


def _selected(job: Job, task: WriteTask) -> Sequence[str] | None:
    """The columns of the query whose rows a write reads; None if only the records show them."""
    query = job.task(task.source.task) if isinstance(task.source, TaskSource) else None
    if not isinstance(query, QueryTask) or query.children or query.files:
        return None
    return columns_of_query(query.soql)


def _query_problems(job: Job, task: QueryTask, describes: Describes) -> list[Diagnostic]:
    found = query_problems(job, task, describes)
    if not found and isinstance(task, SourceQuery):
        return list(mask_problems(job, task, describes))
    return found


def _may(described: ObjectDescribe, word: str) -> bool:
    return {
        "create": described.createable,
        "update": described.updateable,
        "delete": described.deletable,
    }[word]

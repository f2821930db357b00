"""Checks jobs against the lock of their org, without the org.

The rules are those of a check on the org. Knows which lock counts. Prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.diagnostics import Diagnostic
from runner.engine.constant_check import constant_problems
from runner.engine.org_check import files_of_queries, org_problems
from runner.errors import JobError, OrgError, SourceError
from runner.job.model import AnyTask, Job, WriteTask
from runner.job.source_query import SourceQuery
from runner.salesforce.describe import Describes
from runner.salesforce.org_lock import read_lock


def lock_problems(job: Job, file: Path) -> tuple[Diagnostic, ...]:
    """What of a job does not fit the org as it was when its lock was pulled.

    Of a target whose `org_id` is another, the lock says nothing.

    Args:
        job: Without problems of its own.
        file: Its lock.
    """
    try:
        lock = read_lock(file)
    except JobError as error:
        return error.diagnostics
    wanted = job.connection.org_id
    if wanted is not None and not lock.org_id.startswith(wanted[:15]):
        return ()
    describes = lock.describes()
    tasks = tasks_of_org(job)
    written = frozenset(files_of_queries(tasks))
    found = (each for task in tasks for each in _of_task(job, task, describes, written))
    return tuple(sorted(found, key=lambda each: each.sort_key))


def tasks_of_org(job: Job) -> list[AnyTask]:
    """The tasks that read or write the job's own org."""
    return [each for each in job.tasks if each.enabled and not isinstance(each, SourceQuery)]


def _of_task(
    job: Job, task: AnyTask, describes: Describes, written: frozenset[Path]
) -> Iterator[Diagnostic]:
    try:
        yield from org_problems(job, [task], lambda _: describes, written)
        if isinstance(task, WriteTask):
            yield from constant_problems(job, task, describes)
    except OrgError as error:  # a parent that the lock lacks
        here = ("tasks", task.index)
        yield job.origin.diagnose(here, "org/unknown-object", error.message, help=error.hint)
    except SourceError:
        return  # the check of the job itself says what is wrong with its source

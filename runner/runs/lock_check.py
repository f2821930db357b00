"""Checks jobs against the lock of their org, and the lock against the org.

The rules are those of a check on the org. Knows which lock counts. Prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.diagnostics import Diagnostic
from runner.engine.constant_check import constant_problems
from runner.engine.drift import drift_of
from runner.engine.org_check import files_of_queries, org_problems
from runner.engine.record_type_check import record_type_problems
from runner.errors import JobError, OrgError, SourceError
from runner.job.lock_file import LOCK_NAME, find_lock
from runner.job.model import AnyTask, Job, WriteTask
from runner.job.source_query import SourceQuery
from runner.salesforce.describe import Describes
from runner.salesforce.org_lock import read_lock
from runner.wording import command_for


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
    if wanted is not None and lock.org_id and not lock.org_id.startswith(wanted[:15]):
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
            yield from record_type_problems(job, task, describes, written)
    except OrgError as error:  # a parent that the lock lacks
        here = ("tasks", task.index)
        yield job.origin.diagnose(here, "org/unknown-object", error.message, help=error.hint)
    except SourceError:
        return  # the check of the job itself says what is wrong with its source


def drift_problems(
    job: Job, org_id: str, live: Describes, written: frozenset[Path]
) -> tuple[Diagnostic, ...]:
    """How a job's org differs from its lock, where the job uses it.

    Args:
        job: The job.
        org_id: Of its org.
        live: The describes of its org.
        written: Files that earlier jobs write.

    Raises:
        JobError: There is no lock, it is damaged, or of another org.
        TransientError: The org could not be asked.
    """
    file = find_lock(job.file)
    if file is None:
        words = f"there is no {LOCK_NAME} beside this job or above it"
        hint = f"Write it with `{command_for(job.file, 'org pull', target=None)}`."
        raise JobError((job.origin.diagnose((), "lock/missing", words, help=hint),))
    lock = read_lock(file)
    if not lock.source and lock.org_id != org_id:
        words = f"{file} is of the org {lock.org_id}, and the connection is to {org_id}"
        hint = "Choose the lock's org with `--target`, or give each org a lock of its own."
        raise JobError((job.origin.diagnose(("connection",), "lock/other-org", words, help=hint),))
    tasks = tasks_of_org(job)
    written |= files_of_queries(tasks)
    found = (each for task in tasks for each in drift_of(job, task, lock, live, written))
    return tuple(sorted(found, key=lambda each: each.sort_key))

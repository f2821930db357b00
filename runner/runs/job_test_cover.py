"""What of a job a test has met: its tasks, their fields, and the ways in which they can end.

Knows what a job can do, and finds it in what a run did. Knows nothing of how that is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.csv_rows import csv_dicts
from runner.diagnostics import Diagnostic
from runner.errors import JobError
from runner.job.choices import Duplicates, OnError
from runner.job.model import AnyTask, Job, WriteTask
from runner.job.rails import Limits
from runner.outcome import TaskOutcome, TaskStatus
from runner.runs.job_test_checks import Ran
from runner.runs.job_test_org import FreshOrg, Records
from runner.verdict import Reach

_BLANK = (None, "")
_DID_NOT_RUN = TaskOutcome("", "", "", TaskStatus.SKIPPED)


def written_objects(job: Job, org: FreshOrg) -> Mapping[str, Records]:
    """The records of the objects that a job writes."""
    known = {each.casefold(): each for each in org.objects}
    names = {task.sobject.casefold() for task in job.tasks if isinstance(task, WriteTask)}
    return {known[each]: org.records(known[each]) for each in sorted(names & known.keys())}


def reach_of(job: Job, ran: Ran, org: FreshOrg, before: Mapping[str, Records]) -> Iterator[Reach]:
    """Everything that a job can do, and whether the last run of a test did it.

    Args:
        job: The job as written.
        ran: The run.
        org: The org afterwards.
        before: What `written_objects` gave before the first run.
    """
    after = written_objects(job, org)
    folded = {name.casefold(): name for name in after}
    tripped = {each.code for each in _problems(ran)}
    for task in job.tasks:
        if not task.enabled:
            continue
        done = ran.tasks.get(task.name, _DID_NOT_RUN)
        yield Reach(task.name, "runs", done.status is not TaskStatus.SKIPPED)
        sobject = folded.get(task.sobject.casefold())
        if isinstance(task, WriteTask) and sobject is not None:
            yield from _fields(
                task, done, org.column_names(sobject), before[sobject], after[sobject]
            )
        yield from _ends(task, done)
        if isinstance(task, WriteTask):
            yield from _limits(task.name, task.limits, tripped)
    yield from _limits("", job.limits, tripped)


def _problems(ran: Ran) -> Iterator[Diagnostic]:
    if isinstance(ran.error, JobError):
        yield from ran.error.diagnostics
    if ran.outcome is not None:
        yield from ran.outcome.problems
        for task in ran.outcome.tasks:
            yield from task.problems


def _fields(
    task: WriteTask,
    done: TaskOutcome,
    columns: Mapping[str, str],
    before: Records,
    after: Records,
) -> Iterator[Reach]:
    """Fields that got a value, or lost one, in a record that the task wrote."""
    written = list(_written_ids(done))
    for mapping in task.fields or ():
        # `Account.ERP_Id__c` fills the Id of the account.
        column = columns.get(mapping.field.split(".")[0].casefold())
        if column is None or column == "Id":
            continue
        records = [(before.get(each, {}), after[each]) for each in written if each in after]
        is_met = any(
            new.get(column) not in _BLANK or old.get(column) not in _BLANK for old, new in records
        )
        yield Reach(task.name, f"field {mapping.field}", is_met)


def _written_ids(done: TaskOutcome) -> Iterator[str]:
    file = done.results / "succeeded.csv" if done.results else None
    if file is not None and file.is_file():
        with file.open(encoding="utf-8", newline="") as stream:
            yield from (row["sf__Id"] for row in csv_dicts(stream) if row.get("sf__Id"))


def _ends(task: AnyTask, done: TaskOutcome) -> Iterator[Reach]:
    counts = done.counts
    if task.on_error is OnError.CONTINUE:
        yield Reach(task.name, "fails and the run goes on", done.status is TaskStatus.FAILED)
    if not isinstance(task, WriteTask):
        yield Reach(task.name, "gives rows", bool(counts.written or counts.read))
        is_empty = done.status is TaskStatus.DONE and not (counts.written or counts.read)
        yield Reach(task.name, "gives no rows", is_empty)
        return
    yield Reach(task.name, "a row succeeds", bool(counts.succeeded))
    yield Reach(task.name, "a row fails", bool(counts.failed))
    if task.only_changes:
        yield Reach(task.name, "a row is unchanged", bool(counts.unchanged))
    if task.match is not None or task.in_scope or task.duplicates is not Duplicates.FAIL:
        yield Reach(task.name, "a row is skipped", bool(counts.skipped))
    if task.max_failures is not None:
        is_exceeded = done.status is TaskStatus.FAILED and bool(counts.failed)
        yield Reach(task.name, "more rows fail than max_failures allows", is_exceeded)


def _limits(task: str, limits: Limits, tripped: Iterable[str]) -> Iterator[Reach]:
    for rail in limits:
        yield Reach(task, f"limit {rail}", f"rail/{rail.replace('_', '-')}" in tripped)

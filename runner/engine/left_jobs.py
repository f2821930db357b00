"""Bulk jobs that died processes left in the org and that no resume continues: aborted.

An undo is never resumed, an abandoned run neither, and a query is read again. An ingest job that is
still open has processed nothing, and the result of a query job is of no use. Ingest jobs that were
closed continue: their rows were sent. Knows which jobs these are, not how they are made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

from msgspec.structs import replace

from runner.engine.context import Context
from runner.engine.next_step import INTENDED
from runner.engine.unknown_jobs import CLOCKS_DIFFER
from runner.errors import OrgError, TransientError
from runner.events import Noticed, Warned
from runner.job.model import Api, RetryPolicy, Verb
from runner.job.source_query import SourceQuery, is_source_query
from runner.salesforce.bulk import ingest, query_jobs
from runner.salesforce.bulk.ingest import IngestSpec
from runner.salesforce.bulk.job import JobState
from runner.salesforce.session import Session
from runner.state.run_records import PartRecord, RunRecord, TaskRecord
from runner.wording import counted

_AT_WORK = frozenset({JobState.UPLOAD_COMPLETE, JobState.IN_PROGRESS})
_ONE_TRY = RetryPolicy(attempts=1)
"""The run does not need what it aborts, and the next run tries again."""


def abort_left_jobs(context: Context) -> None:
    """Abort what earlier runs of the job have left; what cannot be aborted at once is left again.

    Raises:
        StateError: The ledger cannot be read or written.
    """
    for run in _left_behind(context):
        for task in run.tasks:
            jobs, kept = 0, []
            for line in task.parts:
                try:
                    jobs += _abort(context, task, line, run.run_id)
                except TransientError as error:
                    kept.append(error.message)
            if kept:
                which = f"{counted(len(kept), 'Bulk job')} that run {run.run_id} had left"
                what = f"could not abort {which}: {kept[0]}; the next run tries again"
                context.sink(Warned(what, task.name))
            if jobs:
                what = f"aborted {counted(jobs, 'Bulk job')} that run {run.run_id} had left"
                context.sink(Noticed(what, task.name))


def _left_behind(context: Context) -> Iterator[RunRecord]:
    """Runs that may have left jobs; of the run that is resumed, only its queries."""
    found = context.ledger.with_open_jobs(context.job.file, context.org_id)
    yield from (run for run in found if run.run_id != context.run_id)
    past = context.past
    if past is not None:
        is_query = (task for task in past.tasks if task.verb == Verb.QUERY.value)
        yield replace(past, tasks=tuple(is_query))


def _abort(context: Context, task: TaskRecord, line: PartRecord, run_id: str) -> int:
    """Abort the job of a part if it is left; how many were aborted.

    Raises:
        TransientError: The org cannot be asked now.
    """
    usual, job_id = _session_of(context, task), line.bulk_job_id
    if usual is None:
        return 0
    session = usual.scoped(_ONE_TRY)
    if task.verb == Verb.QUERY.value:
        job_ids = [job_id] if job_id and line.state in _AT_WORK else []
        abort = query_jobs.abort
    else:
        is_open = job_id and line.state == JobState.OPEN
        job_ids = [job_id] if job_id and is_open else _unrecorded(context, session, task, line)
        abort = ingest.abort
    aborted = 0
    for each in job_ids:
        try:
            abort(session, each)
        except TransientError:
            raise
        except OrgError:
            continue  # it has ended, or the org has deleted it
        aborted += 1
    if job_ids or line.state == INTENDED:
        ended = replace(line, state=str(JobState.ABORTED))
        context.ledger.record_part(run_id, task.name, ended)
    return aborted


def _session_of(context: Context, task: TaskRecord) -> Session | None:
    """Of the org that a task was sent to; None: another one, which this run does not read from."""
    now = next((each for each in context.job.tasks if each.name == task.name), None)
    if isinstance(now, SourceQuery):
        org = context.source_orgs.by_connection.get(now.connection)
        return org.session if org is not None else None
    is_of_other_org = task.verb == Verb.QUERY.value and is_source_query(task.name)
    return None if is_of_other_org else context.session


def _unrecorded(
    context: Context, session: Session, task: TaskRecord, line: PartRecord
) -> list[str]:
    """Open jobs that the process created for a part just before it died."""
    plan = json.loads(task.plan or "{}")
    if line.state != INTENDED or line.began is None or plan.get("api") != Api.BULK.value:
        return []
    operation = ingest.operation_of(Verb(task.verb), hard=bool(plan.get("hard")))
    spec = IngestSpec(task.sobject, operation, plan.get("key"))
    there = line.began + session.clock_offset
    patience = timedelta(seconds=context.session.retrier.policy.total_seconds)
    since, until = there - CLOCKS_DIFFER, there + patience + CLOCKS_DIFFER
    try:
        found = list(ingest.open_jobs(session, spec, context.user_id, since, until))
    except TransientError:
        raise
    except OrgError:
        return []  # this user may not list jobs
    return [each for each in found if not context.ledger.knows_job(each)]

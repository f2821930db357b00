"""Counts records that a resumed run may have created, but that are not in the ledger.

They are there when the state folder was replaced by an older copy of itself: rows that were sent
since look as if they had not been. Knows the count that reveals it. Knows nothing of how rows are
sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from runner.engine.context import Context
from runner.engine.task_ledger import ANSWERED, known_results, rows_of
from runner.job.binds import literal
from runner.job.model import Verb, WriteTask
from runner.outcome import RowStatus
from runner.salesforce.rest.query import pages
from runner.state.run_records import TaskRecord

_AUDIT_FIELDS = ("CreatedById", "CreatedDate")
_CREATING = frozenset({Verb.CREATE.value, Verb.UPSERT.value})


def unknown_records(task: WriteTask, context: Context) -> int:
    """How many records this user has created since the run began that no run accounts for.

    Ask before the task sends anything in this process. What other programs of the same user
    create in the same object is among them.

    Raises:
        OrgError: The org did not answer.
    """
    past = context.past
    if past is None:
        return 0
    sobject = context.describes.of(task.sobject)
    if not all(sobject.field(name) for name in _AUDIT_FIELDS):
        return 0
    since = (past.started + context.session.clock_offset).astimezone(UTC)
    soql = (
        f"SELECT COUNT() FROM {task.sobject} WHERE CreatedById = {literal(context.user_id)}"  # noqa: S608 - the object as describe has it, values as literals
        f" AND CreatedDate >= {since:%Y-%m-%dT%H:%M:%S}Z"
    )
    # The org first: what is created meanwhile is in the ledger before it is sent.
    created = next(pages(context.session, soql, deleted=True)).total_size
    if not created:
        return 0
    runs = context.ledger.runs_since(past.started)
    tasks = (each for run in runs if run.org_id == past.org_id for each in run.tasks)
    known = sum(n for each in tasks if each.sobject == task.sobject for n in _may_have_made(each))
    return max(0, created - known)


def _may_have_made(task: TaskRecord) -> Iterator[int]:
    """How many records a task may have created, as far as is recorded: at most, by part."""
    if task.verb not in _CREATING:
        return
    if task.final and task.outcome is not None:
        yield task.outcome.counts.created + task.outcome.counts.in_doubt
        return
    for part in task.parts:
        known = known_results(part)
        if part.state == ANSWERED and part.results:
            yield sum(row.status is not RowStatus.FAILED for row in rows_of(part.results))
        else:
            yield known[0] if known else part.rows or 0

"""Mirrors: what they need beyond an upsert, and fields that mark their records."""

from __future__ import annotations

from collections.abc import Iterator

from runner.diagnostics import Diagnostic
from runner.job.model import Mirror, WriteTask
from runner.job.partial_job import PartialJob, task_path


def mirrors(job: PartialJob) -> Iterator[Diagnostic]:
    """Mirrors by Id, and mirrors that answer the failure of another task."""
    answers = {task.on_failure for task in job.tasks}
    for task in job.writes:
        if task.mirror is None:
            continue
        if (task.key or "").lower() == "id":
            message = "the key of a mirror is an external Id field of the source, not the Id"
            path = task_path(task, "key")
            hint = "name an external Id field, whose values the source has for every row"
            yield job.origin.diagnose(path, "job/mirror-by-id", message, help=hint)
        yield from _owner_problems(task, job)
        if task.name in answers:
            message = f"the mirror `{task.name}` runs only when another task fails"
            path = task_path(task, "name")
            hint = "let the tasks of a job fail without it, or use an upsert"
            yield job.origin.diagnose(path, "job/mirror-as-answer", message, help=hint)


def _owner_problems(task: WriteTask, job: PartialJob) -> Iterator[Diagnostic]:
    mirror = task.mirror or Mirror()
    if mirror.owner_field is None:
        return
    path = task_path(task, "owner_field")
    if not mirror.managed:
        message = "`owner_field` marks the records of a mirror with `managed: true`"
        yield job.origin.diagnose(
            path, "job/owner-field", message, help="add `managed: true`, or remove it", at_key=True
        )
    filled = {each.field.lower() for each in (*(task.fields or ()), *(mirror.sets or ()))}
    if mirror.owner_field.lower() in {*filled, (task.key or "").lower()}:
        message = f"{mirror.owner_field} is filled by the job, so it cannot mark records"
        hint = "name a field of its own, which only this mirror fills"
        yield job.origin.diagnose(path, "job/owner-field", message, help=hint)

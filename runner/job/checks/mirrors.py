"""Mirrors: what they need beyond an upsert."""

from __future__ import annotations

from collections.abc import Iterator

from runner.diagnostics import Diagnostic
from runner.job.partial_job import PartialJob, task_path


def mirrors(job: PartialJob) -> Iterator[Diagnostic]:
    """Mirrors by Id, and mirrors that answer the failure of another task."""
    answers = {task.on_failure for task in job.tasks}
    for task in job.writes:
        if task.mirror is None:
            continue
        if (task.key or "").lower() == "id":
            message = "the key of a mirror is a field that the source knows, not the Id"
            path = task_path(task, "key")
            hint = "name an external Id field, whose values the source has for every row"
            yield job.origin.diagnose(path, "job/mirror-by-id", message, help=hint)
        if task.name in answers:
            message = f"the mirror `{task.name}` runs only when another task fails"
            path = task_path(task, "name")
            hint = "let the tasks of a job fail without it, or use an upsert"
            yield job.origin.diagnose(path, "job/mirror-as-answer", message, help=hint)

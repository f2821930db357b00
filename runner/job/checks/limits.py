"""Limits of tasks: each is about something that the task does."""

from __future__ import annotations

from collections.abc import Iterator

from runner.diagnostics import Diagnostic
from runner.job.limits import RAILS, applies
from runner.job.partial_job import PartialJob, task_path
from runner.suggest import in_words


def of_other_verbs(job: PartialJob) -> Iterator[Diagnostic]:
    """Limits of what a task never does: they would give a false sense of safety."""
    for task in job.writes:
        for rail in task.limits:
            if not applies(rail, task.verb):
                known = [each for each in RAILS if RAILS[each].of_task and applies(each, task.verb)]
                path = task_path(task, "limits", rail.value)
                message = f"`{rail}` limits what a `{task.verb}` task never does"
                hint = f"remove it; such a task has {in_words(known, 'and')}"
                yield job.origin.diagnose(
                    path, "job/limit-without-effect", message, help=hint, at_key=True
                )

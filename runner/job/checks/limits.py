"""Limits of tasks: each is about something that the task does."""

from __future__ import annotations

from collections.abc import Iterator

from runner.diagnostics import Diagnostic
from runner.job.limits import RAILS, applies, verbs_of
from runner.job.model import Verb
from runner.job.partial_job import PartialJob, task_path
from runner.suggest import in_words


def of_other_verbs(job: PartialJob) -> Iterator[Diagnostic]:
    """Limits of what a task never does: they would give a false sense of safety."""
    for task in job.writes:
        for rail in task.limits:
            verbs = verbs_of(task)
            if not any(applies(rail, verb) for verb in verbs):
                known = [
                    each
                    for each in RAILS
                    if RAILS[each].of_task and any(applies(each, verb) for verb in verbs)
                ]
                path = task_path(task, "limits", rail.value)
                verb = Verb.MIRROR if task.mirror else task.verb
                message = f"`{rail}` limits what a `{verb}` task never does"
                hint = f"remove it; such a task has {in_words(known, 'and')}"
                yield job.origin.diagnose(
                    path, "job/limit-without-effect", message, help=hint, at_key=True
                )

"""A job as its plan was made: what an apply of that plan runs, and a resume of the apply.

Knows which rows a plan leaves out. Knows nothing of saved plans.
"""

from __future__ import annotations

from msgspec.structs import replace

from runner.engine.planned_sources import PlannedSources
from runner.job.model import COMPARED_VERBS, Job, WriteTask


def as_planned(job: Job) -> Job:
    """The job, as it was planned: unchanged records are left alone.

    Tasks that read the rows of others get these as from a run, which writes them.
    """
    sources = PlannedSources(job.tasks, ())

    def passes(task: WriteTask) -> bool:
        return not task.only_changes and sources.is_read(task)

    tasks = tuple(
        replace(each, only_changes=True, passes_unchanged=passes(each))
        if isinstance(each, WriteTask) and each.verb in COMPARED_VERBS
        else each
        for each in job.tasks
    )
    return replace(job, tasks=tasks)

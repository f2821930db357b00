"""Merges: which objects Salesforce merges, and what a merge cannot send."""

from __future__ import annotations

from collections.abc import Iterator

from runner.diagnostics import Diagnostic
from runner.job.merges import MERGEABLE
from runner.job.partial_job import PartialJob, task_path
from runner.suggest import did_you_mean, in_words


def merges(job: PartialJob) -> Iterator[Diagnostic]:
    """Merges of objects that have none, and fields that the call does not take."""
    for task in job.writes:
        if task.merge is None:
            continue
        if task.sobject.lower() not in {each.lower() for each in MERGEABLE}:
            message = f"Salesforce does not merge records of {task.sobject} over its APIs"
            hint = did_you_mean(task.sobject, MERGEABLE, f"it merges {in_words(MERGEABLE, 'and')}")
            path = task_path(task, "merge")
            yield job.origin.diagnose(path, "job/not-mergeable", message, help=hint)
        for each in task.fields or ():
            why = hint = ""
            if "." in each.field:
                why, hint = "by an external Id", "look the record up: {lookup: …, by: …, value: …}"
            elif each.is_file:
                why, hint = "with a file", "write it with an update"
            if why:
                path = task_path(task, "fields", each.field)
                message = f"a merge cannot fill `{each.field}` {why}"
                yield job.origin.diagnose(path, "job/merge-field", message, help=hint, at_key=True)

"""Files as values of fields: the API that can carry them, the folder that they go to.

Knows which fields of which objects hold files, as far as a job can be checked without its org.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from runner.diagnostics import Diagnostic, Severity
from runner.job import soql
from runner.job.endpoints import FileTarget, FolderTarget, Target
from runner.job.model import Api, FieldMapping, QueryTask
from runner.job.partial_job import PartialJob, option_path, task_path

_HOLD_FILES = {"attachment": "Body", "contentversion": "VersionData", "document": "Body"}


def writes(job: PartialJob) -> Iterator[Diagnostic]:
    """Files that a task cannot send as its options say."""
    for task in job.writes:
        found = next((each for each in task.fields or () if each.is_file), None)
        if found is None:
            continue
        if task.api is Api.BULK:
            yield _no_bulk(found, job, option_path(job, task, "api"))
        if task.all_or_none:
            message = f"`{found.field}` is filled from files, and each is a request of its own"
            path = option_path(job, task, "all_or_none")
            hint = "remove `all_or_none`"
            yield job.origin.diagnose(path, "job/contradiction", message, help=hint)
        if task.batch_size is not None:
            message = "`batch_size` has no effect: each file is a request of its own"
            path = option_path(job, task, "batch_size")
            yield job.origin.diagnose(
                path, "job/no-effect", message, help="remove it", severity=Severity.WARNING
            )


def _no_bulk(found: FieldMapping, job: PartialJob, path: tuple[str | int, ...]) -> Diagnostic:
    message = f"Bulk API 2.0 does not take files, and `{found.field}` is filled from files"
    hint = "remove `api: bulk`"
    return job.origin.diagnose(path, "job/contradiction", message, help=hint)


def queries(job: PartialJob) -> Iterator[Diagnostic]:
    """Folders for files that the query does not select, or that Bulk cannot return."""
    for task in job.queries:
        if task.files is None:
            continue
        path = task_path(task, "files")
        targets = [target for each in job.queries for target in each.targets]
        if any(_would_replace(target, task.files) for target in targets):
            message = "a query of the job replaces this folder"
            hint = "name a folder of its own"
            yield job.origin.diagnose(path, "job/same-target", message, help=hint)
        elif os.path.isfile(task.files):  # noqa: PTH113 - raises for no path
            message = f"{task.files} is a file"
            hint = "name a folder; the run creates it"
            yield job.origin.diagnose(path, "job/target-is-file", message, help=hint)
        field = _HOLD_FILES.get(task.sobject.lower())
        if field and not _selects(task, field):
            message = f"the query does not select `{field}`, so there are no files to write"
            hint = f"add {field} to its SELECT, or remove `files`"
            yield job.origin.diagnose(path, "job/no-files", message, help=hint)
        if task.api is Api.BULK:
            message = "Bulk API 2.0 does not return files"
            hint = "remove `api: bulk`"
            at = option_path(job, task, "api")
            yield job.origin.diagnose(at, "job/contradiction", message, help=hint)


def _would_replace(target: Target, files: Path) -> bool:
    """Whether a target takes the place of a folder of files."""
    if isinstance(target, FolderTarget):
        return files.is_relative_to(target.path)
    return isinstance(target, FileTarget) and target.path == files


def _selects(task: QueryTask, field: str) -> bool:
    selected = soql.selection(task.soql)
    paths = ((item.path or "").rpartition(".")[2].lower() for item in selected.items)
    return selected.is_open or field.lower() in paths

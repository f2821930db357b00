"""Which API carries a task.

Pure: from the task, its rows and the version to a choice. Knows nothing of how either API works.
"""

from __future__ import annotations

from runner.job.model import Api, WriteTask
from runner.salesforce.versions import Feature, require, supports


def api_for_write(task: WriteTask, rows: int, version: str) -> Api:
    """REST for small loads, Bulk above the threshold, unless task or version decide otherwise.

    Raises:
        UsageError: the task needs an API that the version does not have.
    """
    if task.hard or task.api is Api.BULK:
        require(version, Feature.BULK_INGEST, f"Task {task.name!r}, carried by Bulk API 2.0,")
        return Api.BULK
    if task.api is Api.REST or _needs_rest(task) or not supports(version, Feature.BULK_INGEST):
        return Api.REST
    return Api.BULK if rows > task.bulk_threshold else Api.REST


def _needs_rest(task: WriteTask) -> bool:
    """Bulk has no all-or-none, no batch size, no duplicate rule header, no default assignment."""
    return (
        task.all_or_none
        or task.batch_size is not None
        or task.options.assignment_rule is True
        or task.options.duplicate_rule_allow_save is not None
    )

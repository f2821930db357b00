"""Which API carries a task.

Pure: from the task, its rows and the version to a choice. Knows nothing of how either API works.
"""

from __future__ import annotations

from runner.errors import UsageError
from runner.job.model import Api, WriteTask
from runner.salesforce.versions import Feature, supports


def api_for_write(task: WriteTask, rows: int, version: str) -> Api:
    """REST for small loads, Bulk above the threshold, unless task or version decide otherwise.

    Raises:
        UsageError: the task needs an API that the version does not have.
    """
    bulk_served = supports(version, Feature.BULK_INGEST)
    if task.hard or task.api is Api.BULK:
        if not bulk_served:
            raise _needs_newer(task, "Bulk API 2.0", Feature.BULK_INGEST, version)
        return Api.BULK
    if task.api is Api.REST or not bulk_served or _needs_rest(task):
        return Api.REST
    return Api.BULK if rows > task.bulk_threshold else Api.REST


def _needs_rest(task: WriteTask) -> bool:
    """Bulk API 2.0 has neither all-or-none, nor one lane only, nor the duplicate rule header."""
    return (
        task.all_or_none
        or task.batch_size is not None
        or task.options.duplicate_rule_allow_save is not None
    )


def _needs_newer(task: WriteTask, what: str, feature: Feature, version: str) -> UsageError:
    return UsageError(
        f"Task {task.name!r} needs {what}, which begins with API version {feature.value}; "
        f"this run uses {version}.",
        hint=f"Set connection.api_version to {feature.value} or newer, or take `api: bulk` out.",
    )

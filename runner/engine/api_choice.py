"""Which API carries a task.

Pure: from the task, its rows and the version to a choice. Knows nothing of how either API works.
"""

from __future__ import annotations

from runner.job.model import Api, Verb, WriteTask
from runner.salesforce.versions import Feature, require, supports


def api_for_write(task: WriteTask, rows: int, version: str, *, findable: bool = True) -> Api:
    """REST for small loads, Bulk above the threshold, unless task or version decide otherwise.

    Creates whose rows cannot be found again go by Bulk from the first row on: a lost answer over
    REST would leave them in doubt, while an ingest job can always be asked.

    Args:
        task: The write.
        rows: How many there are to send.
        version: The API version.
        findable: Whether the rows fill a field whose values no two records share.

    Raises:
        UsageError: the task needs an API that the version does not have.
    """
    if task.verb is Verb.UNDELETE:
        return Api.REST  # SOAP, which stands in where REST has no call; Bulk has none either
    if task.hard or task.api is Api.BULK:
        require(version, Feature.BULK_INGEST, f"Task {task.name!r}, carried by Bulk API 2.0,")
        return Api.BULK
    if task.api is Api.REST or _needs_rest(task) or not supports(version, Feature.BULK_INGEST):
        return Api.REST
    if task.verb is Verb.CREATE and not findable:
        return Api.BULK
    return Api.BULK if rows > task.bulk_threshold else Api.REST


def _needs_rest(task: WriteTask) -> bool:
    """Bulk has no all-or-none, no batch size, no duplicate rule header, no default assignment."""
    return (
        task.all_or_none
        or task.batch_size is not None
        or task.options.assignment_rule is True
        or task.options.duplicate_rule_allow_save is not None
    )

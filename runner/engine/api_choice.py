"""REST or Bulk: which API carries a write.

Pure: from the task, its rows and the API version to a choice. Knows nothing of how either API
works. A query starts over REST and changes to Bulk when it sees how many rows there are (`query`).
"""

from __future__ import annotations

from runner.job.model import Api, Verb, WriteTask
from runner.salesforce.versions import Feature, require, supports

BATCH_ROWS = 200
"""Rows of one REST request. Source: REST API guide, sObject Collections."""


def api_for_write(
    task: WriteTask, rows: int, version: str, *, findable: bool = True, blobs: bool = False
) -> Api:
    """REST for small loads, Bulk above the threshold, unless task or version decide otherwise.

    Creates whose rows cannot be found again go through Bulk from the first row: over REST a lost
    answer would leave them in doubt, while an ingest job can always be asked.

    Args:
        task: The write.
        rows: How many there are to send.
        version: The API version.
        findable: Whether no row would be created twice if it were sent again: each has a record,
            or fills a field whose values no two records share.
        blobs: Whether they fill a field that holds a file, which Bulk API 2.0 does not take.

    Raises:
        UsageError: The task needs an API that the version does not have.
    """
    if task.verb in {Verb.UNDELETE, Verb.MERGE}:
        return Api.REST  # SOAP, in fact: neither REST nor Bulk has such calls
    if task.hard or task.api is Api.BULK:
        require(version, Feature.BULK_INGEST, f"Task {task.name!r}, over Bulk API 2.0")
        return Api.BULK
    needs_rest = blobs or task.api is Api.REST or _needs_rest(task)
    if needs_rest or not supports(version, Feature.BULK_INGEST):
        return Api.REST
    if not findable:
        return Api.BULK
    return Api.BULK if rows > task.bulk_threshold else Api.REST


def rows_of_a_batch(task: WriteTask, *, has_files: bool) -> int:
    """Rows of one REST request; a file is a request of its own."""
    return 1 if has_files else task.batch_size or BATCH_ROWS


def _needs_rest(task: WriteTask) -> bool:
    """Bulk has no all-or-none, no batch size, no duplicate rule header, no default assignment."""
    return (
        task.all_or_none
        or task.batch_size is not None
        or task.options.assignment_rule is True
        or task.options.duplicate_rule_allow_save is not None
    )

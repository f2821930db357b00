"""Restores records from the recycle bin: SOAP `undelete`, for REST has no such call.

Source: SOAP API developer guide, `undelete()`: at most 200 Ids per call. Knows nothing of why
records come back.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from runner.salesforce.rest.soap import call, escaped, result_of
from runner.salesforce.rest.values import RecordResult
from runner.salesforce.session import Session

MOST_RECORDS = 200
_NOT_DELETED = "UNDELETE_FAILED"


def undelete(session: Session, ids: Sequence[str]) -> list[RecordResult]:
    """Restore records and return the result of each, in their order.

    Args:
        session: The org.
        ids: At most 200.

    Raises:
        RunnerError: As `soap.call`; the records may be restored all the same.
    """
    listed = "".join(f"<urn:ids>{escaped(each)}</urn:ids>" for each in ids)
    found = call(session, "undelete", listed, len(ids), idempotent=True)
    results = map(result_of, found.members)
    return [
        replace(each, may_be_own=found.replayed and each.code == _NOT_DELETED) for each in results
    ]

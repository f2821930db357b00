"""Lists deleted records, also those that have left the recycle bin: getDeleted.

Source: REST API guide, `/sobjects/X/deleted/`. Seconds count for nothing, the span has at least a
minute, begins at most 30 days ago, and no earlier than the org's list does. Knows nothing of
queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from runner.errors import OrgError
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import segment
from runner.salesforce.session import Session
from runner.wording import moment_of_row

_MINUTE = timedelta(minutes=1)
_TOO_OLD = "INVALID_REPLICATION_DATE"
_NO_LIST = "INVALID_TYPE"
_TOO_MANY = "EXCEEDED_ID_LIMIT"


class NoDeletionListError(OrgError):
    """The org keeps no list of deleted records of this object."""


class DeletionListError(OrgError):
    """The org's list of deleted records does not reach back as far as needed, or is too long."""


class _Deleted(msgspec.Struct, rename="camel"):
    id: str
    deleted_date: str


class _Answer(msgspec.Struct, rename="camel"):
    deleted_records: list[_Deleted]
    earliest_date_available: str | None = None


def deleted_records(
    session: Session, sobject: str, start: datetime, end: datetime
) -> Iterator[tuple[str, str]]:
    """Id and moment of each record that was deleted in a span and is still deleted.

    Args:
        session: The org's.
        sobject: The object.
        start: The first moment that counts.
        end: The first moment that no longer counts.

    Returns:
        The moments as a query's rows have them: `2026-01-31T06:00:00.000Z`.

    Raises:
        DeletionListError: The list does not reach back to `start`, or is too long.
        NoDeletionListError: The org keeps none for this object.
        OrgError: It refuses for another reason.
    """
    first = start.replace(second=0, microsecond=0)
    last = max(end.replace(second=0, microsecond=0) + _MINUTE, first + _MINUTE)
    try:
        answer = session.request(
            "GET",
            f"/sobjects/{segment(sobject)}/deleted/",
            params={"start": first.isoformat(), "end": last.isoformat()},
        )
    except OrgError as error:
        raise _explained(error, sobject, first) from error
    found = read_json(answer, _Answer)
    earliest = found.earliest_date_available
    if earliest and datetime.fromisoformat(earliest) > start:
        raise _too_old(sobject, first)
    bounds = moment_of_row(start), moment_of_row(end)
    for each in found.deleted_records:
        moment = moment_of_row(datetime.fromisoformat(each.deleted_date))
        if bounds[0] <= moment < bounds[1]:
            yield each.id, moment


def _explained(error: OrgError, sobject: str, start: datetime) -> OrgError:
    if error.code == _TOO_OLD:
        return _too_old(sobject, start)
    kind = {_NO_LIST: NoDeletionListError, _TOO_MANY: DeletionListError}.get(error.code or "")
    return error if kind is None else kind(error.message, status=error.status, code=error.code)


def _too_old(sobject: str, start: datetime) -> DeletionListError:
    return DeletionListError(
        f"The org no longer lists what was deleted of {sobject} since {start:%Y-%m-%d %H:%M} UTC",
        code=_TOO_OLD,
    )

"""What the org has left of its limits, and what the user may do beyond objects and fields.

Source: REST API guide, `/limits`; field reference, UserPermissionAccess. Knows nothing of jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from runner.errors import OrgError, TransientError
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.session import Session

API_REQUESTS = "DailyApiRequests"
BULK_BATCHES = "DailyBulkApiBatches"
"""Batches of 10,000 rows, of Bulk API and Bulk API 2.0 together."""
HARD_DELETE = "BulkApiHardDelete"
_Number = Annotated[int, msgspec.Meta(ge=0)]


class Limit(msgspec.Struct, frozen=True, rename="pascal"):
    """One limit of the org, over 24 hours."""

    max: _Number
    remaining: int
    """Below zero where the org lets an app exceed it for a while."""


def limits_of(session: Session) -> Mapping[str, Limit]:
    """The org's limits by name; empty where the API version or the user does not get them.

    Raises:
        TransientError: The org could not be asked.
    """
    try:
        return read_json(session.request("GET", "/limits"), dict[str, Limit])
    except TransientError:
        raise
    except OrgError:
        return {}


def may(session: Session, permission: str) -> bool | None:
    """Whether the user has a permission, such as `BulkApiHardDelete`; None if the org hides it.

    Raises:
        TransientError: The org could not be asked.
    """
    soql = f"SELECT Permissions{permission} FROM UserPermissionAccess"  # noqa: S608 - a constant
    try:
        answer = session.request("GET", "/query", params={"q": soql})
    except TransientError:
        raise
    except OrgError:
        return None
    records = read_json(answer, _Permissions).records
    found = records[0].get(f"Permissions{permission}") if records else None
    return found if isinstance(found, bool) else None


class _Permissions(msgspec.Struct):
    records: list[dict[str, object]]

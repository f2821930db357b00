"""Writes the users, queues and currencies of the org file as records.

Records that the org has already stay as they are. Knows records. Knows no HTTP.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from decimal import Decimal

from runner.local_org.bootstrap import add_profile, completed_user
from runner.local_org.catalog.model import writeable
from runner.local_org.catalog.setup import (
    CURRENCY_TYPE,
    DeclaredQueue,
    DeclaredUser,
    declared_setup,
)
from runner.local_org.org import Org
from runner.local_org.records import WriteCall, write
from runner.local_org.store import quoted

_NO_DECIMALS = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"})
"""Currencies without minor units."""


class SetupError(ValueError):
    """A user or a queue that the org refuses."""


def write_setup(org: Org, conn: sqlite3.Connection) -> None:
    """Write the declared users, queues and currencies that the org lacks."""
    setup = declared_setup(org.declared, org.catalog, [])
    for user in setup.users:
        _write_user(org, conn, user)
    for queue in setup.queues:
        _write_queue(org, conn, queue)
    for code, rate in setup.currencies.items():
        if _id_of(conn, CURRENCY_TYPE, "IsoCode", code) is None:
            decimals = 0 if code in _NO_DECIMALS else 2
            is_first = code == next(iter(setup.currencies))
            row = {
                "IsoCode": code,
                "ConversionRate": str(Decimal(repr(rate))),
                "DecimalPlaces": str(decimals),
                "IsActive": "true",
                "IsCorporate": str(is_first).lower(),
            }
            _create(org, conn, CURRENCY_TYPE, row)


def _write_user(org: Org, conn: sqlite3.Connection, user: DeclaredUser) -> None:
    if _id_of(conn, "User", "Username", user.username) is not None:
        return
    first, _, last = user.name.rpartition(" ")
    row = {
        "Username": user.username,
        "FirstName": first,
        "LastName": last,
        "Email": user.email,
        "TimeZoneSidKey": user.time_zone,
        "IsActive": str(user.active).lower(),
        "ProfileId": _profile(org, conn, user.profile),
        "UserRoleId": _role(org, conn, user.role) if user.role else "",
    }
    _create(org, conn, "User", completed_user(row))


def _profile(org: Org, conn: sqlite3.Connection, name: str) -> str:
    """The Id of a profile, which every one that a user names is."""
    found = _id_of(conn, "Profile", "Name", name)
    return found or add_profile(conn, org.catalog, name, org.clock())


def _role(org: Org, conn: sqlite3.Connection, name: str) -> str:
    found = _id_of(conn, "UserRole", "Name", name)
    developer_name = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    row = {"Name": name, "DeveloperName": developer_name}
    return found or _create(org, conn, "UserRole", row)


def _write_queue(org: Org, conn: sqlite3.Connection, queue: DeclaredQueue) -> None:
    found = _id_of(conn, "Group", "DeveloperName", queue.developer_name)
    row = {
        "Name": queue.label,
        "DeveloperName": queue.developer_name,
        "Type": "Queue",
        "Email": queue.email,
    }
    queue_id = found or _create(org, conn, "Group", row)
    for name in queue.objects:
        pair = {"QueueId": queue_id, "SobjectType": name}
        if not _has(conn, "QueueSobject", pair):
            _create(org, conn, "QueueSobject", pair)
    for username in queue.members:
        user_id = _id_of(conn, "User", "Username", username)
        pair = {"GroupId": queue_id, "UserOrGroupId": str(user_id)}
        if not _has(conn, "GroupMember", pair):
            _create(org, conn, "GroupMember", pair)


def _create(org: Org, conn: sqlite3.Connection, name: str, row: Mapping[str, str]) -> str:
    sobject = org.catalog.sobject(name)
    if sobject is None:
        raise LookupError(name)
    call = WriteCall("insert", writeable(sobject), [row], org.user, from_text=True)
    (outcome,) = write(org, conn, call)
    if outcome.id is None or not outcome.success:
        error = outcome.errors[0]
        raise SetupError(f"{name} {next(iter(row.values()))}: {error.code}: {error.message}")
    return outcome.id


def _id_of(conn: sqlite3.Connection, name: str, field: str, value: str) -> str | None:
    row = conn.execute(
        f'SELECT "Id" FROM {quoted(name)} WHERE NOT "IsDeleted" '  # noqa: S608 - names
        f"AND sf_lower({quoted(field)}) = sf_lower(?)",
        (value,),
    ).fetchone()
    return str(row[0]) if row else None


def _has(conn: sqlite3.Connection, name: str, values: Mapping[str, str]) -> bool:
    conditions = " AND ".join(f"{quoted(field)} = ?" for field in values)
    found = conn.execute(
        f'SELECT 1 FROM {quoted(name)} WHERE NOT "IsDeleted" AND {conditions}',  # noqa: S608
        tuple(values.values()),
    )
    return found.fetchone() is not None

"""The records of a new org: the organization, a profile, the administrator, a price book.

Knows what Salesforce puts into a new org. Knows nothing of records that users write.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from runner.local_org.catalog.model import Catalog, SObject
from runner.local_org.ids import make_id
from runner.local_org.org import User
from runner.local_org.store import Store, quoted, reserve, reserve_below

_NUMBER = 1
"""Of each initial record among the Ids of its sObject; later records have higher ones."""
_ORGANIZATIONS = 1 << 40
"""Among how many numbers an org's own is."""
_USER_ID = make_id("005", _NUMBER)
_STANDARD_PRICEBOOK_ID = make_id("01s", _NUMBER)
_LOCALE = {"TimeZoneSidKey": "GMT", "LanguageLocaleKey": "en_US"}
_OF_USERS = {
    **_LOCALE,
    "LocaleSidKey": "en_US",
    "EmailEncodingKey": "UTF-8",
    "ProfileId": make_id("00e", _NUMBER),
}
_PROFILES = ("System Administrator", "Standard User", "Minimum Access - Salesforce")
_ALIAS_LENGTH = 8
_CREATED = "2024-01-01T00:00:00.000Z"

_ADMINISTRATOR = User(
    id=_USER_ID,
    username="admin@local.example",
    name="Local Admin",
    email="admin@local.example",
)


def organization_id(store: Store) -> str:
    """The org's Id: the one that it has, or for a new one that of its folder.

    Orgs have different Ids, as in Salesforce: by them a run tells whose rows a target has.
    """
    with store.reading() as conn:
        row = conn.execute('SELECT "Id" FROM "Organization"').fetchone()
    return str(row[0]) if row else _id_of(store.folder)


def _id_of(folder: Path) -> str:
    digest = hashlib.sha256(os.fsencode(folder.resolve())).digest()
    return make_id("00D", int.from_bytes(digest[:8]) % _ORGANIZATIONS)


def write_initial_records(store: Store, organization_id: str) -> User:
    """Write the initial records if they are missing; returns the administrator.

    Runs on every start: adds record types of the org file, leaves the rest as it is.
    """
    with store.writing() as conn:
        for name, record in _initial_records(organization_id):
            sobject = store.catalog.sobject(name)
            if sobject is not None:
                _insert(conn, sobject, record, _CREATED)
                first_free = len(_PROFILES) if name == "Profile" else 1
                reserve_below(conn, name, _NUMBER + first_free)
        for sobject in store.catalog.sobjects:
            _write_record_types(conn, store.catalog, sobject)
    return _ADMINISTRATOR


def add_profile(conn: sqlite3.Connection, catalog: Catalog, name: str, moment: datetime) -> str:
    """Add a profile, which no API call creates; returns its Id."""
    number = reserve(conn, "Profile", 1)
    record: dict[str, object] = {"Id": make_id("00e", number), "Name": name, "UserType": "Standard"}
    profile = catalog.sobject("Profile")
    if profile is not None:
        _insert(conn, profile, record, _stamp(moment))
    return str(record["Id"])


def initial_ids(organization_id: str) -> tuple[str, ...]:
    """The Ids of the initial records, but for record types."""
    return tuple(str(record["Id"]) for _, record in _initial_records(organization_id))


def completed_user(row: Mapping[str, str]) -> dict[str, str]:
    """A user's row, CSV texts by column, with what a create demands beyond name and username.

    A user that is only declared is like the administrator: profile, time zone, locale.
    """
    given = {name: text for name, text in row.items() if text}
    present = {name.lower() for name in given}
    username = next((text for name, text in given.items() if name.lower() == "username"), "")
    defaults = {**_OF_USERS, "Email": username, "Alias": username.partition("@")[0][:_ALIAS_LENGTH]}
    if "profile.name" in present:
        del defaults["ProfileId"]
    return given | {name: text for name, text in defaults.items() if name.lower() not in present}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _initial_records(organization_id: str) -> list[tuple[str, dict[str, object]]]:
    organization = {
        "Id": organization_id,
        "Name": "Local Org",
        "OrganizationType": "Developer Edition",
        "InstanceName": "LOCAL",
        "DefaultLocaleSidKey": "en_US",
        "IsSandbox": 0,
        "FiscalYearStartMonth": 1,
        **_LOCALE,
    }
    profiles: list[tuple[str, dict[str, object]]] = [
        ("Profile", {"Id": make_id("00e", number), "Name": name, "UserType": "Standard"})
        for number, name in enumerate(_PROFILES, _NUMBER)
    ]
    user = {
        "Id": _USER_ID,
        "Username": _ADMINISTRATOR.username,
        "FirstName": "Local",
        "LastName": "Admin",
        "Name": _ADMINISTRATOR.name,
        "Email": _ADMINISTRATOR.email,
        "Alias": "admin",
        "CommunityNickname": "admin",
        "IsActive": 1,
        "UserType": "Standard",
        **_OF_USERS,
    }
    pricebook = {
        "Id": _STANDARD_PRICEBOOK_ID,
        "Name": "Standard Price Book",
        "IsActive": 1,
        "IsStandard": 1,
    }
    days = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
    hours = {
        "Id": make_id("01m", _NUMBER),
        "Name": "Default",
        "IsActive": 1,
        "IsDefault": 1,
        "TimeZoneSidKey": _LOCALE["TimeZoneSidKey"],
        **{f"{day}{end}Time": "00:00:00.000Z" for day in days for end in ("Start", "End")},
    }
    return [
        ("BusinessHours", hours),
        ("Organization", organization),
        *profiles,
        ("User", user),
        ("Pricebook2", pricebook),
    ]


def _write_record_types(conn: sqlite3.Connection, catalog: Catalog, sobject: SObject) -> None:
    table = catalog.sobject("RecordType")
    if table is None:
        return
    for record_type in sobject.record_types:
        record = {
            "Id": record_type.id,
            "Name": record_type.label,
            "DeveloperName": record_type.developer_name,
            "SobjectType": sobject.name,
            "IsActive": int(record_type.active),
            "IsPersonType": int(record_type.person),
        }
        _insert(conn, table, record, _CREATED)


def _insert(
    conn: sqlite3.Connection, sobject: SObject, record: dict[str, object], stamp: str
) -> None:
    """Insert with system fields, unless a record with this Id exists."""
    system = {
        "CreatedDate": stamp,
        "LastModifiedDate": stamp,
        "SystemModstamp": stamp,
        "CreatedById": _USER_ID,
        "LastModifiedById": _USER_ID,
    }
    values = {**system, **record}
    columns = [name for name in values if sobject.field(name) is not None]
    names = ", ".join(quoted(name) for name in columns)
    marks = ", ".join("?" for _ in columns)
    conn.execute(
        f"INSERT INTO {quoted(sobject.name)} ({names}) VALUES ({marks}) "  # noqa: S608 - names
        "ON CONFLICT DO NOTHING",
        [values[name] for name in columns],
    )

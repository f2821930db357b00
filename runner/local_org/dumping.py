"""The records of an org as tables that `loading` reads again.

Knows which objects and fields can be created again, and what every org has anyway. Knows no files
and no HTTP.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from itertools import compress

from msgspec import Struct

from runner.local_org import exact_numbers
from runner.local_org.bootstrap import initial_ids
from runner.local_org.catalog.model import SObject, writeable
from runner.local_org.org import Org
from runner.local_org.soql import prepare
from runner.local_org.soql.kinds import Kind, kind_of
from runner.local_org.store import quoted

_FILES = frozenset({"Attachment", "ContentVersion"})
_FOLLOWING = frozenset({"ContentDocument", "ContentDocumentLink", "RecordType", "Profile"})
"""They come with other records, or with the org file."""


class Held(Struct, frozen=True):
    """How many records of an object there are to dump."""

    sobject: str
    records: int
    reason: str = ""
    """Why they cannot be dumped; empty if they can."""


class Table(Struct, frozen=True):
    """The records of one object, as CSV texts in the order of their Ids."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def held(org: Org) -> list[Held]:
    """The objects that have records, beyond those of every new org."""
    with org.store.reading() as conn:
        return [found for each in org.catalog.sobjects if (found := _held(org, conn, each))]


def _held(org: Org, conn: sqlite3.Connection, sobject: SObject) -> Held | None:
    if sobject.name in _FOLLOWING:
        return None
    marks = ", ".join("?" for _ in initial_ids(org.id))
    (count,) = conn.execute(
        f"SELECT count(*) FROM {quoted(sobject.name)} "  # noqa: S608 - a table's name
        f'WHERE NOT "IsDeleted" AND "Id" NOT IN ({marks}){_condition(sobject)}',
        initial_ids(org.id),
    ).fetchone()
    if not count:
        return None
    if sobject.name in _FILES:
        return Held(sobject.name, count, "files are only in snapshots")
    if not sobject.flags.get("queryable"):
        return Held(sobject.name, count, "its records cannot be read")
    if not (sobject.flags.get("createable") or sobject.name.endswith("__mdt")):
        return Held(sobject.name, count, "its records cannot be created")
    return Held(sobject.name, count)


def table(org: Org, sobject: SObject) -> Table:
    """The records of an object, with its Id and those columns that have a value in any of them."""
    sobject = writeable(sobject) if sobject.name.endswith("__mdt") else sobject
    names = [each.name for each in sobject.fields if each.name == "Id" or _kept(sobject, each.name)]
    query = f"SELECT {', '.join(names)} FROM {sobject.name} ORDER BY Id"  # noqa: S608 - of the catalog
    prepared = prepare(org, query, user=org.user, version=org.settings.max_version)
    with org.store.reading() as conn:
        left_out = set(initial_ids(org.id)) | set(_followers(conn, sobject))
        rows = [row for row in prepared.flat(conn) if row[0] not in left_out]
    doubles = [_is_double(sobject, name) for name in names]
    if any(doubles):
        rows = [
            [_in_full(cell) if double else cell for cell, double in zip(row, doubles, strict=True)]
            for row in rows
        ]
    used = [any(row[at] for row in rows) for at in range(len(names))]
    columns = tuple(compress(names, used))
    return Table(columns, tuple(tuple(compress(row, used)) for row in rows))


def _is_double(sobject: SObject, name: str) -> bool:
    field = sobject.field(name)
    return field is not None and kind_of(field) is Kind.DOUBLE


def _in_full(number: str) -> str:
    """A number that a query prints, without its exponent: people read it, too."""
    return exact_numbers.plain(Decimal(number)) if "E" in number else number


def _kept(sobject: SObject, name: str) -> bool:
    field = sobject.field(name)
    if field is None or not field.stored or field.type == "base64":
        return False
    if sobject.name == "OpportunityLineItem" and name == "TotalPrice":
        return False  # it follows from quantity and price
    return field.createable


def _condition(sobject: SObject) -> str:
    return ' AND NOT "IsPersonAccount"' if _has_people(sobject) else ""


def _has_people(sobject: SObject) -> bool:
    return sobject.name == "Contact" and sobject.field("IsPersonAccount") is not None


def _followers(conn: sqlite3.Connection, sobject: SObject) -> Iterator[str]:
    """Contacts of person accounts, which come with these."""
    if _has_people(sobject):
        for (record_id,) in conn.execute('SELECT "Id" FROM "Contact" WHERE "IsPersonAccount"'):
            yield record_id

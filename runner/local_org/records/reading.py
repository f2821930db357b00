"""Reads single records in the shape of REST.

Knows the shape of a record in JSON. Knows no SOQL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from runner.local_org.catalog.model import Field, SObject
from runner.local_org.org import Org
from runner.local_org.records.compounds import compound_json, compound_parts
from runner.local_org.records.lookups import Lookups
from runner.local_org.records.stored import Stored
from runner.local_org.records.values import to_json

_COMPOUNDS = frozenset({"address", "location"})


def attributes(sobject: SObject, record_id: str, version: float) -> dict[str, object]:
    """The first member of every record: its type and URL."""
    return {
        "type": sobject.name,
        "url": f"/services/data/v{version:.1f}/sobjects/{sobject.name}/{record_id}",
    }


def read(  # noqa: PLR0913 - URLs need the version
    org: Org,
    conn: sqlite3.Connection,
    sobject: SObject,
    record_id: str,
    fields: Sequence[Field] | None = None,
    *,
    version: float | None = None,
) -> dict[str, object] | None:
    """One record by its 18-character Id; None if it is missing or in the recycle bin.

    `fields` defaults to all, in the order of describe.
    """
    records = read_many(org, conn, sobject, [record_id], fields, version=version)
    return records[0]


def read_many(  # noqa: PLR0913 - as read
    org: Org,
    conn: sqlite3.Connection,
    sobject: SObject,
    record_ids: Sequence[str],
    fields: Sequence[Field] | None = None,
    *,
    version: float | None = None,
) -> list[dict[str, object] | None]:
    """Records in the order of their Ids; see `read`."""
    wanted = sobject.fields if fields is None else fields
    stored = Lookups(conn).records(sobject, set(record_ids))
    of_version = org.settings.max_version if version is None else version
    return [
        record_json(sobject, record, wanted, of_version)
        if (record := stored.get(record_id)) is not None and not record["IsDeleted"]
        else None
        for record_id in record_ids
    ]


def record_json(
    sobject: SObject, record: dict[str, Stored], fields: Sequence[Field], version: float
) -> dict[str, object]:
    """A stored record in the shape of REST."""
    shown: dict[str, object] = {"attributes": attributes(sobject, str(record["Id"]), version)}
    for field in fields:
        if field.type in _COMPOUNDS:
            shown[field.name] = compound_json(compound_parts(sobject, field), record.get)
        elif field.type == "base64":
            of_record = attributes(sobject, str(record["Id"]), version)["url"]
            is_there = record.get(field.name) is not None
            shown[field.name] = f"{of_record}/{field.name}" if is_there else None
        else:
            shown[field.name] = to_json(field, record.get(field.name))
    return shown

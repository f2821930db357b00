"""The contents of the pages: counts, a table of records, one record.

Knows the store and the catalog. Knows no template and no request.
"""

from __future__ import annotations

from msgspec import Struct

from runner.local_org.catalog.model import Field, SObject
from runner.local_org.ids import normalise
from runner.local_org.org import Org
from runner.local_org.store import quoted

ROWS_SHOWN = 50
_COLUMNS_SHOWN = 8
_LATEST_FIRST = ' ORDER BY "SystemModstamp" DESC, "Id" DESC LIMIT ? OFFSET ?'


class Counted(Struct, frozen=True):
    """An sObject and its number of records that are not deleted."""

    sobject: SObject
    count: int


class Cell(Struct, frozen=True):
    """One value, and the address of the record that it names, if any."""

    text: str
    href: str = ""


class Table(Struct, frozen=True):
    """One page of records, newest first."""

    columns: list[Field]
    rows: list[list[Cell]]
    total: int
    page: int
    """From 1."""
    pages: int


def counted(org: Org) -> list[Counted]:
    """All sObjects: first those with records, then by name."""
    with org.store.reading() as conn:
        found = [
            Counted(
                sobject,
                conn.execute(
                    f"SELECT COUNT(*) FROM {quoted(sobject.name)} WHERE IsDeleted = 0"  # noqa: S608
                ).fetchone()[0],
            )
            for sobject in org.catalog.sobjects
        ]
    return sorted(found, key=lambda each: (each.count == 0, each.sobject.name.lower()))


def table(org: Org, sobject: SObject, search: str, page: int) -> Table:
    """One page of records that contain the search text in a shown column.

    Beyond the last page it is the last one.
    """
    columns = _distinguishing(sobject)
    names = ", ".join(quoted(field.name) for field in columns)
    where, arguments = "WHERE IsDeleted = 0", []
    if search:
        parts = [f"instr(sf_lower(CAST({quoted(field.name)} AS TEXT)), ?) > 0" for field in columns]
        where += f" AND ({' OR '.join(parts)})"
        arguments = [search.casefold()] * len(columns)
    source = f"FROM {quoted(sobject.name)} {where}"
    with org.store.reading() as conn:
        total = conn.execute(f"SELECT COUNT(*) {source}", arguments).fetchone()[0]
        pages = max(1, -(-total // ROWS_SHOWN))
        page = min(page, pages)
        rows = conn.execute(
            f"SELECT {names} {source}{_LATEST_FIRST}",
            [*arguments, ROWS_SHOWN, (page - 1) * ROWS_SHOWN],
        ).fetchall()
    shown = [
        [_cell(org, field, value) for field, value in zip(columns, row, strict=True)]
        for row in rows
    ]
    return Table(columns, shown, total, page, pages)


def record(org: Org, sobject: SObject, record_id: str) -> list[tuple[Field, Cell]] | None:
    """All stored fields of a record, deleted or not; None if there is no such record."""
    fields = [field for field in sobject.fields if field.stored]
    names = ", ".join(quoted(field.name) for field in fields)
    with org.store.reading() as conn:
        row = conn.execute(
            f"SELECT {names} FROM {quoted(sobject.name)} WHERE Id = ?",  # noqa: S608
            (normalise(record_id),),
        ).fetchone()
    if row is None:
        return None
    return [(field, _cell(org, field, value)) for field, value in zip(fields, row, strict=True)]


def _distinguishing(sobject: SObject) -> list[Field]:
    """The columns that distinguish records: Id, name, keys, required and custom fields."""

    def rank(field: Field) -> int:
        if field.name == "Id":
            return 0
        if field.name_field:
            return 1
        if field.external_id or field.id_lookup:
            return 2
        return 3 if field.custom or field.required_on_create else 4

    stored = [field for field in sobject.fields if field.stored and field.type != "boolean"]
    useful = [field for field in stored if rank(field) < 4 or field.name in _USEFUL]  # noqa: PLR2004
    first = sorted(useful, key=rank)[: _COLUMNS_SHOWN - 1]
    last = [field for field in stored if field.name == "SystemModstamp" and field not in first]
    return first + last


_USEFUL = frozenset(
    {
        "Email",
        "Phone",
        "Company",
        "AccountId",
        "StageName",
        "Status",
        "Amount",
        "Subject",
        "Industry",
    }
)


def linked(org: Org, text: str) -> Cell:
    """A text as a cell; with a link if it is the Id of a record."""
    sobject = org.catalog.of_id(text) if normalise(text) else None
    return Cell(text, f"/objects/{sobject.name}/{text}" if sobject else "")


def _cell(org: Org, field: Field, value: object) -> Cell:
    text = _shown(field, value)
    return linked(org, text) if field.type in {"id", "reference"} else Cell(text)


def _shown(field: Field, value: object) -> str:
    if value is None:
        return ""
    if field.type == "boolean":
        return "true" if value else "false"
    return str(value)

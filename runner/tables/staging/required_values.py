"""Rows whose values a condition rules out.

Knows the rows to send and which values are equal in the org. Knows nothing of SOQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.tables.database import storage_errors
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import same_key
from runner.tables.staging.problems import shown

if TYPE_CHECKING:
    from runner.tables.staging.rows import StagedRows


class Required(Struct, frozen=True):
    """What a condition says of one field."""

    field: str
    values: tuple[str, ...]
    """As texts."""
    negated: bool = False
    """Whether it must have none of these values; if not, it must have one of them."""


def rows_ruled_out(
    staging: StagedRows, required: Sequence[Required], most: int
) -> list[tuple[int, str, str]]:
    """The first rows with a value that is ruled out: row number, field and value.

    A blank cell rules nothing out: it leaves a field as it is, or to its default value.

    Raises:
        StateError: The rows cannot be read.
    """
    found: list[tuple[int, str, str]] = []
    for each in required:
        name = each.field.lower()
        mapping = next((m for m in staging.mappings if m.column.label.lower() == name), None)
        if mapping is None or mapping.column.is_list or mapping.column.is_file:
            continue
        kind, cell = mapping.column.kind, mapping.cell
        allowed = ", ".join(
            same_key(kind, literal(value), tells_case=False) for value in each.values
        )
        is_one = f"{same_key(kind, cell, tells_case=False)} IN ({allowed})"
        wrong = is_one if each.negated else f"NOT {is_one}"
        for chunk in staging.chunks:
            if chunk.sendable and len(found) < most:
                query = (
                    f"SELECT row, {shown(cell)} FROM {chunk.sent_rows()}"
                    f" WHERE {cell} IS NOT NULL AND {wrong} ORDER BY row LIMIT {most - len(found)}"
                )
                with storage_errors("Staged rows cannot be read"):
                    rows = staging.database.connection.execute(query).fetchall()
                found += [(int(row), mapping.column.label, str(value)) for row, value in rows]
    return sorted(found)

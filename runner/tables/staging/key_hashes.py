"""A hash of each row's key, from which it shows whether a key occurs twice.

Sixteen bytes a row, written while rows are staged: the keys themselves are only read again if two
hashes are equal. Knows mappings. Knows nothing of chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.tables.field_types import FieldKind
from runner.tables.staging.canonical_values import same_key
from runner.tables.staging.mapping import ColumnMapping

if TYPE_CHECKING:
    from runner.tables import duckdb


def key_of(mappings: Sequence[ColumnMapping]) -> ColumnMapping | None:
    """The column whose values identify the rows' records."""
    return next((each for each in mappings if each.column.tells_case is not None), None)


def same(key: ColumnMapping) -> str:
    """SQL of a text that is the same for keys that the org takes for the same; NULL for blank."""
    tells_case = bool(key.column.tells_case)
    if key.column.kind is not FieldKind.TEXT:
        return same_key(key.column.kind, key.cell, tells_case=tells_case)
    return key.cell if tells_case else f"lower({key.cell})"  # a staged key is trimmed


def create_key_hashes(
    connection: duckdb.DuckDBPyConnection, mappings: Sequence[ColumnMapping]
) -> str | None:
    """Create the table of hashes and of the chunks they are in; give the SQL of a hash.

    Returns:
        None if rows have no key.
    """
    key = key_of(mappings)
    if key is None:
        return None
    connection.execute("CREATE TABLE key_hash (hash UBIGINT, chunk INTEGER)")
    return f"hash({same(key)})"

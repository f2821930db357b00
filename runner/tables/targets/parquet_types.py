"""Types of DuckDB and Parquet for columns of a target, both ways.

Knows DuckDB's names of types. Knows nothing of rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from runner.errors import StateError
from runner.tables.database import Database, duckdb_error, first_line
from runner.tables.field_types import FieldKind
from runner.tables.sql import read_parquet
from runner.tables.targets.column_types import TypedColumn
from runner.tables.targets.evolution import KeptColumn

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")
_TYPES = {
    FieldKind.BOOLEAN: "BOOLEAN",
    FieldKind.INTEGER: "BIGINT",
    FieldKind.DATE: "DATE",
    FieldKind.DATETIME: "TIMESTAMP WITH TIME ZONE",
    FieldKind.TIME: "TIME",
}
_KINDS = {written: kind for kind, written in _TYPES.items()} | {"VARCHAR": FieldKind.TEXT}


def duckdb_type(column: TypedColumn) -> str:
    """The type of a column in DuckDB."""
    if column.is_decimal:
        return f"DECIMAL({column.precision}, {column.scale})"
    return _TYPES.get(column.kind, "VARCHAR")


def kept_column(name: str, written: str) -> KeptColumn:
    """A column of a DuckDB type."""
    decimal = _DECIMAL.fullmatch(written)
    if decimal:
        precision, scale = map(int, decimal.groups())
        return KeptColumn(name, TypedColumn(name, FieldKind.NUMBER, precision, scale), written)
    kind = _KINDS.get(written)
    return KeptColumn(name, TypedColumn(name, kind) if kind else None, written)


def kept_parquet(database: Database, files: Sequence[Path], place: str) -> list[KeptColumn]:
    """The columns of Parquet files; none if there are no files.

    Raises:
        StateError: One is not a Parquet file.
    """
    if not files:
        return []
    try:
        found = database.connection.execute(f"DESCRIBE FROM {read_parquet(files)}").fetchall()
    except duckdb_error() as error:
        raise StateError(
            f"{place} cannot be read: {first_line(error)}. It was left as it is.",
            hint="Correct it or move it away, then run again.",
        ) from error
    return [kept_column(each[0], each[1]) for each in found]

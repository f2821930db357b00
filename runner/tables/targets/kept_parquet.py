"""Joins a query's rows with those of a Parquet file, or of a folder of them.

Knows the folders of partitions, `Status=New`, whose values are in no file. Knows nothing of how the
rows are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from runner.job.endpoints import FileTarget, FolderTarget
from runner.tables.database import Database
from runner.tables.field_types import FieldKind
from runner.tables.sql import literal, name, read_parquet
from runner.tables.targets.column_types import (
    TypedColumn,
    column_names,
    typed_cell,
    with_query_rows,
)
from runner.tables.targets.evolution import JoinedColumn, KeptColumn, join_columns
from runner.tables.targets.merging import FRESH, KEPT, join, load
from runner.tables.targets.parquet_types import duckdb_type, kept_parquet

_BLANK = "__HIVE_DEFAULT_PARTITION__"


class Part(Struct, frozen=True):
    """Files whose rows have the same values in the columns that folders are named after."""

    files: tuple[Path, ...]
    values: tuple[tuple[str, str | None], ...] = ()


def parts_of(target: Path) -> list[Part]:
    """The parts of a file or folder; none if it does not exist, or is empty."""
    if not target.is_dir():
        return [Part((target,))] if target.exists() and target.stat().st_size else []
    found: dict[Path, list[Path]] = {}
    for each in sorted(target.rglob("*.parquet")):
        found.setdefault(each.parent, []).append(each)
    return [
        Part(tuple(files), tuple(map(_value, folder.relative_to(target).parts)))
        for folder, files in found.items()
    ]


def _value(folder: str) -> tuple[str, str | None]:
    column, _, value = folder.partition("=")
    return unquote(column), None if value == _BLANK else unquote(value)


def join_parquet(
    database: Database,
    rows: Path,
    target: FileTarget | FolderTarget,
    parts: Sequence[Part],
    fresh: Sequence[TypedColumn],
) -> tuple[str, tuple[str, ...]]:
    """The SELECT of all rows that the target is to have, and what there is to say of it.

    Raises:
        StateError: The target cannot be read, a key is blank or doubled, or a type does not fit.
    """
    place = str(target.path)
    kept = kept_parquet(database, [file for part in parts for file in part.files], place)
    own = [column for column, _ in parts[0].values] if parts else []
    kept += [KeptColumn(each, TypedColumn(each, FieldKind.TEXT)) for each in own]
    columns = join_columns(place, kept, fresh, target.keeping.schema)
    _load_kept(database, parts, columns)
    cells = [
        f"{typed_cell(replace(each.written, name=each.fresh))} AS {name(each.fresh)}"
        for each in columns
        if each.fresh is not None
    ]
    with_query_rows(rows, lambda read: load(database, FRESH, cells, read))
    return join(database, target, columns, column_names(rows))


def _load_kept(database: Database, parts: Sequence[Part], columns: Sequence[JoinedColumn]) -> None:
    if not parts:
        load(database, KEPT, (), None)
    for at, part in enumerate(parts):
        values = {column.lower(): value for column, value in part.values}
        cells = [_kept_cell(each, values) for each in columns if each.kept is not None]
        relation = read_parquet(part.files)
        if at == 0:
            load(database, KEPT, cells, relation)
        else:
            select = f"SELECT {', '.join(cells)} FROM {relation}"
            database.connection.execute(f"INSERT INTO {KEPT} {select}")


def _kept_cell(column: JoinedColumn, values: dict[str, str | None]) -> str:
    kept = column.kept or ""
    cell = name(kept)
    if kept.lower() in values:
        value = values[kept.lower()]
        cell = "NULL" if value is None else literal(value)
    if not column.is_typed:
        return cell
    return f"CAST({cell} AS {duckdb_type(column.written)}) AS {name(kept)}"

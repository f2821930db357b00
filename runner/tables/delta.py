"""Delta tables: the columns, files and commits that their log has.

`deltalake`, from the extra `delta`, reads and writes the log; the rows in the files are DuckDB's.
Knows what a table may have that its files alone do not show, and refuses it. Knows nothing of
sources or targets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from runner.errors import RunnerError
from runner.tables.database import Database, first_line
from runner.tables.extras import extra
from runner.tables.sql import literal, name, read_parquet
from runner.wording import plain

LOG = "_delta_log"
_PLAIN = re.compile(r"[\w./=-]*", re.ASCII)
FILE_COLUMN = "sfrunner_file"
"""The column of a row's file."""
_READ = frozenset({"timestampNtz", "appendOnly", "invariants"})
"""Features of a table that change nothing of what its files contain."""
_SETTINGS = {
    "delta.columnMapping.mode": "column mapping",
    "delta.enableChangeDataFeed": "a change data feed",
    "delta.enableDeletionVectors": "deletion vectors",
    "delta.enableRowTracking": "row tracking",
}
_TYPES = {
    "string": "VARCHAR",
    "long": "BIGINT",
    "integer": "INTEGER",
    "short": "SMALLINT",
    "byte": "TINYINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "binary": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP",
}


class DeltaColumn(Struct, frozen=True):
    """A column of a table."""

    name: str
    type: str
    """As Delta calls it: `decimal(18,2)`."""

    @property
    def duckdb_type(self) -> str | None:
        """The same type in DuckDB; None if it has several values per row."""
        is_decimal = self.type.startswith("decimal(")
        return self.type.upper() if is_decimal else _TYPES.get(self.type)


class DeltaFile(Struct, frozen=True):
    """A file of a table."""

    path: Path
    """Absolute."""
    in_log: str
    """Its path as the log has it: percent-encoded."""
    size_bytes: int
    values: tuple[tuple[str, str | None], ...]
    """Of the columns that the table is partitioned by; the file does not have them."""

    @property
    def is_removable(self) -> bool:
        """Whether a commit can name it: the library encodes a path once more, each in its way."""
        return _PLAIN.fullmatch(self.in_log) is not None


class DeltaTable(Struct, frozen=True):
    """One version of a table."""

    folder: Path
    version: int
    columns: tuple[DeltaColumn, ...]
    partition_by: tuple[str, ...]
    files: tuple[DeltaFile, ...]
    """In the order in which they were written."""
    opened: Any
    """The table as `deltalake` has it."""

    def rows(self, database: Database, files: Sequence[DeltaFile], *, with_file: bool) -> str:
        """Write the relation of some files' rows, with the types of the table.

        Args:
            database: Looks at the files.
            files: Of this table.
            with_file: Whether FILE_COLUMN has the file of each row.
        """
        groups: dict[tuple[tuple[str, str | None], ...], list[Path]] = {}
        for each in files:
            groups.setdefault(each.values, []).append(each.path)
        more = f", union_by_name = true, filename = {literal(FILE_COLUMN)}"
        selects = [
            self._select(database, read_parquet(paths, more), dict(values), with_file=with_file)
            for values, paths in groups.items()
        ]
        cells = ", ".join(f"{_cast('NULL', each)} AS {name(each.name)}" for each in self.columns)
        file = f", NULL AS {name(FILE_COLUMN)}" if with_file else ""
        empty = f"SELECT {cells}{file} WHERE false"
        return f"({' UNION ALL '.join(selects or [empty])})"

    def _select(
        self, database: Database, read: str, values: Mapping[str, str | None], *, with_file: bool
    ) -> str:
        described = database.connection.execute(f"DESCRIBE FROM {read}").fetchall()
        known = {str(each[0]).lower(): str(each[0]) for each in described}
        cells = []
        for each in self.columns:
            own = known.get(each.name.lower())
            cell = "NULL" if own is None else name(own)
            if each.name in values:
                value = values[each.name]
                cell = "NULL" if value is None else literal(value)
            cells.append(f"{_cast(cell, each)} AS {name(each.name)}")
        if with_file:
            cells.append(name(FILE_COLUMN))
        return f"SELECT {', '.join(cells)} FROM {read}"

    def history(self) -> Iterator[Mapping[str, Any]]:
        """What the log has of each commit, newest first, without those that were undone."""
        end = self.version
        for commit in self.opened.history():
            if commit["version"] > end:
                continue
            yield commit
            if commit.get("operation") == "RESTORE":
                restored = (commit.get("operationParameters") or {}).get("version")
                if restored is None:  # it was restored to a time
                    return
                end = int(restored)


def is_delta(folder: Path) -> bool:
    """Whether a folder is a Delta table."""
    return (folder / LOG).is_dir()


def open_table(folder: Path, kind: type[RunnerError]) -> DeltaTable:
    """Open the newest version of a table.

    Raises:
        RunnerError: Of that kind: its log cannot be read, or it has a feature that changes what
            its files contain.
    """
    deltalake = extra("deltalake", "delta", "A Delta table", kind)
    with delta_errors(folder, kind, "read"):
        opened = deltalake.DeltaTable(str(folder))
        feature = next(_features(opened), None)
        if feature is not None:
            raise kind(
                f"{folder} cannot be read: the table has {feature}, which is not supported.",
                hint="Copy it to a Delta table without that, and name the copy.",
            )
        partitions = tuple(opened.metadata().partition_columns)
        return DeltaTable(
            folder,
            opened.version(),
            tuple(DeltaColumn(each.name, _type(each)) for each in opened.schema().fields),
            partitions,
            tuple(_files(opened, folder, partitions)),
            opened,
        )


@contextmanager
def delta_errors(folder: Path, kind: type[RunnerError], done: str) -> Iterator[None]:
    """Turn the library's errors into ours.

    Raises:
        RunnerError: Of that kind.
    """
    from deltalake.exceptions import CommitFailedError, DeltaError

    try:
        yield
    except CommitFailedError as error:
        raise kind(
            f"{folder} was changed by another program meanwhile, or refuses the rows"
            f" ({first_line(error)}); nothing was written.",
            hint="Run again when nothing else writes it.",
        ) from error
    except (DeltaError, OSError) as error:
        raise kind(
            f"{folder} cannot be {done} as a Delta table: {first_line(error)}.",
            hint="Check that the folder is complete and can be read.",
        ) from error


def _features(opened: Any) -> Iterator[str]:  # noqa: ANN401
    """What a table has that its files alone do not show."""
    settings = opened.metadata().configuration
    for key, what in _SETTINGS.items():
        if settings.get(key, "false").lower() not in {"false", "none"}:
            yield what
    protocol = opened.protocol()
    for each in (*(protocol.reader_features or ()), *(protocol.writer_features or ())):
        if each not in _READ:
            yield f"the feature {each}"


def unwritable_rule(table: DeltaTable) -> str | None:
    """A rule for rows that only the table's own writers would follow, for messages."""
    settings = table.opened.metadata().configuration
    rule = next((key for key in settings if key.startswith("delta.constraints.")), None)
    if rule is not None:
        return f"the constraint {rule.removeprefix('delta.constraints.')}"
    for each in table.opened.schema().fields:
        rules = [key for key in each.metadata if key.startswith("delta.")]
        if rules:
            return f"{rules[0]} for the column {each.name}"
        if not each.nullable:
            return f"NOT NULL for the column {each.name}"
    return None


def _type(field: Any) -> str:  # noqa: ANN401
    written = getattr(field.type, "type", "")
    return written if field.type.__class__.__name__ == "PrimitiveType" else f"a {written}"


def _files(opened: Any, folder: Path, partitions: Sequence[str]) -> Iterator[DeltaFile]:  # noqa: ANN401
    actions = opened.get_add_actions(flatten=True)
    columns = ["path", "size_bytes", "modification_time"]
    columns += [f"partition.{each}" for each in partitions]
    cells = [actions.column(each).to_pylist() for each in columns]
    for path, size, _, *values in sorted(
        zip(*cells, strict=True), key=lambda row: (row[2], row[0])
    ):
        texts = tuple(None if each is None else plain(each) for each in values)
        pairs = tuple(zip(partitions, texts, strict=True))
        yield DeltaFile(folder / unquote(path), path, size, pairs)


def _cast(cell: str, column: DeltaColumn) -> str:
    kind = column.duckdb_type
    return f"CAST({cell} AS {kind})" if kind else cell

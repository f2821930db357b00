"""SQL over the rows of other sources, run on this machine.

Knows how SQL is confined to its tables. Knows nothing of where their rows come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from runner.errors import SourceError
from runner.job.binds import for_duckdb, sql_names
from runner.job.endpoints import FileSource
from runner.tables.database import Database, first_line
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.sources.chunks import UncutError
from runner.tables.sources.csv import (
    CODE_COLUMN,
    MESSAGE_COLUMN,
    UNREADABLE,
    Records,
    RowsSource,
    load_error,
)
from runner.tables.sources.footer import blank_note
from runner.tables.sources.header import check_header, clean_name
from runner.tables.sources.spool import spooled
from runner.tables.sources.sql_written import written_in
from runner.tables.sources.value_texts import FLOATS, JSON, NUMBER_MACROS, is_list, is_nested
from runner.tables.sources.written import WITH_LISTS, WITH_NAN
from runner.tables.sql import all_blank, copy_csv, literal, name, read_records

_FROM = Path("from")
"""The name of a SELECT's rows in messages."""


class JoinedSource(Struct, frozen=True):
    """SQL over rows of other tasks and files."""

    sql: str
    tables: Mapping[str, FileSource | RowsSource]
    params: Mapping[str, object] = field(default_factory=dict)
    """Values of the binds in the SQL."""


OpenSource = Callable[[FileSource | RowsSource, Path, Disk], tuple[Records, ...]]
"""Opens the source of one table, with a folder for its files."""


def read_joined(
    source: JoinedSource, folder: Path, open_source: OpenSource, disk: Disk = UNBOUNDED
) -> Records:
    """Run a SELECT over its tables, whose columns are all text.

    Raises:
        SourceError: A table cannot be read, or the SELECT fails.
    """
    from runner.tables import duckdb

    to = folder / "rows.csv"
    database = Database(folder, most_spilled_bytes=disk.most_bytes)
    notes: list[str] = []
    try:
        for macro in NUMBER_MACROS:
            database.connection.execute(macro)
        tables: dict[str, Records] = {}
        for table, rows in source.tables.items():
            (folder / table).mkdir(exist_ok=True)
            opened = open_source(rows, folder / table, disk)
            _load(database, table, opened, folder / table)
            tables[table] = opened[0]
            blank = all_blank([name(column) for column in opened[0].columns])
            deleted = f"DELETE FROM {name(table)} WHERE {blank}"
            (count,) = database.connection.execute(deleted).fetchall()[0]
            notes += [f"{table}: {note}" for note in blank_note(count)]
            if not isinstance(rows, RowsSource):
                _refuse_unreadable(database, table, opened[0])
            notes += [note for records in opened for note in records.notes]
        for bind in sql_names(source.sql):
            value = source.params[bind]
            given = list(value) if isinstance(value, tuple) else value
            database.connection.execute(f"SET VARIABLE {name(bind)} = ?", [given])
        _confine(database, to)
        sql = for_duckdb(source.sql)
        described = database.connection.execute(f"DESCRIBE (\n{sql}\n)").fetchall()
        columns = tuple(str(row[0]) for row in described)
        database.make_room(len(columns))
        names = check_header(_FROM, columns)
        ways = written_in(database.connection, sql, tables)
        written = {clean_name(column): way for column, way in ways.items()}
        kinds = {str(row[0]): str(row[1]) for row in described}
        floats = {column for column, kind in kinds.items() if kind in FLOATS}
        lists = _lists(kinds)
        database.connection.execute("SET lock_configuration = true")
        cells = ", ".join(_cell(column, kinds[column]) for column in columns)
        query = f"SELECT {cells} FROM (\n{sql}\n)"
        database.connection.execute(copy_csv(query, to, header=False))
        written = {clean_name(column): WITH_NAN for column in floats} | written
        written |= {clean_name(column): WITH_LISTS for column in lists}
    except duckdb.Error as error:
        raise SourceError(
            f"The source's SQL failed: {first_line(error)}.",
            hint="Columns of the names in `tables` are text: CAST(amount AS DECIMAL).",
        ) from error
    finally:
        database.close()
    disk.add(to.stat().st_size)
    return replace(spooled(_FROM, names, to), notes=tuple(notes), written=written)


def _refuse_unreadable(database: Database, table: str, records: Records) -> None:
    """What SQL makes of a row that could not be read cannot be told from other rows."""
    if not {CODE_COLUMN, MESSAGE_COLUMN} <= set(records.columns):
        return
    query = f"SELECT {MESSAGE_COLUMN} FROM {name(table)} WHERE {CODE_COLUMN} = ? LIMIT 1"
    for (message,) in database.connection.execute(query, [UNREADABLE]).fetchall():
        raise SourceError(f"{records.path}: {message}.", hint="Correct the row in the source.")


def _lists(kinds: Mapping[str, str]) -> list[str]:
    """The columns of a SELECT that are lists, by the types of all.

    Raises:
        SourceError: A column is a structure.
    """
    nested = [column for column, kind in kinds.items() if is_nested(kind)]
    for column in nested:
        if not is_list(kinds[column]):
            raise SourceError(
                f"`sql`: column {column!r} is {kinds[column]}, not one value.",
                hint="Select its members as columns of their own, or to_json() of it.",
            )
    return nested


def _cell(column: str, kind: str) -> str:
    value = f"to_json({name(column)})" if is_list(kind) else name(column)
    value = f"({value} ->> '$')" if kind == JSON else value
    text = f"CAST({value} AS VARCHAR)"
    return f"coalesce({f'float_text({text})' if kind in FLOATS else text}, '')"


def _load(database: Database, table: str, opened: Sequence[Records], folder: Path) -> None:
    """Create a table with a source's rows."""
    columns = opened[0].columns
    if not columns:
        raise SourceError(
            f"{opened[0].path} has no columns.", hint="The file is empty; it needs a header."
        )
    typed = ", ".join(f"{name(c)} VARCHAR" for c in columns)
    database.make_room(len(columns))
    database.connection.execute(f"CREATE TABLE {name(table)} ({typed})")
    for records in opened:
        _insert(database, table, columns, records, folder)


def _insert(
    database: Database, table: str, columns: tuple[str, ...], records: Records, folder: Path
) -> None:
    from runner.tables import duckdb

    try:
        _insert_as_is(database, table, columns, records, folder)
    except (duckdb.Error, UncutError) as error:
        database.connection.execute("ROLLBACK")
        if records.normalize is None:
            raise load_error(records.path, error) from error
        plain = records.normalize(folder / "normalized.csv")
        _insert_as_is(database, table, columns, plain, folder)


def _insert_as_is(
    database: Database, table: str, columns: tuple[str, ...], records: Records, folder: Path
) -> None:
    text = folder / "chunk.csv"
    database.connection.execute("BEGIN")
    for chunk in records.chunks():
        text.write_bytes(chunk)
        read = read_records(text, records.dialect(chunk), columns)
        database.connection.execute(f"INSERT INTO {name(table)} FROM {read}")
    database.connection.execute("COMMIT")
    text.unlink(missing_ok=True)


def _confine(database: Database, to: Path) -> None:
    """Deny access to everything except the tables and the file to write."""
    allow = f"SET allowed_paths = [{literal(str(to))}]"
    for setting in (allow, "SET enable_external_access = false"):
        database.connection.execute(setting)

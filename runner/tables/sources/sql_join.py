"""SQL over other rows, on this machine: reads what it is given a name for, and nothing else.

Knows how SQL is kept from everything but its tables. Knows nothing of where their rows come from.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.errors import SourceError
from runner.job.sql_binds import for_duckdb, names
from runner.tables.database import Database, first_line
from runner.tables.disk import UNBOUNDED, Disk
from runner.tables.sources.chunks import UncutError
from runner.tables.sources.csv import Records, check_header, load_error
from runner.tables.sources.open import AnySource, JoinedSource, notes_of, open_source
from runner.tables.sources.spool import spooled
from runner.tables.sql import copy_csv, literal, name, read_records

_FROM = Path("from")
"""What messages call the rows of a SELECT."""


def read_joined(source: JoinedSource, folder: Path, disk: Disk = UNBOUNDED) -> Records:
    """Carry a SELECT out over its tables, every column of which is text.

    Raises:
        SourceError: A table cannot be read, or the SELECT names what is not there or fails.
    """
    import duckdb

    to = folder / "rows.csv"
    database = Database(folder, most_spilled_bytes=disk.most_bytes)
    notes: list[str] = []
    try:
        for table, rows in source.tables.items():
            notes += _load(database, table, rows, folder / table, disk)
        for bind in names(source.sql):
            database.connection.execute(f"SET VARIABLE {name(bind)} = ?", [source.params[bind]])
        _shut(database, to)
        sql = for_duckdb(source.sql)
        found = database.connection.execute(f"DESCRIBE (\n{sql}\n)").fetchall()
        columns = tuple(str(row[0]) for row in found)
        check_header(_FROM, columns)
        cells = ", ".join(f"coalesce(CAST({name(c)} AS VARCHAR), '')" for c in columns)
        query = f"SELECT {cells} FROM (\n{sql}\n)"
        database.connection.execute(copy_csv(query, to, header=False))
    except duckdb.Error as error:
        raise SourceError(
            f"The SQL of the source fails: {first_line(error)}.",
            hint="It sees the names in `tables`, whose columns are text: CAST(amount AS DECIMAL).",
        ) from error
    finally:
        database.close()
    disk.grew(to.stat().st_size)
    return replace(spooled(_FROM, columns, to), notes=tuple(notes))


def _load(
    database: Database, table: str, rows: AnySource, folder: Path, disk: Disk
) -> tuple[str, ...]:
    """Keep a source's rows as a table; gives what should be known of how they were read."""
    folder.mkdir(exist_ok=True)
    opened = open_source(rows, folder, disk)
    columns = opened[0].columns
    if not columns:
        raise SourceError(
            f"{opened[0].path} has no columns.", hint="It is empty, without a header."
        )
    typed = ", ".join(f"{name(c)} VARCHAR" for c in columns)
    database.connection.execute(f"CREATE TABLE {name(table)} ({typed})")
    for records in opened:
        _insert(database, table, columns, records, folder)
    return notes_of(opened)


def _insert(
    database: Database, table: str, columns: tuple[str, ...], records: Records, folder: Path
) -> None:
    import duckdb

    try:
        _insert_as_is(database, table, columns, records, folder)
    except (duckdb.Error, UncutError) as error:
        database.connection.execute("ROLLBACK")
        if records.respell is None:
            raise load_error(records.path, error) from error
        plain = records.respell(folder / "respelled.csv")
        _insert_as_is(database, table, columns, plain, folder)


def _insert_as_is(
    database: Database, table: str, columns: tuple[str, ...], records: Records, folder: Path
) -> None:
    text = folder / "slab.csv"
    database.connection.execute("BEGIN")
    for piece in records.slabs():
        text.write_bytes(piece)
        read = read_records(text, records.dialect(piece), columns)
        database.connection.execute(f"INSERT INTO {name(table)} FROM {read}")
    database.connection.execute("COMMIT")
    text.unlink(missing_ok=True)


def _shut(database: Database, to: Path) -> None:
    """Let nothing be reached from now on but the tables, and the file to write."""
    allow = f"SET allowed_paths = [{literal(str(to))}]"
    for setting in (allow, "SET enable_external_access = false", "SET lock_configuration = true"):
        database.connection.execute(setting)

"""The watermark of an incremental query in its target, moved with the rows.

In a database it is a row of `_sfrunner_state`, beside the table, written in the transaction of the
rows; of a Delta table, the commit tells it. The two cannot disagree, and another machine finds it.
Knows SQL and commits. Knows nothing of windows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeGuard

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from runner.errors import StateError
from runner.job.endpoints import (
    STATE_TABLE,
    DatabaseTarget,
    FileFormat,
    FolderTarget,
    Target,
)
from runner.tables.database import Database, storage_errors
from runner.tables.delta import DeltaTable, is_delta, open_table
from runner.tables.sql import copy_csv, literal, name, utc_text
from runner.tables.sql_connection import connect, duckdb_file, import_sqlalchemy
from runner.wording import moment_of_row

KEEPING = ("sqlite", "postgresql")
"""Dialects whose tables keep their state."""
TAKE_TURNS = "SELECT pg_advisory_xact_lock(8241994541209415781)"
"""Run before the statements in PostgreSQL, where `IF NOT EXISTS` fails if two create the table."""
_KEY = ("job", "task", "org_id", "target")
_TARGET_OF = ("job", "task", "target")
"""One org at a time fills a target."""
_METADATA = "sfrunner.watermark"
_BATCH_ROWS = 10_000


class TargetState(Struct, frozen=True):
    """One row; moments are texts in ISO 8601."""

    job: str
    task: str
    org_id: str
    target: str
    """The table, or the name of its folder."""
    query_sha256: str
    field: str
    until_utc: str
    known_from: str
    full_at: str
    run_id: str

    def statements(self, table: str) -> tuple[str, ...]:
        """What puts it in place of the one before it, beside a table."""
        return self.statements_in(_state_table(table))

    def statements_in(self, place: str) -> tuple[str, ...]:
        """As `statements`, for the quoted name of the table that keeps it."""
        values = self._values
        columns = ", ".join(f"{name(each)} TEXT NOT NULL" for each in values)
        key = ", ".join(map(name, _KEY))
        cells = ", ".join(literal(str(each)) for each in values.values())
        listed = ", ".join(map(name, values))
        return (
            f"CREATE TABLE IF NOT EXISTS {place} ({columns}, PRIMARY KEY ({key}))",
            f"DELETE FROM {place} WHERE {self._replaced}",
            f"INSERT INTO {place} ({listed}) VALUES ({cells})",
        )

    def as_metadata(self) -> dict[str, str]:
        """What a commit tells."""
        return {_METADATA: msgspec.json.encode(self._values).decode()}

    @property
    def _values(self) -> dict[str, str]:
        return {each: getattr(self, each) for each in TargetState.__struct_fields__}

    @property
    def _replaced(self) -> str:
        """SQL of the rows that this one takes the place of."""
        values = self._values
        return " AND ".join(f"{name(each)} = {literal(values[each])}" for each in _TARGET_OF)


class Marker(TargetState, frozen=True):
    """A row that only says that a run has added its rows.

    It is the run's own, so that another job of the same name does not replace it.
    """

    over: tuple[str, ...] = ()
    """Runs that nobody will ask about any more."""

    @property
    def _replaced(self) -> str:
        runs = ", ".join(map(literal, (self.run_id, *self.over)))
        table = literal(self.target.removesuffix(self.run_id))
        return f'"run_id" IN ({runs}) AND "target" = {table} || "run_id"'


def own_values(target: DatabaseTarget | FolderTarget, job: str, task: str) -> dict[str, str]:
    """The columns that tell a task's state from those of others, and their values."""
    return dict(zip(_TARGET_OF, (job, task, table_name(target)), strict=True))


def marker_values(
    target: DatabaseTarget | FolderTarget, job: str, task: str, run_id: str
) -> dict[str, str]:
    """The columns that tell a run's marker from all other rows, and their values."""
    return own_values(target, job, task) | {"target": f"{table_name(target)} {run_id}"}


def read_state(target: DatabaseTarget | FolderTarget, job: str, task: str) -> TargetState | None:
    """What the target has of a task, if it has something: of the org that filled it last.

    Raises:
        StateError: The database cannot be reached, or the log of a Delta table cannot be read.
    """
    return read_row(target, own_values(target, job, task))


def read_row(
    target: DatabaseTarget | FolderTarget, wanted: Mapping[str, str]
) -> TargetState | None:
    """What the target has with these values, if it has something.

    Raises:
        StateError: The database cannot be reached, or the log of a Delta table cannot be read.
    """
    if isinstance(target, FolderTarget):
        found = (each for each in _committed(target.path) if wanted.items() <= asdict(each).items())
        return next(found, None)
    sqlalchemy = import_sqlalchemy(StateError)
    with connect(target.url, StateError) as link:
        if not sqlalchemy.inspect(link).has_table(STATE_TABLE, schema=_schema(target.table)):
            return None
        listed = ", ".join(map(name, TargetState.__struct_fields__))
        is_own = " AND ".join(f"{name(each)} = :{each}" for each in _TARGET_OF)
        query = f"SELECT {listed} FROM {_state_table(target.table)} WHERE {is_own}"
        row = link.execute(sqlalchemy.text(query), dict(wanted)).fetchone()
    return None if row is None else TargetState(*row)


def _committed(folder: Path) -> Iterator[TargetState]:
    """What the commits of a Delta table tell, newest first."""
    if not is_delta(folder):
        return
    for commit in open_table(folder, StateError).history():
        if _METADATA in commit:
            try:
                yield msgspec.json.decode(commit[_METADATA], type=TargetState)
            except (msgspec.MsgspecError, TypeError):  # another release's
                continue


def table_name(target: DatabaseTarget | FolderTarget) -> str:
    """What a target is called in its state; a folder may be elsewhere on another machine."""
    return target.table if isinstance(target, DatabaseTarget) else target.path.name


def keeps_state(target: Target) -> TypeGuard[DatabaseTarget | FolderTarget]:
    """Whether a target is one that keeps its state.

    Raises:
        StateError: The database cannot be reached, or the state's table is somebody else's.
    """
    if not isinstance(target, DatabaseTarget):
        is_folder = isinstance(target, FolderTarget)
        return is_folder and target.shape.format is FileFormat.DELTA
    if duckdb_file(target.url, StateError) is not None:
        return False
    sqlalchemy = import_sqlalchemy(StateError)
    with connect(target.url, StateError) as link:
        if link.dialect.name not in KEEPING:
            return False
        inspector, schema = sqlalchemy.inspect(link), _schema(target.table)
        if inspector.has_table(STATE_TABLE, schema=schema):
            found = inspector.get_columns(STATE_TABLE, schema=schema)
            check_state_table(target.table, [str(each["name"]) for each in found])
    return True


def check_state_table(table: str, columns: Iterable[str]) -> None:
    """Refuse the table that keeps the state beside a target if it is somebody else's.

    Raises:
        StateError: It has not the columns of a state.
    """
    known = {each.lower() for each in columns}
    missing = [each for each in TargetState.__struct_fields__ if each not in known]
    if missing:
        place = ".".join(each for each in (_schema(table), STATE_TABLE) if each)
        raise StateError(
            f"{place} is not the table that the runner makes beside {table}, to know what it has"
            f" written: it has no column {missing[0]!r}.",
            hint=f"Rename {place}, or write {table} to another schema or database.",
        )


def write_delivered(
    target: DatabaseTarget | FolderTarget, stamp: str, known_from: datetime, to: Path
) -> None:
    """Write Id and stamp of the table's rows from a moment on, as CSV without a header.

    Raises:
        StateError: The table cannot be read, or has no Id or stamp.
    """
    if isinstance(target, FolderTarget):
        _write_committed(open_table(target.path, StateError), stamp, known_from, to)
        return
    sqlalchemy = import_sqlalchemy(StateError)
    schema, _, table = target.table.rpartition(".")
    with connect(target.url, StateError) as link:
        found = sqlalchemy.inspect(link).get_columns(table, schema=schema or None)
        own = {str(each["name"]).lower(): str(each["name"]) for each in found}
        _check_columns(f"Table {target.table}", own, stamp)
        moment = name(own[stamp.lower()])
        since: object = known_from
        if link.dialect.name == "sqlite":
            since = moment_of_row(known_from)
        place = ".".join(name(each) for each in (schema, table) if each)
        query = f"SELECT {name(own['id'])}, {moment} FROM {place} WHERE {moment} >= :since"
        rows = link.execution_options(yield_per=_BATCH_ROWS).execute(
            sqlalchemy.text(query), {"since": since}
        )
        with to.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(_texts(rows))


def _write_committed(table: DeltaTable, stamp: str, known_from: datetime, to: Path) -> None:
    own = {each.name.lower(): each.name for each in table.columns}
    _check_columns(str(table.folder), own, stamp)
    moment = name(own[stamp.lower()])
    database = Database(to.parent)
    try:
        with storage_errors(f"{table.folder} cannot be read"):
            read = table.rows(database, table.files, with_file=False)
            since = f"{moment} >= CAST({literal(known_from.isoformat())} AS TIMESTAMPTZ)"
            query = f"SELECT {name(own['id'])}, {utc_text(moment)} FROM {read} WHERE {since}"
            database.connection.execute(copy_csv(query, to, header=False))
    finally:
        database.close()


def _check_columns(place: str, own: Mapping[str, str], stamp: str) -> None:
    if not {"id", stamp.lower()} <= own.keys():
        raise StateError(
            f"{place} has no column Id or {stamp}, by which rows are recognised.",
            hint="Extract everything again into a new table, with `--full`.",
        )


def _texts(rows: Iterator[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    for record, moment in rows:
        yield record, moment_of_row(moment) if isinstance(moment, datetime) else str(moment)


def _schema(table: str) -> str | None:
    return table.rpartition(".")[0] or None


def _state_table(table: str) -> str:
    return ".".join(name(each) for each in (_schema(table), STATE_TABLE) if each)

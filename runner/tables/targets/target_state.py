"""The watermark of an incremental query in its target's own database, moved with the rows.

It is a row of `_sfrunner_state`, beside the table, written in the transaction of the rows: the two
cannot disagree, and another machine finds it. Knows SQL. Knows nothing of windows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget
from runner.tables.sql import literal, name
from runner.tables.sql_connection import connect, duckdb_file, import_sqlalchemy

STATE_TABLE = "_sfrunner_state"
KEEPING = ("sqlite", "postgresql")
"""Dialects whose tables keep their state."""
_KEY = ("job", "task", "org_id", "target")
_BATCH_ROWS = 10_000


class TargetState(Struct, frozen=True):
    """One row; moments are texts in ISO 8601."""

    job: str
    task: str
    org_id: str
    target: str
    """The table."""
    query_sha256: str
    field: str
    until_utc: str
    known_from: str
    full_at: str
    run_id: str

    def statements(self, table: str) -> tuple[str, ...]:
        """What puts it in place of the one before it."""
        place, values = _state_table(table), asdict(self)
        columns = ", ".join(f"{name(each)} TEXT NOT NULL" for each in values)
        key = ", ".join(map(name, _KEY))
        is_own = " AND ".join(f"{name(each)} = {literal(values[each])}" for each in _KEY)
        cells = ", ".join(literal(str(each)) for each in values.values())
        listed = ", ".join(map(name, values))
        return (
            f"CREATE TABLE IF NOT EXISTS {place} ({columns}, PRIMARY KEY ({key}))",
            f"DELETE FROM {place} WHERE {is_own}",
            f"INSERT INTO {place} ({listed}) VALUES ({cells})",
        )


def read_state(target: DatabaseTarget, job: str, task: str, org_id: str) -> TargetState | None:
    """The row of a task, if the database has one.

    Raises:
        StateError: The database cannot be reached.
    """
    sqlalchemy = import_sqlalchemy(StateError)
    wanted = dict(zip(_KEY, (job, task, org_id, target.table), strict=True))
    with connect(target.url, StateError) as link:
        if not sqlalchemy.inspect(link).has_table(STATE_TABLE, schema=_schema(target.table)):
            return None
        listed = ", ".join(map(name, TargetState.__struct_fields__))
        is_own = " AND ".join(f"{name(each)} = :{each}" for each in _KEY)
        query = f"SELECT {listed} FROM {_state_table(target.table)} WHERE {is_own}"
        row = link.execute(sqlalchemy.text(query), wanted).fetchone()
    return None if row is None else TargetState(*row)


def keeps_state(target: DatabaseTarget) -> bool:
    """Whether a database is one whose tables keep their state.

    Raises:
        StateError: The database cannot be reached.
    """
    if duckdb_file(target.url, StateError) is not None:
        return False
    with connect(target.url, StateError) as link:
        return link.dialect.name in KEEPING


def write_delivered(target: DatabaseTarget, stamp: str, known_from: datetime, to: Path) -> None:
    """Write Id and stamp of the table's rows from a moment on, as CSV without a header.

    Raises:
        StateError: The database cannot be reached, or the table has no Id or stamp.
    """
    sqlalchemy = import_sqlalchemy(StateError)
    schema, _, table = target.table.rpartition(".")
    with connect(target.url, StateError) as link:
        found = sqlalchemy.inspect(link).get_columns(table, schema=schema or None)
        own = {str(each["name"]).lower(): str(each["name"]) for each in found}
        if not {"id", stamp.lower()} <= own.keys():
            raise StateError(
                f"Table {target.table} has no column Id or {stamp}, by which rows are recognised.",
                hint="Extract everything again into a new table, with `--full`.",
            )
        moment = name(own[stamp.lower()])
        since: object = known_from
        if link.dialect.name == "sqlite":
            since = _text(known_from)
        place = ".".join(name(each) for each in (schema, table) if each)
        query = f"SELECT {name(own['id'])}, {moment} FROM {place} WHERE {moment} >= :since"
        rows = link.execution_options(yield_per=_BATCH_ROWS).execute(
            sqlalchemy.text(query), {"since": since}
        )
        with to.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(_texts(rows))


def _texts(rows: Iterator[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    for record, moment in rows:
        yield record, _text(moment) if isinstance(moment, datetime) else str(moment)


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def _schema(table: str) -> str | None:
    return table.rpartition(".")[0] or None


def _state_table(table: str) -> str:
    return ".".join(name(each) for each in (_schema(table), STATE_TABLE) if each)

"""Adds a ledger's copy to the ledger that machines share: in one transaction, or not at all.

Knows the tables of both, which have the same columns. Knows nothing of the file that the copy
travels in, or of the files of runs.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.errors import LockHeldError
from runner.state.ledger_copy import (
    OF_RUNS,
    OF_THE_PROCESS,
    Added,
    columns_of,
    opened,
    refuse_different,
)
from runner.state.ledger_database import Statements
from runner.state.managed import MIRROR_NUMBER
from runner.state.process import ProcessIdentity
from runner.state.shared.database import PostgresDatabase
from runner.state.watermarks import WATERMARK_KEY

_AT_ONCE = 10_000
_TABLES = "runs, tasks, parts, watermarks, delivered, mirrors, managed, notifications"
_THESE = "(SELECT value FROM json_array_elements_text(CAST(:items AS json)) AS item(value))"
_IN_PROGRESS = (
    "SELECT run_id, host, pid, began FROM locks WHERE run_id <> '' AND expires > clock_timestamp()"
)
_NOBODY_WRITES = f"LOCK TABLE {_TABLES} IN SHARE ROW EXCLUSIVE MODE"
"""What is compared stays as it is until it is added to."""
Plain = dict[str, Any]


class Compared(Struct, frozen=True):
    """A copy, compared with a ledger."""

    new: tuple[str, ...]
    known: tuple[str, ...]
    new_marks: tuple[Plain, ...]


def runs_to_add(database: PostgresDatabase, copy: Path) -> tuple[str, ...]:
    """The runs of a copy that a ledger does not have.

    Raises:
        LockHeldError: A run is in progress on some machine.
        UsageError: A run or a watermark is in both, and not the same; names each.
        StateError: The ledger cannot be read.
    """
    with opened(copy) as given, database.reading() as connection:
        return _compared(connection, given, database.name).new


@contextmanager
def adding_to(
    database: PostgresDatabase, copy: Path, note_files: Callable[[Statements], None]
) -> Iterator[Added]:
    """Add what a copy has to a ledger when the block ends; if it raises, nothing.

    Args:
        database: The ledger.
        copy: The copy, with the paths of this machine.
        note_files: Called in the transaction, once the runs are in it.

    Raises:
        LockHeldError: A run is in progress on some machine.
        UsageError: A run or a watermark is in both, and not the same; names each.
        StateError: The ledger cannot be written.
    """
    with opened(copy) as given, database.writing() as connection:
        connection.execute(_NOBODY_WRITES)
        found = _compared(connection, given, database.name)
        for table in OF_RUNS:
            for run_id in found.new:
                rows = _given(given, table, "WHERE run_id = ? ORDER BY rowid", (run_id,))
                _add_rows(connection, table, rows)
        _add_notifications(connection, given, found.new)
        _add_marks(connection, given, found.new_marks)
        mirrors = _add_mirrors(connection, given)
        note_files(connection)
        yield Added(found.new, found.known, len(found.new_marks), mirrors)


def _compared(connection: Statements, given: sqlite3.Connection, place: str) -> Compared:
    for row in connection.execute(_IN_PROGRESS):
        process = ProcessIdentity(row["pid"], row["host"], row["began"])
        if not (process.is_of_this_machine and process.has_ended()):
            raise LockHeldError(
                f"Run {row['run_id']} is in progress: pid {process.pid} on {process.host}.",
                hint="Wait until it is done.",
            )
    runs = [row["run_id"] for row in _given(given, "runs", "ORDER BY rowid")]
    items = {"items": json.dumps(runs)}
    here = {
        row["run_id"]
        for row in connection.execute(f"SELECT run_id FROM runs WHERE run_id IN {_THESE}", items)  # noqa: S608 - own names
    }
    known = [run_id for run_id in runs if run_id in here]
    different = [run_id for run_id in known if _differs(connection, given, run_id)]
    new_marks, other_marks = [], []
    for mark in _given(given, "watermarks"):
        own = _found(connection, "watermarks", {key: mark[key] for key in WATERMARK_KEY})
        if not own:
            new_marks.append(mark)
        elif own != [mark]:
            other_marks.append(mark)
    refuse_different(
        f"The state {place}",
        different,
        other_marks,
        hint="Import into a schema of its own: `&schema=NAME` in the address.",
    )
    new = tuple(run_id for run_id in runs if run_id not in here)
    return Compared(new, tuple(known), tuple(new_marks))


def _differs(connection: Statements, given: sqlite3.Connection, run_id: str) -> bool:
    """Whether a run that both have is not the same in both."""
    for table in OF_RUNS:
        names = [each for each in columns_of(given, table) if each not in OF_THE_PROCESS]
        theirs = _given(given, table, "WHERE run_id = ?", (run_id,))
        own = _found(connection, table, {"run_id": run_id})
        if _as_set(theirs, names) != _as_set(own, names):
            return True
    return False


def _as_set(rows: Iterable[Plain], names: list[str]) -> set[tuple[Any, ...]]:
    return {tuple(row[name] for name in names) for row in rows}


def _found(connection: Statements, table: str, key: Mapping[str, Any]) -> list[Plain]:
    where = " AND ".join(f"{name} = :{name}" for name in key)
    return connection.execute(f"SELECT * FROM {table} WHERE {where}", key).fetchall()  # noqa: S608 - own names


def _add_rows(connection: Statements, table: str, rows: Iterator[Plain]) -> None:
    """Add rows, many at a time; those that are there stay."""
    while some := list(islice(rows, _AT_ONCE)):
        names = ", ".join(some[0])
        values = ", ".join(f":{name}" for name in some[0])
        statement = f"INSERT INTO {table} ({names}) VALUES ({values})"  # noqa: S608 - own names
        is_keyed = table in {"delivered", "managed"}
        connection.executemany(f"{statement}{' ON CONFLICT DO NOTHING' * is_keyed}", some)


def _add_notifications(
    connection: Statements, given: sqlite3.Connection, new: tuple[str, ...]
) -> None:
    """Add what people were notified of, or wait for, of new runs and of those that never began."""
    of_new = set(new)
    there = {
        (row["created"], row["job_file"], row["recipient"])
        for row in connection.execute("SELECT * FROM notifications WHERE run_id IS NULL")
    }

    def to_add(row: Plain) -> bool:
        if row["run_id"] is None:
            return (row["created"], row["job_file"], row["recipient"]) not in there
        return row["run_id"] in of_new

    rows = _given(given, "notifications", "ORDER BY number")
    kept = ({k: v for k, v in row.items() if k != "number"} for row in rows if to_add(row))
    _add_rows(connection, "notifications", kept)


def _add_marks(connection: Statements, given: sqlite3.Connection, marks: tuple[Plain, ...]) -> None:
    where = " AND ".join(f"{name} = ?" for name in WATERMARK_KEY)
    for mark in marks:
        key = tuple(mark[name] for name in WATERMARK_KEY)
        for table in ("watermarks", "delivered"):
            _add_rows(connection, table, _given(given, table, f"WHERE {where}", key))


def _add_mirrors(connection: Statements, given: sqlite3.Connection) -> int:
    """Add the records that mirrors have created to those that are known here."""
    mirrors = list(_given(given, "mirrors"))
    for row in mirrors:
        key = {name: row[name] for name in WATERMARK_KEY}
        connection.execute(
            "INSERT INTO mirrors (job_file, task, org_id) VALUES (:job_file, :task, :org_id) "
            "ON CONFLICT DO NOTHING",
            key,
        )
        number = connection.execute(MIRROR_NUMBER, key).fetchone()["number"]
        of_mirror = _given(given, "managed", "WHERE mirror = ?", (row["number"],))
        records = ({**each, "mirror": number} for each in of_mirror)
        _add_rows(connection, "managed", records)
    return len(mirrors)


def _given(
    given: sqlite3.Connection, table: str, rest: str = "", values: tuple[Any, ...] = ()
) -> Iterator[Plain]:
    """Rows of a copy; only columns that a ledger has, as their names become SQL."""
    names = ", ".join(columns_of(given, table))
    return map(dict, given.execute(f"SELECT {names} FROM given.{table} {rest}", values))  # noqa: S608 - own names

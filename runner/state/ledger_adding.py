"""Adds what a copy of a ledger has to another ledger, whichever database that is in.

A run that both have must be the same in both, and so must a watermark. Knows the tables. Knows
nothing of the file that the copy travels in, or of the files of runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.errors import StateError, UsageError
from runner.state.ledger_database import Statements
from runner.state.ledger_file import open_ledger
from runner.state.managed import MIRROR_NUMBER
from runner.state.watermarks import WATERMARK_KEY

_AT_ONCE = 10_000
_OF_RUNS = ("runs", "tasks", "parts")
_OF_THE_PROCESS = frozenset({"pid", "host", "began", "state"})
"""Columns of a run that say which process ran it."""
_OF_A_MARK = " AND ".join(f"{name} = ?" for name in WATERMARK_KEY)
Plain = dict[str, Any]


class Added(Struct, frozen=True):
    """What was added to a ledger."""

    runs: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    """Runs that it had already, just as they are."""
    watermarks: int = 0
    mirrors: int = 0
    """Lists of records that a mirror has created."""


class Compared(Struct, frozen=True):
    """A copy, compared with a ledger."""

    new: tuple[str, ...]
    known: tuple[str, ...]
    new_marks: tuple[Plain, ...]


@contextmanager
def adding(ledger: Path, copy: Path) -> Iterator[Added]:
    """Add what a copy has to a ledger's file when the block ends; if it raises, nothing.

    Raises:
        UsageError: A run or a watermark is in both, and not the same; names each.
        StateError: The ledger cannot be written.
    """
    # Not a LedgerFile, which moves a damaged ledger aside: it may be the copy that is damaged.
    with closing(open_ledger(ledger)) as connection, opened(copy) as given:
        try:
            connection.execute("BEGIN IMMEDIATE")
            hint = "Import into an empty folder: `--state FOLDER`."
            found = compared(connection, given, "This state folder", hint=hint)
            yield add(connection, given, found)
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise StateError(f"The ledger {ledger} cannot be written: {error}.") from error


@contextmanager
def opened(copy: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy, as `given`, beside an empty ledger, whose tables it has.

    Raises:
        UsageError: It has others.
    """
    with closing(open_ledger(copy.with_name("empty.sqlite"))) as connection:
        connection.execute("ATTACH ? AS given", (str(copy),))
        own, given = (
            {(row[0], row[1]) for row in connection.execute(f"SELECT type, name FROM {schema}")}  # noqa: S608
            for schema in ("main.sqlite_master", "given.sqlite_master")
        )
        if own != given:  # a file that was made by another program may have triggers
            raise UsageError("The ledger in the file has other tables than a ledger has.")
        yield connection


def compared(
    connection: Statements, given: sqlite3.Connection, place: str, *, hint: str
) -> Compared:
    """What is new in a copy.

    Args:
        connection: To the ledger.
        given: The copy, as `opened` gives it.
        place: The ledger in a message.
        hint: What to do where the two differ.

    Raises:
        UsageError: A run or a watermark is in both, and not the same; names each.
    """
    runs = [row["run_id"] for row in _given(given, "runs", "ORDER BY rowid")]
    here = {row["run_id"] for row in connection.execute("SELECT run_id FROM runs")}
    known = tuple(run_id for run_id in runs if run_id in here)
    differ = [f"run {run_id}" for run_id in known if _differs(connection, given, run_id)]
    new_marks = []
    for mark in _given(given, "watermarks"):
        own = _found(connection, "watermarks", {key: mark[key] for key in WATERMARK_KEY})
        if not own:
            new_marks.append(mark)
        elif own != [mark]:
            differ.append(f"the watermark of task {mark['task']} of {mark['job_file']}")
    if differ:
        raise UsageError(
            f"{place} already has {', '.join(differ)}, which differs from the file; "
            "nothing was imported.",
            hint=hint,
        )
    new = tuple(run_id for run_id in runs if run_id not in here)
    return Compared(new, known, tuple(new_marks))


def add(connection: Statements, given: sqlite3.Connection, found: Compared) -> Added:
    """Add what is new in a copy, within the caller's transaction."""
    for table in _OF_RUNS:
        for run_id in found.new:
            rows = _given(given, table, "WHERE run_id = ? ORDER BY rowid", (run_id,))
            _add_rows(connection, table, rows)
    _add_notifications(connection, given, found.new)
    for mark in found.new_marks:
        key = tuple(mark[name] for name in WATERMARK_KEY)
        for table in ("watermarks", "delivered"):
            _add_rows(connection, table, _given(given, table, f"WHERE {_OF_A_MARK}", key))
    mirrors = _add_mirrors(connection, given)
    return Added(found.new, found.known, len(found.new_marks), mirrors)


def _differs(connection: Statements, given: sqlite3.Connection, run_id: str) -> bool:
    """Whether a run that both have is not the same in both."""
    for table in _OF_RUNS:
        names = [each for each in _columns_of(given, table) if each not in _OF_THE_PROCESS]
        theirs = _given(given, table, "WHERE run_id = ?", (run_id,))
        own = _found(connection, table, {"run_id": run_id})
        if _as_set(theirs, names) != _as_set(own, names):
            return True
    return False


def _as_set(rows: Iterable[Plain], names: list[str]) -> set[tuple[Any, ...]]:
    return {tuple(row[name] for name in names) for row in rows}


def _found(connection: Statements, table: str, key: Mapping[str, Any]) -> list[Plain]:
    where = " AND ".join(f"{name} = :{name}" for name in key)
    return [*map(dict, connection.execute(f"SELECT * FROM {table} WHERE {where}", key))]  # noqa: S608 - own names


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
    names = ", ".join(_columns_of(given, table))
    return map(dict, given.execute(f"SELECT {names} FROM given.{table} {rest}", values))  # noqa: S608 - own names


def _columns_of(given: sqlite3.Connection, table: str) -> list[str]:
    """The columns of a ledger's table, whatever those of a copy are."""
    return [row["name"] for row in given.execute(f"PRAGMA main.table_info({table})")]

"""A ledger's copy: made on one machine, and added to the ledger of another.

Knows the ledger's tables, and which columns have paths. Knows nothing of the file that the copy
travels in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.errors import StateError, UsageError
from runner.state.ledger_file import open_ledger
from runner.state.watermarks import WATERMARK_KEY

_PATHS = (("runs", "folder"), ("tasks", "results"))
"""Columns with paths in the state folder."""
_WITH_JOBS = ("runs", "watermarks", "delivered", "mirrors", "notifications")
_OF_JOBS = (
    *((table, "job_file") for table in _WITH_JOBS),
    ("tasks", "results"),
    ("tasks", "target"),
)
"""Columns with paths beside job files."""
OF_THE_PROCESS = frozenset({"pid", "host", "began", "state"})
"""Columns of a run that say which process ran it."""
OF_RUNS = ("runs", "tasks", "parts")


class CopiedRun(Struct, frozen=True):
    """A run in a copy."""

    run_id: str
    is_unfinished: bool


class Added(Struct, frozen=True):
    """What was added to a ledger."""

    runs: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    """Runs that it had already, just as they are."""
    watermarks: int = 0
    mirrors: int = 0
    """Lists of records that a mirror has created."""


def save_copy(ledger: Path, to: Path) -> None:
    """Write a ledger as one file; a run whose process has died is aborted there.

    Call it when no run is in progress: on another machine nobody knows whether its process lives.
    """
    with closing(open_ledger(ledger)) as connection:
        connection.execute("VACUUM INTO ?", (str(to),))
    with closing(sqlite3.connect(to)) as copy, copy:
        copy.execute("UPDATE runs SET state = 'aborted' WHERE state = 'running'")


def runs_in(copy: Path) -> tuple[CopiedRun, ...]:
    """The runs in a copy, oldest first."""
    with closing(open_ledger(copy)) as connection:
        rows = connection.execute("SELECT * FROM runs ORDER BY started, rowid")
        return tuple(CopiedRun(row["run_id"], not row["settled"]) for row in rows)


def count_of(copy: Path, table: str) -> int:
    """How many rows a table of a copy has."""
    with closing(open_ledger(copy)) as connection:
        statement = f"SELECT count(*) FROM {table}"  # noqa: S608 - own names
        return int(connection.execute(statement).fetchone()[0])


def move_paths(copy: Path, old_runs: str, runs: Path, jobs: Mapping[str, str]) -> None:
    """Let the paths in a copy be those of this machine.

    Args:
        copy: The copy.
        old_runs: The folder of the runs where the copy was made.
        runs: That of this machine.
        jobs: Folders of job files there, and those of this machine that stand for them.
    """
    with closing(open_ledger(copy)) as connection:
        for table, column in _PATHS:
            _move(connection, table, column, old_runs, str(runs))
        for old, new in jobs.items():
            for table, column in _OF_JOBS:
                _move(connection, table, column, old, new)


def _move(connection: sqlite3.Connection, table: str, column: str, old: str, new: str) -> None:
    connection.execute(
        f"UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1) "  # noqa: S608 - own names
        f"WHERE substr({column}, 1, length(:old) + 1) = :old || '/'",
        {"old": old.rstrip("/"), "new": new.rstrip("/")},
    )


@contextmanager
def adding(ledger: Path, copy: Path) -> Iterator[Added]:
    """Add what a copy has to a ledger when the block ends; if it raises, nothing.

    A run that both have must be the same in both, and so must a watermark.

    Raises:
        UsageError: It is not; names each.
        StateError: The ledger cannot be written.
    """
    # Not a LedgerFile, which moves a damaged ledger aside: it may be the copy that is damaged.
    with closing(open_ledger(ledger)) as connection:
        connection.execute("ATTACH ? AS given", (str(copy),))
        try:
            connection.execute("BEGIN IMMEDIATE")
            _check_layout(connection)
            yield _add(connection)
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
        _check_layout(connection)
        yield connection


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """The columns of a ledger's table, whatever those of a copy are."""
    return [row["name"] for row in connection.execute(f"PRAGMA main.table_info({table})")]


def _check_layout(connection: sqlite3.Connection) -> None:
    """A file that was made by another program may have triggers."""
    own, given = (
        {(row[0], row[1]) for row in connection.execute(f"SELECT type, name FROM {schema}")}  # noqa: S608
        for schema in ("main.sqlite_master", "given.sqlite_master")
    )
    if own != given:
        raise UsageError("The ledger in the file has other tables than a ledger has.")


def _add(connection: sqlite3.Connection) -> Added:
    own, given = (
        [row[0] for row in connection.execute(f"SELECT run_id FROM {schema}.runs ORDER BY rowid")]  # noqa: S608
        for schema in ("main", "given")
    )
    here = set(own)
    known = [run_id for run_id in given if run_id in here]
    different = [run_id for run_id in known if _differs(connection, run_id)]
    marks = _watermarks(connection)
    refuse_different(
        "This state folder",
        different,
        [each for each in marks if not (each["new"] or each["same"])],
        hint="Import into an empty folder: `--state FOLDER`.",
    )
    new = [run_id for run_id in given if run_id not in here]
    for table in OF_RUNS:
        _insert(connection, table, "run_id = ?", ((run_id,) for run_id in new))
    _add_notifications(connection, new)
    for table in ("watermarks", "delivered"):
        keys = ((each["job_file"], each["task"], each["org_id"]) for each in marks if each["new"])
        _insert(connection, table, " AND ".join(f"{name} = ?" for name in WATERMARK_KEY), keys)
    return Added(
        tuple(new), tuple(known), sum(each["new"] for each in marks), _add_mirrors(connection)
    )


def _differs(connection: sqlite3.Connection, run_id: str) -> bool:
    """Whether a run that both have is not the same in both."""
    for table in OF_RUNS:
        columns = [each for each in columns_of(connection, table) if each not in OF_THE_PROCESS]
        own, given = (
            f"SELECT {', '.join(columns)} FROM {schema}.{table} WHERE run_id = :run"  # noqa: S608
            for schema in ("main", "given")
        )
        for one, other in ((own, given), (given, own)):
            found = connection.execute(f"{one} EXCEPT {other} LIMIT 1", {"run": run_id})
            if found.fetchone():
                return True
    return False


def _watermarks(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    """The watermarks of the copy: whether each is new here, and whether it is the same."""
    own = " AND ".join(f"own.{name} = mark.{name}" for name in WATERMARK_KEY)
    same = " AND ".join(
        f"own.{name} = mark.{name}" for name in columns_of(connection, "watermarks")
    )
    return connection.execute(
        f"SELECT mark.*, own.job IS NULL AS new, coalesce({same}, 0) AS same "  # noqa: S608 - own names
        f"FROM given.watermarks mark LEFT JOIN main.watermarks own ON {own}"
    ).fetchall()


def refuse_different(
    place: str,
    runs: Iterable[str],
    marks: Iterable[Mapping[str, Any] | sqlite3.Row],
    *,
    hint: str,
) -> None:
    """Refuse a copy that has runs or watermarks that a ledger has too, and not the same.

    Raises:
        UsageError: There are some; names each.
    """
    named = [f"run {run_id}" for run_id in runs]
    named += [f"the watermark of task {each['task']} of {each['job_file']}" for each in marks]
    if named:
        raise UsageError(
            f"{place} has {', '.join(named)} already, and not as in the file; "
            "nothing was imported.",
            hint=hint,
        )


def _add_notifications(connection: sqlite3.Connection, runs: Iterable[str]) -> None:
    """Add what people were notified of, or wait for, of new runs and of those that never began."""
    columns = ", ".join(
        each for each in columns_of(connection, "notifications") if each != "number"
    )
    statement = (
        f"INSERT INTO main.notifications ({columns}) "  # noqa: S608 - own names
        f"SELECT {columns} FROM given.notifications theirs WHERE "
    )
    connection.executemany(f"{statement} run_id = ? ORDER BY number", ((each,) for each in runs))
    connection.execute(
        f"{statement} run_id IS NULL AND NOT EXISTS (SELECT 1 FROM main.notifications own "  # noqa: S608 - own names
        "WHERE own.run_id IS NULL AND own.created = theirs.created "
        "AND own.job_file = theirs.job_file AND own.recipient = theirs.recipient) ORDER BY number"
    )


def _add_mirrors(connection: sqlite3.Connection) -> int:
    """Add the records that mirrors have created to those that are known here."""
    connection.execute(
        "INSERT OR IGNORE INTO main.mirrors (job_file, task, org_id) "
        "SELECT job_file, task, org_id FROM given.mirrors"
    )
    connection.execute(
        "INSERT OR IGNORE INTO main.managed (mirror, id, deleted) "
        "SELECT own.number, record.id, record.deleted FROM given.managed record "
        "JOIN given.mirrors mirror ON mirror.number = record.mirror "
        "JOIN main.mirrors own USING (job_file, task, org_id)"
    )
    return int(connection.execute("SELECT count(*) FROM given.mirrors").fetchone()[0])


def _insert(
    connection: sqlite3.Connection, table: str, where: str, keys: Iterable[tuple[str, ...]]
) -> None:
    columns = ", ".join(columns_of(connection, table))
    connection.executemany(
        f"INSERT INTO main.{table} ({columns}) "  # noqa: S608 - own names
        f"SELECT {columns} FROM given.{table} WHERE {where}",
        keys,
    )

"""A ledger's copy, which goes to another machine.

Knows which columns of the ledger's tables have paths. Knows nothing of the file that the copy
travels in, or of how it is added to a ledger (`ledger_adding`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from runner.state.ledger_file import open_ledger

_PATHS = (("runs", "folder"), ("tasks", "results"))
"""Columns with paths in the state folder."""
_WITH_JOBS = ("runs", "watermarks", "delivered", "mirrors", "notifications")
_OF_JOBS = (
    *((table, "job_file") for table in _WITH_JOBS),
    ("tasks", "results"),
    ("tasks", "target"),
)
"""Columns with paths beside job files."""


class CopiedRun(Struct, frozen=True):
    """A run in a copy."""

    run_id: str
    is_unfinished: bool


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

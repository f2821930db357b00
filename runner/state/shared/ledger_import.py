"""Adds a ledger's copy to the ledger that machines share: in one transaction, or not at all.

Knows who may write at the same time. Knows nothing of the files of runs.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import LockHeldError
from runner.state.ledger_adding import Added, Compared, add, compared, opened
from runner.state.ledger_database import Statements
from runner.state.process import ProcessIdentity
from runner.state.shared.database import PostgresDatabase

_TABLES = "runs, tasks, parts, watermarks, delivered, mirrors, managed, notifications"
_IN_PROGRESS = (
    "SELECT run_id, host, pid, began FROM locks WHERE run_id <> '' AND expires > clock_timestamp()"
)
_NOBODY_WRITES = f"LOCK TABLE {_TABLES} IN SHARE ROW EXCLUSIVE MODE"
"""What is compared stays as it is until it is added to."""


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
        added = add(connection, given, _compared(connection, given, database.name))
        note_files(connection)
        yield added


def _compared(connection: Statements, given: sqlite3.Connection, place: str) -> Compared:
    for row in connection.execute(_IN_PROGRESS):
        process = ProcessIdentity(row["pid"], row["host"], row["began"])
        if not (process.is_of_this_machine and process.has_ended()):
            raise LockHeldError(
                f"Run {row['run_id']} is in progress: pid {process.pid} on {process.host}.",
                hint="Wait until it is done.",
            )
    hint = "Import into a schema of its own: `&schema=NAME` in the address."
    return compared(connection, given, f"The state {place}", hint=hint)

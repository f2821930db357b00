"""The SQLite file behind the ledger: opening, layout by version, damage.

Knows SQLite. Knows nothing of what the rows mean.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from runner.errors import StateError, StorageError
from runner.files import PRIVATE_FILE, private_folder

PATIENCE_SECONDS = 30.0
"""How long a write waits for another process's."""

LAYOUTS = (
    """
    CREATE TABLE runs (
        run_id TEXT PRIMARY KEY,
        job TEXT NOT NULL,
        job_file TEXT NOT NULL,
        job_sha256 TEXT NOT NULL,
        started TEXT NOT NULL,
        finished TEXT,
        org_id TEXT,
        instance_url TEXT,
        username TEXT,
        api_version TEXT,
        folder TEXT,
        pid INTEGER NOT NULL,
        host TEXT NOT NULL,
        began TEXT,
        exit_code INTEGER,
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'aborted'))
    ) STRICT;
    CREATE INDEX runs_by_time ON runs (started);
    CREATE TABLE tasks (
        run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
        name TEXT NOT NULL,
        position INTEGER NOT NULL,
        verb TEXT NOT NULL,
        sobject TEXT NOT NULL,
        status TEXT,
        counts TEXT,
        api TEXT,
        api_calls INTEGER,
        seconds REAL,
        message TEXT,
        code TEXT,
        hint TEXT,
        exit_code INTEGER,
        results TEXT,
        target TEXT,
        bulk_job_ids TEXT,
        top_errors TEXT,
        PRIMARY KEY (run_id, name)
    ) STRICT;
    CREATE TABLE parts (
        run_id TEXT NOT NULL,
        task TEXT NOT NULL,
        part INTEGER NOT NULL,
        rows INTEGER,
        bytes INTEGER,
        sha256 TEXT,
        file TEXT,
        state TEXT NOT NULL,
        bulk_job_id TEXT,
        updated TEXT NOT NULL,
        PRIMARY KEY (run_id, task, part),
        FOREIGN KEY (run_id, task) REFERENCES tasks (run_id, name) ON DELETE CASCADE
    ) STRICT;
    """,
    """
    ALTER TABLE runs ADD COLUMN asked TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE runs ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN after TEXT;
    UPDATE runs SET settled = 1;
    ALTER TABLE tasks ADD COLUMN plan TEXT;
    ALTER TABLE tasks ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
    UPDATE tasks SET settled = 1;
    CREATE TABLE parts_anew (
        run_id TEXT NOT NULL,
        task TEXT NOT NULL,
        part INTEGER NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 0,
        first_row INTEGER,
        last_row INTEGER,
        rows INTEGER,
        bytes INTEGER,
        sha256 TEXT,
        file TEXT,
        state TEXT NOT NULL,
        bulk_job_id TEXT,
        results TEXT,
        began TEXT,
        updated TEXT NOT NULL,
        PRIMARY KEY (run_id, task, part, attempt),
        FOREIGN KEY (run_id, task) REFERENCES tasks (run_id, name) ON DELETE CASCADE
    ) STRICT;
    INSERT INTO parts_anew (run_id, task, part, rows, bytes, sha256, file, state, bulk_job_id,
        updated)
        SELECT run_id, task, part, rows, bytes, sha256, file, state, bulk_job_id, updated
        FROM parts;
    DROP TABLE parts;
    ALTER TABLE parts_anew RENAME TO parts;
    """,
    """
    ALTER TABLE tasks ADD COLUMN notes TEXT NOT NULL DEFAULT '[]'
    """,
)
"""One step a version: a ledger of version n takes the steps after n. Never change a step."""

DAMAGED = ".damaged-"
"""Stands in the name of a ledger that was put aside, before the moment."""
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_ledger(path: Path) -> sqlite3.Connection:
    """Open the file, made when missing, and bring its layout up to this release.

    Each commit is synced to the disk before it returns.

    Raises:
        StateError: It is damaged (and was put aside under a new name), of a newer release, or
            cannot be read or written.
    """
    private_folder(path.parent)
    # One at a time: SQLite does not wait for its turn where two turn a new file to WAL.
    with told(path), FileLock(f"{path}.lock", PATIENCE_SECONDS, PRIVATE_FILE):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
        connection = sqlite3.connect(
            path, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        connection.close()
        raise _set_aside(path, str(finding))
    with transaction(connection):
        _migrate(connection, path)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(LAYOUTS):
        raise StateError(
            f"The ledger {path} was written by a newer release (layout {version}, this one knows "
            f"{len(LAYOUTS)}).",
            hint="Use that release, or another `--state-dir`.",
        )
    for step in LAYOUTS[version:]:
        for statement in step.split(";"):  # executescript would end the transaction
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(LAYOUTS)}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Carry out a block's statements all or none; other processes wait meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn what SQLite and the system raise into a StateError; put a damaged ledger aside."""
    try:
        yield
    except Timeout as error:
        raise StateError(
            f"Another process has kept the ledger {path} locked for {PATIENCE_SECONDS:g} s.",
            hint="Run again; or end the process that hangs.",
        ) from error
    except OSError as error:
        raise StorageError(f"The ledger {path} cannot be opened: {error.strerror}.") from error
    except sqlite3.Error as error:
        # The low byte is the kind of error; the rest only says where it was noticed.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise _set_aside(path, str(error)) from error
        raise StorageError(
            f"The ledger {path} cannot be used: {error}.",
            hint="Check that the disk is not full, that this user may write there, and that the "
            "folder is on a local disk; `--state-dir` names another.",
        ) from error


def _set_aside(path: Path, finding: str) -> StateError:
    aside = path.with_name(f"{path.name}{DAMAGED}{datetime.now(UTC):%Y%m%d-%H%M%S}")
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            Path(f"{path}{ending}").replace(f"{aside}{ending}")
    return StateError(
        f"The ledger {path} is damaged ({finding}). It is kept as {aside}.",
        hint="Nothing of the org was touched by this. The next command begins a new ledger; the "
        f"row results of earlier runs are still in {path.parent / 'runs'}.",
    )

"""The SQLite file of the ledger: opening, layouts by version, transactions, damage.

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
from threading import RLock

from runner.errors import StateError, StorageError
from runner.files import PRIVATE_FILE, private_folder, unwritable
from runner.state.ledger_database import LedgerDatabase
from runner.state.process import ProcessIdentity

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
    """
    ALTER TABLE tasks ADD COLUMN problems TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE runs ADD COLUMN problems TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE runs ADD COLUMN message TEXT;
    ALTER TABLE runs ADD COLUMN hint TEXT
    """,
    """
    CREATE TABLE watermarks (
        job TEXT NOT NULL,
        job_file TEXT NOT NULL,
        task TEXT NOT NULL,
        org_id TEXT NOT NULL,
        query_sha256 TEXT NOT NULL,
        field TEXT NOT NULL,
        until TEXT NOT NULL,
        known_from TEXT NOT NULL,
        full_at TEXT NOT NULL,
        run_id TEXT NOT NULL,
        PRIMARY KEY (job_file, task, org_id)
    ) STRICT;
    CREATE TABLE delivered (
        job_file TEXT NOT NULL,
        task TEXT NOT NULL,
        org_id TEXT NOT NULL,
        id TEXT NOT NULL,
        stamp TEXT NOT NULL,
        PRIMARY KEY (job_file, task, org_id, id, stamp)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE mirrors (
        number INTEGER PRIMARY KEY,
        job_file TEXT NOT NULL,
        task TEXT NOT NULL,
        org_id TEXT NOT NULL,
        UNIQUE (job_file, task, org_id)
    ) STRICT;
    CREATE TABLE managed (
        mirror INTEGER NOT NULL REFERENCES mirrors,
        id TEXT NOT NULL,
        deleted TEXT,
        PRIMARY KEY (mirror, id)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE notifications (
        number INTEGER PRIMARY KEY,
        run_id TEXT REFERENCES runs ON DELETE CASCADE,
        job_file TEXT NOT NULL,
        target TEXT,
        event TEXT NOT NULL,
        recipient TEXT NOT NULL,
        message TEXT NOT NULL,
        created TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dropped')),
        tried TEXT,
        tries INTEGER NOT NULL DEFAULT 0,
        error TEXT
    ) STRICT;
    CREATE INDEX notifications_by_run ON notifications (run_id)
    """,
    """
    ALTER TABLE runs ADD COLUMN verb TEXT NOT NULL DEFAULT 'run';
    ALTER TABLE runs ADD COLUMN target TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN selective INTEGER NOT NULL DEFAULT 0;
    UPDATE runs SET verb = coalesce(json_extract(asked, '$.verb'), 'run'),
        target = coalesce(json_extract(asked, '$.target'), ''),
        selective = coalesce(json_array_length(asked, '$.only'), 0) > 0
    """,
)
"""One step a version: a ledger of version n needs the steps after n. Never change a step."""

DAMAGED = ".damaged-"
"""In the name of a damaged ledger that was moved aside, before the time."""
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class LedgerFile(LedgerDatabase):
    """An open ledger file, which threads may share.

    Each commit is on the disk before it returns. Every method raises StateError when the file
    cannot be read or written; a damaged one is moved aside, and the error says where.
    """

    items_of = "SELECT value FROM json_each(:items)"

    def __init__(self, path: Path) -> None:
        """Open the file; it is created when missing."""
        self.path = path
        self.name = str(path)
        self._lock = RLock()
        self._connection = open_ledger(path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def writing(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction; a block within a block is part of it."""
        with self.reading() as connection:
            if connection.in_transaction:
                yield connection
                return
            if not synced:
                connection.execute("PRAGMA synchronous = NORMAL")
            try:
                with _transaction(connection):
                    yield connection
            finally:
                if not synced:
                    connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time."""
        with self._lock, _as_state_errors(self.path):
            yield self._connection

    def has_ended(self, run_id: str, process: ProcessIdentity) -> bool:  # noqa: ARG002 - one machine
        """Whether the process that executes a run is certain to have ended."""
        return process.has_ended()

    def shrink(self) -> None:
        """Give the space of deleted rows back to the disk."""
        with self.reading() as connection:
            connection.execute("VACUUM")


def open_ledger(path: Path) -> sqlite3.Connection:
    """Open the file, create it when missing, and bring its layout up to this release.

    Raises:
        StateError: It is damaged (and was moved aside), was written by a newer release, or cannot
            be read or written.
    """
    private_folder(path.parent)
    with _as_state_errors(path):
        return _open_as_it_is(path) or _open_prepared(path)


def _open_as_it_is(path: Path) -> sqlite3.Connection | None:
    """Open a ledger of this release to which nothing has to be done; None if it is not one."""
    if not path.exists():
        return None
    connection = _connect(path)
    try:
        _set_up(connection)
        if _asked(connection, "journal_mode") == "wal" and (
            _asked(connection, "user_version") == len(LAYOUTS)
            and _asked(connection, "quick_check(1)") == "ok"
        ):
            return connection
    except sqlite3.Error:  # another process is preparing it, or it is damaged
        connection.close()
        return None
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


def _open_prepared(path: Path) -> sqlite3.Connection:
    """Create the ledger, or bring it up to this release; one process at a time.

    SQLite does not wait for its turn when two switch a new file to WAL.
    """
    from runner.state.exclusive import held_alone  # noqa: PLC0415 - few verbs lock

    try:
        with held_alone(Path(f"{path}.lock"), PATIENCE_SECONDS):
            with contextlib.suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL, PRIVATE_FILE))
            connection = _connect(path)
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
            return connection
    except TimeoutError as error:
        raise StateError(
            f"Another process has locked the ledger {path} for {PATIENCE_SECONDS:g} s.",
            hint="Run again, or end the process that hangs.",
        ) from error


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
    )


def _asked(connection: sqlite3.Connection, pragma: str) -> object:
    return connection.execute(f"PRAGMA {pragma}").fetchone()[0]


def _set_up(connection: sqlite3.Connection) -> None:
    """What holds for a connection, not for the file."""
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    _set_up(connection)
    connection.execute("PRAGMA journal_mode = WAL")
    finding = _asked(connection, "quick_check(1)")
    if finding != "ok":
        connection.close()
        raise _move_aside(path, str(finding))
    with _transaction(connection):
        _migrate(connection, path)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version = int(str(_asked(connection, "user_version")))
    if version > len(LAYOUTS):
        raise StateError(
            f"The ledger {path} was written by a newer release (layout {version}; this release "
            f"reads up to {len(LAYOUTS)}).",
            hint="Use that release, or another `--state`.",
        )
    for step in LAYOUTS[version:]:
        for statement in step.split(";"):  # executescript would end the transaction
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(LAYOUTS)}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run all statements of a block or none; other processes wait meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _as_state_errors(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and the system into StateError; move a damaged ledger aside."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error, "The ledger {} cannot be opened") from error
    except sqlite3.Error as error:
        # The low byte is the kind of error; the rest only says where it was noticed.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE:
            raise _move_aside(path, str(error)) from error
        raise StorageError(
            f"The ledger {path} cannot be used: {error}.",
            hint="Check that the disk is not full, that this user can write there, and that the "
            "folder is on a local disk; `--state` names another.",
        ) from error


def _move_aside(path: Path, finding: str) -> StateError:
    aside = path.with_name(f"{path.name}{DAMAGED}{datetime.now(UTC):%Y%m%d-%H%M%S}")
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            Path(f"{path}{suffix}").replace(f"{aside}{suffix}")
    return StateError(
        f"The ledger {path} is damaged ({finding}). It was moved to {aside}.",
        hint="Nothing in the org has changed. The next command creates a new ledger; row results "
        f"of earlier runs are still in {path.parent / 'runs'}.",
    )

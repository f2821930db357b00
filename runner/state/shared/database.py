"""The ledger's database in PostgreSQL: connecting, layouts by version, transactions, fencing.

Uses SQLAlchemy Core with psycopg, from the extra `sql`. Knows nothing of what the rows mean, but
which columns have paths: they are stored relative to the state and to the project, as each machine
has its own folders.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import SHUT_RDWR, socket
from threading import RLock
from typing import TYPE_CHECKING, Any

from runner.errors import LockHeldError, StateError, StorageError
from runner.state.ledger_database import LedgerDatabase, Statements
from runner.state.process import ProcessIdentity
from runner.state.shared.address import SharedAddress
from runner.state.shared.layout import LAYOUTS
from runner.state.shared.tables import prepare, transaction
from runner.state.shared.watch import END_SECONDS, Wait, Watch

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult

    from runner.state.shared.locks import Lease

_DRIVER = {
    "connect_timeout": 15,
    "application_name": "sfrunner",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "tcp_user_timeout": 60_000,
}
"""Options for the driver; those of the address are used instead."""
_AGAIN = (
    "Check the address, the server and what its user may do; then run again: an unfinished run is "
    "resumed."
)
_IDLE_SECONDS = 20.0
"""After which a connection is tried out first: a firewall may have dropped it."""
_PATHS = frozenset({"job_file", "folder", "results", "file", "target"})
_PROJECT, _STATE = "project:", "state:"
_NOT_TEXT = re.compile(r"[\x00\ud800-\udfff]")
_VERSION = "SELECT version, NULL AS name FROM layout"
_CHECK = (
    "SELECT name, fence, run_id, host, (SELECT version FROM layout) AS version FROM locks "
    "WHERE name = ANY(%(names)s) FOR SHARE"
)
_NAMED = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")


class PostgresDatabase(LedgerDatabase):
    """An open ledger in PostgreSQL, which threads may share.

    Each commit lasts before it returns. Every method raises StateError when the database cannot be
    used. Once a lock of `leases` has been lost, nothing more is written: LockHeldError.
    """

    items_of = "SELECT value FROM json_array_elements_text(CAST(:items AS json)) AS item(value)"

    def __init__(self, address: SharedAddress, runs: Path, watch: Watch | None = None) -> None:
        """Connect, and bring the layout up to this release.

        Args:
            address: Of the state.
            runs: The folder of this machine for files of runs.
            watch: Over what is waited for; None: one of its own.
        """
        self.name = address.label
        self.watch = watch or Watch()
        self.leases: list[Lease] = []
        """The locks that writes depend on."""
        self._address = address
        self._roots = ((_STATE, str(runs)), (_PROJECT, str(address.project)))
        self._lock = RLock()
        self._connection: Connection | None = None
        self._driver: Any = None
        """The driver's own connection."""
        self._wait: Wait | None = None
        self._last_used = 0.0
        with self._as_state_errors(), self._watched():
            self._connection = self._connect()

    def close(self) -> None:
        """Close the connection."""
        self.watch.close()
        with self._lock, suppress(StateError), self._as_state_errors():
            if self._connection is not None:
                self._connection.close()
                self._connection.engine.dispose()
                self._connection = None

    @contextmanager
    def writing(self, *, synced: bool = True) -> Iterator[Statements]:
        """One transaction; a block within a block is part of it.

        Raises:
            LockHeldError: Another machine has taken over a lock of `leases`.
        """
        with self._opened() as connection:
            if connection.in_transaction():
                yield _Statements(connection, self)
                return
            with transaction(connection, self._address.schema, synced=synced):
                self._check(connection)
                yield _Statements(connection, self)

    @contextmanager
    def reading(self) -> Iterator[Statements]:
        """The connection, for one thread at a time."""
        with self._opened() as connection:
            if connection.in_transaction():
                yield _Statements(connection, self)
                return
            with transaction(connection, self._address.schema):
                yield _Statements(connection, self)

    def has_ended(self, run_id: str, process: ProcessIdentity) -> bool:
        """Whether the process that executes a run is certain to have ended.

        One of this machine is seen; one of another is alive as long as it renews its lock.
        """
        if process.is_of_this_machine:
            return process.has_ended()
        with self.reading() as connection:
            held = connection.execute(
                "SELECT 1 AS one FROM locks WHERE run_id = :run_id AND expires > clock_timestamp()",
                {"run_id": run_id},
            )
            return held.fetchone() is None

    def shrink(self) -> None:
        """Leave it to autovacuum."""

    def to_text(self, path: str) -> str:
        """A path as it is stored."""
        for mark, root in self._roots:
            if path == root or path.startswith(f"{root}/"):
                return mark + path[len(root) :].lstrip("/")
        return path

    def from_text(self, text: str) -> str:
        """A stored path on this machine."""
        for mark, root in self._roots:
            if text.startswith(mark):
                return f"{root}/{text[len(mark) :]}".rstrip("/")
        return text

    def _check(self, connection: Connection) -> None:
        """Refuse to write once a lock is another's, or another release has changed the tables.

        One statement, as each is a way to the server and back. No lock is taken over before the
        transaction commits.
        """
        names = [lease.name for lease in self.leases]
        rows = connection.exec_driver_sql(_CHECK if names else _VERSION, {"names": names})
        found = {row.name: row for row in rows}
        if any(row.version != len(LAYOUTS) for row in found.values()):
            raise StateError(
                f"Another release has changed the tables of {self.name} while this one used them.",
                hint="Install that release, then `runner resume`.",
            )
        for lease in self.leases:
            row = found.get(lease.name)
            if row is None or row.fence != lease.fence:
                raise out_of_touch(*((row.run_id, row.host) if row else ()))

    @contextmanager
    def _opened(self) -> Iterator[Connection]:
        with self._lock, self._as_state_errors(), self._watched():
            connection = self._connection
            if connection is None or (
                not connection.in_transaction() and not self._is_alive(connection)
            ):
                connection = self._connection = self._connect()
            self._last_used = time.monotonic()
            yield connection

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End the block if the server says nothing; a block within a block is part of it."""
        if self._wait is not None:
            yield
            return
        silence = f"The state {self.name} has not answered"
        with self.watch.over(silence, self._cut) as wait:
            self._wait = wait
            try:
                yield
            except Exception as error:
                if not wait.is_ended:
                    raise
                raise StorageError(
                    f"The state {self.name} cannot be used: it has not answered for "
                    f"{END_SECONDS:g} s.",
                    hint=_AGAIN,
                ) from error
            finally:
                self._wait = None

    def again(self) -> None:
        """Note that another request to the server begins."""
        if self._wait is not None:
            self._wait.again()

    def _cut(self) -> None:
        """Let the driver see the end of its connection; on the thread of the watch."""
        with suppress(Exception), socket(fileno=os.dup(self._driver.pgconn.socket)) as end:
            end.shutdown(SHUT_RDWR)

    def _is_alive(self, connection: Connection) -> bool:
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - an extra

        if connection.invalidated or connection.closed:
            return False
        if time.monotonic() - self._last_used < _IDLE_SECONDS:
            return True
        try:
            connection.exec_driver_sql("SELECT 1")
            connection.rollback()
        except DBAPIError:
            connection.close()
            return False
        return True

    def _connect(self) -> Connection:
        engine = _engine(self._address, self._note_driver)
        connection: Connection = engine.connect()
        try:
            prepare(connection, self._address.schema, self.name)
        except BaseException:
            connection.close()
            engine.dispose()
            raise
        return connection

    def _note_driver(self, made: object, _: object) -> None:
        self._driver = made
        self.again()

    @contextmanager
    def _as_state_errors(self) -> Iterator[None]:
        try:
            from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise _library_missing(error) from error
        try:
            yield
        except ImportError as error:  # SQLAlchemy loads the driver when it connects
            raise _library_missing(error) from error
        except SQLAlchemyError as error:
            text = str(getattr(error, "orig", None) or error)
            line = next(iter(text.strip().splitlines()), type(error).__name__)
            message = f"The state {self.name} cannot be used: {line.rstrip('.')}."
            if _is_of_the_address(error):
                raise StateError(message, hint="Correct the options in the address.") from None
            raise StorageError(message, hint=_AGAIN) from None


def _is_of_the_address(error: Exception) -> bool:
    """Whether the driver refuses an option, before it asks any server."""
    from sqlalchemy.exc import ProgrammingError  # noqa: PLC0415 - an extra

    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    return isinstance(error, ProgrammingError) and code is None


def out_of_touch(run_id: str | None = None, host: str = "") -> LockHeldError:
    """The error of a run whose lock another has taken.

    Args:
        run_id: The run that has it, perhaps this one on another machine; None: it has ended.
        host: Where.
    """
    by = f"run {run_id} on {host}" if run_id else "another run"
    shows = f"`runner show {run_id}`" if run_id else "`runner history`"
    return LockHeldError(
        f"This machine was out of touch with the state for too long, and {by} has taken over. "
        "Nothing more is sent from here.",
        hint=f"{shows} shows its progress; you need not do anything here.",
    )


def _library_missing(error: ImportError) -> StateError:
    return StateError(
        f"A shared state needs the library {error.name}, which cannot be loaded.",
        hint="Install it: pip install 'sfrunner[shared]'",
    )


class _Statements:
    """Executes statements with named values, paths as they are stored."""

    def __init__(self, connection: Connection, paths: PostgresDatabase) -> None:
        self._connection = connection
        self._paths = paths

    def execute(self, statement: str, values: Mapping[str, Any] = {}, /) -> _Result:
        """Execute one statement."""
        bound = _bound(values, self._paths.to_text)
        self._paths.again()
        result = self._connection.exec_driver_sql(_NAMED.sub(r"%(\1)s", statement), bound)
        return _Result(result, self._paths.from_text)

    def executemany(self, statement: str, values: Iterable[Mapping[str, Any]], /) -> None:
        """Execute a statement once for each mapping."""
        self._paths.again()
        if bound := [_bound(each, self._paths.to_text) for each in values]:
            self._connection.exec_driver_sql(_NAMED.sub(r"%(\1)s", statement), bound)


def _bound(values: Mapping[str, Any], to_text: Callable[[str], str]) -> dict[str, Any]:
    def bound(name: str, value: object) -> object:
        if not isinstance(value, str):
            return value
        # PostgreSQL has no such characters: NUL, and half of a pair of surrogates.
        text = _NOT_TEXT.sub("\ufffd", value)
        return to_text(text) if name in _PATHS else text

    return {name: bound(name, value) for name, value in values.items()}


class _Result:
    """Rows by the names of their columns, with paths of this machine."""

    def __init__(self, result: CursorResult[Any], from_text: Callable[[str], str]) -> None:
        self._result = result
        self._from_text = from_text

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""
        return self._result.rowcount

    def fetchone(self) -> dict[str, Any] | None:
        """The next row; None after the last."""
        row = self._result.mappings().fetchone()
        return None if row is None else self._row(row)

    def fetchall(self) -> list[dict[str, Any]]:
        """The rows that are left."""
        return list(self)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self._row, self._result.mappings())

    def _row(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        return {
            name: self._from_text(value) if name in _PATHS and isinstance(value, str) else value
            for name, value in row.items()
        }


def _engine(address: SharedAddress, note: Callable[[object, object], None]) -> Any:  # noqa: ANN401 - an extra's
    import sqlalchemy  # noqa: PLC0415 - an extra

    url = sqlalchemy.make_url(address.database)
    engine = sqlalchemy.create_engine(
        url,
        poolclass=sqlalchemy.NullPool,
        connect_args={
            **{name: value for name, value in _DRIVER.items() if name not in url.query},
            "prepare_threshold": None,  # a pooler gives each transaction another connection
        },
    )
    # First of all: SQLAlchemy itself asks the server then, and a pooler may not answer.
    sqlalchemy.event.listen(engine, "connect", note, insert=True)
    return engine

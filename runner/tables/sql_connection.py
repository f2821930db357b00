"""Connections to SQL databases, by the URL in a secret reference.

Knows how to connect and what errors mean; never reveals a URL or a password. Uses SQLAlchemy, from
the extra `sql`. Knows nothing of rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runner.credentials import SecretReference
from runner.errors import RunnerError, SignInError, SourceError, StateError
from runner.job.secrets import read_secret
from runner.tables.database import first_line
from runner.tables.extras import extra

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_DRIVERS = {"psycopg": "sql", "psycopg2": "sql"}
_DIALECTS = ("snowflake", "bigquery")
"""Those of which an extra of the same name has the dialect."""


def import_sqlalchemy(kind: type[RunnerError] = SourceError) -> ModuleType:
    """Import SQLAlchemy; the error says how to install it."""
    return extra("sqlalchemy", "sql", "A SQL database", kind)


@contextmanager
def connect(
    reference: SecretReference, kind: type[RunnerError] = SourceError
) -> Iterator[Connection]:
    """Connect; a transaction that is not committed is rolled back at the end.

    Args:
        reference: Where the URL is.
        kind: The class of errors: SourceError or StateError.
    """
    sqlalchemy = import_sqlalchemy(kind)
    engine = _engine(sqlalchemy, url_of(reference, kind), kind)
    try:
        with SQLITE_FILES.opened(engine), engine.connect() as connection:
            yield connection
    except sqlalchemy.exc.DBAPIError as error:
        dropped = error.connection_invalidated or type(error).__name__ in _UNREACHED
        raise rejected(error.orig or error, kind, is_unreached=dropped) from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise kind(
            f"The database cannot run this: {first_line(error)}.",
            hint="Check the SQL, the table and the types of its columns.",
        ) from None
    finally:
        engine.dispose()


def check_sqlite(connection: Connection, kind: type[RunnerError] = SourceError) -> None:
    """Refuse a file of SQLite that is cut off: SQLite fills half a page at its end with zeros.

    Args:
        connection: To any database; only files of SQLite are looked at.
        kind: The class of the error: SourceError or StateError.
    """
    file = Path(connection.engine.url.database or "")
    if connection.dialect.name != "sqlite" or not file.is_file() or not file.stat().st_size:
        return
    # What a crash has left is undone by the first to read.
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
    page = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    size, has_log = file.stat().st_size, file.with_name(f"{file.name}-wal").exists()
    if size % page or (size < page * pages and not has_log):
        raise kind(
            "The SQLite file is cut off, so rows in it are missing or blank.",
            hint="It was not copied completely; copy it again.",
        )


def check_is_kept(connection: Connection) -> None:
    """Refuse a database of SQLite in memory as a target: its rows would be gone with the run.

    Raises:
        StateError: It is one.
    """
    if connection.dialect.name != "sqlite":
        return
    (_, _, file), *_ = connection.exec_driver_sql("PRAGMA database_list").all()
    if not file:
        raise StateError(
            "The SQLite URL does not name a file, so the rows would be gone with the run.",
            hint="Write the path of one after its slashes: three before crm.db in the current "
            "folder, four before data/crm.db in the root.",
        )


def duckdb_file(reference: SecretReference, kind: type[RunnerError] = SourceError) -> Path | None:
    """The file of a URL such as `duckdb:////data/crm.duckdb`; None for any other database.

    Raises:
        RunnerError: The URL is of DuckDB and names no file, such as `:memory:`.
    """
    url = url_of(reference, kind)
    if not url.startswith("duckdb:"):
        return None
    file = url.removeprefix(_DUCKDB)
    if not url.startswith(_DUCKDB) or not file or file.startswith(":"):
        raise kind(
            "The DuckDB URL does not name a file.",
            hint="Write the path of one after its slashes: three before crm.duckdb in the current "
            "folder, four before data/crm.duckdb in the root.",
        )
    return Path(file)


_DUCKDB = "duckdb:///"


class SqliteFiles:
    """SQLite files that are open in this process.

    Python's SQLite and that of another driver do not see each other's locks, and when one closes a
    file, the locks of both are gone: a file must be open in one of them only.
    Source: https://www.sqlite.org/howtocorrupt.html, 2.2.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._open: Counter[str] = Counter()
        self._taken: set[str] = set()

    @contextmanager
    def opened(self, engine: Engine) -> Iterator[None]:
        """Open a file by Python's SQLite, once nobody has taken it; any other database at once."""
        if engine.dialect.name != "sqlite":
            yield
            return
        file = _sqlite_file(engine)
        with self._changed:
            self._changed.wait_for(lambda: file not in self._taken)
            self._open[file] += 1
        try:
            yield
        finally:
            with self._changed:
                self._open[file] -= 1

    @contextmanager
    def taken(self, engine: Engine) -> Iterator[bool]:
        """Take a file that this thread has opened for another driver; whether it is free for it."""
        file = _sqlite_file(engine)
        with self._changed:
            is_free = self._open[file] == 1
            if is_free:
                self._taken.add(file)
        try:
            yield is_free
        finally:
            if is_free:
                with self._changed:
                    self._taken.remove(file)
                    self._changed.notify_all()


def _sqlite_file(engine: Engine) -> str:
    return str(Path(engine.url.database or "").resolve())


SQLITE_FILES = SqliteFiles()
"""Of this process."""


@contextmanager
def driver_errors(statement: str, driver: Any) -> Iterator[None]:  # noqa: ANN401
    """Errors of a driver that is used by itself as SQLAlchemy's, which `connect` explains.

    Args:
        statement: What is run.
        driver: The module that has the class `Error`.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except driver.Error as error:
        raise DBAPIError.instance(statement, None, error, driver.Error) from error


def url_of(reference: SecretReference, kind: type[RunnerError]) -> str:
    """The URL that a reference names.

    Raises:
        RunnerError: There is none.
    """
    try:
        return read_secret(reference).reveal()
    except SignInError as error:
        # Its message is about tokens.
        where = f"variable {reference.env}" if reference.env else "command"
        raise kind(
            f"The {where} does not contain a database URL.",
            hint="It must be like postgresql+psycopg://user:password@host/name.",
        ) from error


def _engine(sqlalchemy: ModuleType, url: str, kind: type[RunnerError]) -> Engine:
    place = url.partition("://")[2].partition("/")[0].partition("?")[0]
    if place.count("@") > 1:  # the rest of a password would be the host, which errors name
        raise _not_a_url(kind)
    try:
        engine: Engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    except ImportError as error:
        driver = error.name or "its driver"
        extra_name = f"'sfrunner[{_DRIVERS[driver]}]'" if driver in _DRIVERS else driver
        raise kind(
            f"The database needs the driver {driver}, which is not installed.",
            hint=f"Install it: pip install {extra_name}",
        ) from None
    except sqlalchemy.exc.NoSuchModuleError as error:
        dialect = url.partition(":")[0].partition("+")[0]
        if dialect not in _DIALECTS:
            raise kind(
                f"No database is known as {dialect}: {first_line(error)}.",
                hint="Write a URL such as postgresql+psycopg://user:password@host/name, or install"
                " the SQLAlchemy dialect of your database.",
            ) from None
        raise kind(
            f"{dialect.capitalize()} needs its SQLAlchemy dialect, which is not installed.",
            hint=f"Install it: pip install 'sfrunner[{dialect}]'",
        ) from None
    except (sqlalchemy.exc.SQLAlchemyError, ValueError):  # of a port that is no number
        raise _not_a_url(kind) from None
    return engine


def _not_a_url(kind: type[RunnerError]) -> RunnerError:
    return kind(
        "The database URL is not a valid SQLAlchemy URL.",
        hint="Write one such as postgresql+psycopg://user:password@host/name; in a password, `@` "
        "is %40, `/` is %2F and `:` is %3A.",
    )


_NO_ROOM = ("disk is full", "disk i/o error", "no space left")
"""In the words of SQLite, and of the system."""


_OF_SQLITE = {
    "unable to open database file": "Check the path in the URL: its folder has to exist, and this "
    "user has to have access. `sqlite:///file.db` is relative to the current folder, "
    "`sqlite:////srv/file.db` is not.",
    "file is not a database": "Name a file of SQLite, or one that does not exist yet; for a file "
    "of DuckDB the URL begins with `duckdb:///`.",
    "attempt to write a readonly database": "Let this user write the file and its folder.",
    "database is locked": "Another program is writing to it; run again when that is done.",
}
"""What to do about what SQLite says, which names neither file nor cause."""


def rejected(error: BaseException, kind: type[RunnerError], *, is_unreached: bool) -> RunnerError:
    """The error for what a driver has raised."""
    reason = first_line(error)
    if (hint := _OF_SQLITE.get(reason.lower())) is not None:
        return kind(f"The database file cannot be used: {reason}.", hint=hint)
    if any(each in reason.lower() for each in _NO_ROOM):
        return kind(
            f"The database cannot write to its disk: {reason}.",
            hint="Check that the disk has room, then run again.",
        )
    if is_unreached:
        return kind(
            f"The database could not be reached, or dropped the connection: {reason}.",
            hint="Nothing was sent. Check that it runs and accepts this user, then run again.",
        )
    return kind(f"The database rejected this: {reason}.", hint="Try the SQL as the same user.")


_UNREACHED = ("OperationalError", "InterfaceError")

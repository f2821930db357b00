"""SQL databases by the URL that a reference holds.

Knows how a connection is made and what its errors mean; never tells a URL or a password. Goes
through SQLAlchemy, which the extra `sql` brings. Knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

from runner.credentials import SecretReference
from runner.errors import RunnerError, SignInError, SourceError
from runner.job.secrets import read_secret
from runner.tables.database import first_line
from runner.tables.extras import extra

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_DRIVERS = {"psycopg": "sql", "psycopg2": "sql"}


def alchemy(kind: type[RunnerError] = SourceError) -> ModuleType:
    """SQLAlchemy, or how to install it."""
    return extra("sqlalchemy", "sql", "A SQL database", kind)


@contextmanager
def connected(
    reference: SecretReference, kind: type[RunnerError] = SourceError
) -> Iterator[Connection]:
    """Connect; what was done in a transaction that was not committed is undone at the end.

    Args:
        reference: Holds the URL.
        kind: What errors become: SourceError, StateError.
    """
    sqlalchemy = alchemy(kind)
    engine = _engine(sqlalchemy, _url(reference, kind), kind)
    try:
        with engine.connect() as connection:
            yield connection
    except sqlalchemy.exc.DBAPIError as error:
        raise _refused(error, kind) from None
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise kind(
            f"The database cannot do this: {first_line(error)}.",
            hint="Check the SQL, the table and the types of its columns.",
        ) from None
    finally:
        engine.dispose()


def _url(reference: SecretReference, kind: type[RunnerError]) -> str:
    try:
        return read_secret(reference).reveal()
    except SignInError as error:
        # It speaks of tokens, which nobody asked for here.
        where = f"variable {reference.env}" if reference.env else "command"
        raise kind(
            f"The {where} gives no database URL.",
            hint="It must hold one such as postgresql+psycopg://user:password@host/name.",
        ) from error


def _engine(sqlalchemy: ModuleType, url: str, kind: type[RunnerError]) -> Engine:
    try:
        engine: Engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    except ImportError as error:
        driver = error.name or "its driver"
        extra_name = f"'sfrunner[{_DRIVERS[driver]}]'" if driver in _DRIVERS else driver
        raise kind(
            f"The database needs the driver {driver}, which is not installed.",
            hint=f"Install it: pip install {extra_name}",
        ) from None
    except sqlalchemy.exc.SQLAlchemyError:
        raise kind(
            "The database's URL is not of SQLAlchemy's form.",
            hint="Write one such as postgresql+psycopg://user:password@host/name.",
        ) from None
    return engine


def _refused(error: Exception, kind: type[RunnerError]) -> RunnerError:
    said = first_line(getattr(error, "orig", None) or error)
    if getattr(error, "connection_invalidated", False) or type(error).__name__ in _UNREACHED:
        return kind(
            f"The database could not be reached, or dropped the connection: {said}.",
            hint="Nothing was sent. Check that it runs and lets this user in, then run again.",
        )
    return kind(f"The database refused: {said}.", hint="Try the SQL by hand as the same user.")


_UNREACHED = ("OperationalError", "InterfaceError")

"""Makes the ledger's tables in PostgreSQL, or brings them up to this release; transactions.

Knows schemas, rights and the versions of the layout. Knows nothing of what the tables mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.errors import StateError
from runner.state.shared.layout import LAYOUTS

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SILENT_SECONDS = 30
"""After which the server ends a transaction whose machine is gone: it holds the row of a lock."""
_MIGRATION = 0x5F_72_75_6E_6E_65_72
"""Key of the advisory lock under which the layout changes."""


@contextmanager
def transaction(connection: Connection, schema: str, *, synced: bool = True) -> Iterator[None]:
    """A transaction in a schema; settings are made each time: poolers forget those of a session."""
    settings = {
        "search_path": schema,
        "idle_in_transaction_session_timeout": f"'{_SILENT_SECONDS}s'",
        **({} if synced else {"synchronous_commit": "off"}),
    }
    with connection.begin():
        connection.exec_driver_sql(
            "; ".join(f"SET LOCAL {name} = {value}" for name, value in settings.items())
        )
        yield


def prepare(connection: Connection, schema: str, name: str) -> None:
    """Create the tables, or bring them up to this release; one process at a time."""
    with transaction(connection, schema):
        _check_rights(connection, schema, name)
        if _version(connection, schema) == len(LAYOUTS):
            return
    with transaction(connection, schema):
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%(key)s)", {"key": _MIGRATION})
        version = _version(connection, schema)
        if version is None:
            _create_schema(connection, schema, name)
        elif version > len(LAYOUTS):
            raise StateError(
                f"The state {name} was written by a newer release (layout {version}; this release "
                f"reads up to {len(LAYOUTS)}).",
                hint="Use that release, or name another schema in the address: `&schema=NAME`.",
            )
        for step in LAYOUTS[version or 0 :]:
            connection.exec_driver_sql(step)
        connection.exec_driver_sql(f"UPDATE layout SET version = {len(LAYOUTS)}")  # noqa: S608 - a number


def _check_rights(connection: Connection, schema: str, name: str) -> None:
    """Refuse a schema that is another user's: without the right to use it, it looks empty."""
    found = connection.exec_driver_sql(
        "SELECT has_schema_privilege(nspname, 'USAGE'), current_user::text FROM pg_namespace "
        "WHERE nspname = %(schema)s",
        {"schema": schema},
    ).fetchone()
    if found is not None and not found[0]:
        raise StateError(
            f"The user {found[1]} may not use the schema {schema} of {name}.",
            hint="Connect as the user that owns it, or name another in the address: "
            "`&schema=NAME`.",
        )


def _create_schema(connection: Connection, schema: str, name: str) -> None:
    if not _has(connection, "pg_namespace WHERE nspname = %(schema)s", schema):
        # IF NOT EXISTS would need the right to create one where there is one
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    if _has(connection, "pg_tables WHERE schemaname = %(schema)s", schema):
        raise StateError(
            f"The schema {schema} of {name} has tables, and they are not the runner's.",
            hint="Name another in the address: `&schema=NAME`.",
        )
    connection.exec_driver_sql("CREATE TABLE layout (version INTEGER NOT NULL)")
    connection.exec_driver_sql("INSERT INTO layout VALUES (0)")


def _version(connection: Connection, schema: str) -> int | None:
    """The layout's version; None where there is none yet."""
    column = (
        "pg_attribute a JOIN pg_class t ON t.oid = a.attrelid JOIN pg_namespace n"
        " ON n.oid = t.relnamespace WHERE n.nspname = %(schema)s AND t.relname = 'layout'"
        " AND a.attname = 'version' AND a.atttypid = 'int4'::regtype"
    )
    if not _has(connection, column, schema):
        return None  # or it has tables of somebody else
    version: int = connection.exec_driver_sql("SELECT version FROM layout").scalar_one()
    return version


def _has(connection: Connection, rows: str, schema: str) -> bool:
    """Whether the catalog has rows; to_regclass would answer from what the server remembers."""
    found = connection.exec_driver_sql(f"SELECT count(*) FROM {rows}", {"schema": schema})  # noqa: S608 - own words
    return bool(found.scalar())

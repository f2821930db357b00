"""Whether a target has rows of earlier runs.

Knows places. Knows nothing of what is in them.
"""

from __future__ import annotations

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget, FileTarget, Target
from runner.tables.sql_connection import connect, duckdb_file, import_sqlalchemy


def is_there(target: Target) -> bool:
    """Whether a target exists; one behind a URL is taken to.

    Raises:
        StateError: The database cannot be reached.
    """
    if isinstance(target, DatabaseTarget):
        file = duckdb_file(target.url, StateError)
        if file is not None:
            from runner.tables.targets.duckdb_file import has_table

            return has_table(file, target.table)
        sqlalchemy = import_sqlalchemy(StateError)
        schema, _, table = target.table.rpartition(".")
        with connect(target.url, StateError) as link:
            return bool(sqlalchemy.inspect(link).has_table(table, schema=schema or None))
    if isinstance(target, FileTarget) and target.url is not None:
        return True
    return target.path.exists()

"""Whether a target has anything of earlier runs.

Knows places. Knows nothing of what is in them.
"""

from __future__ import annotations

from runner.errors import StateError
from runner.job.endpoints import DatabaseTarget, FileTarget, Target
from runner.tables.sql_connection import connect, duckdb_file, import_sqlalchemy


def is_there(target: Target) -> bool:
    """Whether a target exists and was not emptied; one behind a URL is taken to.

    A table without rows may have had none: to read everything again costs as little then.

    Raises:
        StateError: The database cannot be reached.
    """
    if isinstance(target, DatabaseTarget):
        file = duckdb_file(target.url, StateError)
        if file is not None:
            from runner.tables.targets.duckdb_file import has_rows

            return has_rows(file, target.table)
        sqlalchemy = import_sqlalchemy(StateError)
        schema, _, table = target.table.rpartition(".")
        with connect(target.url, StateError) as link:
            if not sqlalchemy.inspect(link).has_table(table, schema=schema or None):
                return False
            rows = sqlalchemy.table(table, schema=schema or None)
            any_row = sqlalchemy.select(sqlalchemy.literal(1)).select_from(rows).limit(1)
            return link.execute(any_row).first() is not None
    if isinstance(target, FileTarget) and target.url is not None:
        return True
    if target.path.is_dir():
        return any(each.is_file() for each in target.path.rglob("*"))
    return target.path.exists() and target.path.stat().st_size > 0

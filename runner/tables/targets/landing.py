"""Whether rows that a process was about to add to a target are in it, although the process died.

A file or a folder that takes the target's place is known by its size and time of change, which a
rename keeps. A database that keeps a state (`target_state`) tells which run it had rows from. Knows
targets. Knows nothing of runs or of where a landing is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.errors import StateError
from runner.job.endpoints import (
    STATE_TABLE,
    DatabaseTarget,
    FileTarget,
    FolderTarget,
    Target,
)
from runner.tables.sql import literal

if TYPE_CHECKING:
    from runner.tables.targets.target_state import TargetState


class Landing(Struct, frozen=True):
    """What was known just before the rows got into their target."""

    new: tuple[int, int] | None = None
    """Of the file or folder with the rows; None: of a table."""
    old: tuple[int, int] | None = None
    """Of the one before it; None: there was none."""
    is_told: bool = False
    """Whether the target itself records which run added rows last."""


def replacing(new: Path, old: Path) -> Landing:
    """The landing of a file or folder that is about to take the place of another."""
    return Landing(_mark(new), _mark(old))


def marker(  # noqa: PLR0913, PLR0917 - the columns of a row
    target: Target, job: str, task: str, org_id: str, run_id: str, over: Sequence[str] = ()
) -> TargetState | None:
    """What a target keeps beside the rows, to tell which run they are from; None: it cannot.

    Args:
        target: Where rows are added.
        job: The job's name.
        task: The task's.
        org_id: The org that the rows are from.
        run_id: The run.
        over: Runs whose markers are no longer needed.

    Raises:
        StateError: The database cannot be reached.
    """
    if isinstance(target, FileTarget):
        return None
    from runner.tables.targets.target_state import Marker, keeps_state, marker_values

    if _duckdb_file(target) is None and not (keeps_state(target) and _may_keep_state(target)):
        return None
    now = datetime.now(UTC).isoformat()
    place = marker_values(target, job, task, run_id)["target"]
    return Marker(job, task, org_id, place, "", "", now, now, now, run_id, tuple(over))


def _may_keep_state(target: DatabaseTarget | FolderTarget) -> bool:
    """Whether the user may keep rows in a table beside the target; who only adds some may not."""
    if not isinstance(target, DatabaseTarget):
        return True
    from runner.tables.sql_connection import connect

    with connect(target.url, StateError) as link:
        if link.dialect.name != "postgresql":
            return True
        schema = target.table.rpartition(".")[0]
        place = literal(schema) if schema else "current_schema()"
        # Another user may have made the table.
        query = (
            "SELECT has_schema_privilege(s.oid, 'CREATE') AND NOT EXISTS (SELECT FROM pg_class t"
            f" WHERE t.relnamespace = s.oid AND t.relname = {literal(STATE_TABLE)} AND NOT"
            " (has_table_privilege(t.oid, 'SELECT') AND has_table_privilege(t.oid, 'INSERT')"
            " AND has_table_privilege(t.oid, 'DELETE')))"
            f" FROM pg_namespace s WHERE s.nspname = {place}"
        )
        asked = link.exec_driver_sql(query, execution_options={"no_parameters": True})
        return bool(asked.scalar())


def has_landed(target: Target, landing: Landing, job: str, task: str, run_id: str) -> bool | None:
    """Whether the rows are in the target; None: nothing tells.

    Raises:
        StateError: The target cannot be reached or read.
    """
    if landing.is_told and not isinstance(target, FileTarget):
        return _has_marker(target, job, task, run_id)
    if not isinstance(target, DatabaseTarget) and landing.new is not None:
        found = _mark(target.path)
        return found == landing.new if found in {landing.new, landing.old} else None
    return None


def _has_marker(target: DatabaseTarget | FolderTarget, job: str, task: str, run_id: str) -> bool:
    from runner.tables.targets.target_state import marker_values, read_row

    wanted = marker_values(target, job, task, run_id)
    file = _duckdb_file(target)
    if file is None or not isinstance(target, DatabaseTarget):
        return read_row(target, wanted) is not None
    from runner.tables.targets.duckdb_file import read_duckdb_state

    return read_duckdb_state(file, target.table, wanted) is not None


def _duckdb_file(target: Target) -> Path | None:
    if not isinstance(target, DatabaseTarget):
        return None
    from runner.tables.sql_connection import duckdb_file

    return duckdb_file(target.url, StateError)


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns

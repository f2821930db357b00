"""The table `outcome` of row results, which is made when results come that are not few.

Knows staged rows and SQL. Knows nothing of how a result was obtained.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from runner.outcome import RowStatus
from runner.tables.database import storage_errors
from runner.tables.sql import literal
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.problems import BETWEEN_MEMBERS, BETWEEN_PROBLEMS, SKIPPED
from runner.tables.staging.rows import StagedRows

if TYPE_CHECKING:
    from runner.tables import duckdb

_COLUMNS = (
    "(row BIGINT, status ending, id VARCHAR, created BOOLEAN,"
    " code VARCHAR, message VARCHAR, fields VARCHAR)"
)
STATUS_SQL = {status: f"CAST('{status}' AS ending)" for status in RowStatus}
"""Each status as the table `outcome` stores it; a text would be looked up row by row."""
_STATUS_TYPE = f"CREATE TYPE ending AS ENUM ({', '.join(map(literal, RowStatus))})"
"""Its type, which the database needs before the table."""
_TABLES = (f"CREATE TABLE outcome {_COLUMNS}", f"CREATE TABLE set_aside {_COLUMNS}")
"""`set_aside` has the earlier outcomes of rows that are sent again."""


class OutcomeTable:
    """The table in the database of staged rows; threads may share it.

    Attributes:
        is_made: Whether it is there.
    """

    def __init__(self, staging: StagedRows) -> None:
        self._staging = staging
        self._lock = Lock()
        self.is_made = False

    def make(self) -> None:
        """Make it, with the rows that were rejected in staging, unless it is there.

        Raises:
            StateError: It cannot be stored.
        """
        with self._lock:
            if self.is_made:
                return
            with (
                storage_errors("Row results cannot be saved"),
                self._staging.database.cursor() as cursor,
            ):
                cursor.execute(_STATUS_TYPE)
                for table in _TABLES:
                    cursor.execute(table)
                for chunk in self._staging.chunks:
                    if chunk.problems:
                        cursor.execute(_insert_rejected(chunk))
            self.is_made = True

    def open_cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection that knows the table, for one thread, which closes it."""
        self.make()
        return self._staging.database.open_cursor()


def _insert_rejected(chunk: RowChunk) -> str:
    problems = f"string_split(problem, {literal(BETWEEN_PROBLEMS)})"

    def member(place: int) -> str:
        part = f"split_part(p, {literal(BETWEEN_MEMBERS)}, {place})"
        return f"list_transform({problems}, lambda p: {part})"

    is_skipped = f"{member(1)}[1] IN ({', '.join(map(literal, SKIPPED))})"
    skipped, failed = literal(RowStatus.SKIPPED), literal(RowStatus.FAILED)
    status = f"CASE WHEN {is_skipped} THEN {skipped} ELSE {failed} END"
    # Each field once, in the order of the messages; list_distinct has no order.
    fields = f"list_filter({member(2)}, lambda f, i: list_position({member(2)}, f) = i)"
    return (
        f"INSERT INTO outcome SELECT row, {status}, NULL, NULL,"
        f" split_part(problem, {literal(BETWEEN_MEMBERS)}, 1),"
        f" array_to_string({member(3)}, '; '), array_to_string({fields}, ' ')"
        f" FROM {chunk.rejected_rows()}"
    )

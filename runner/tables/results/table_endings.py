"""How rows of a chunk ended, by the table `outcome`.

Knows staged rows and SQL. Knows nothing of how a result was obtained, or of result files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.outcome import RowStatus
from runner.tables.results.outcome_table import STATUS_SQL
from runner.tables.results.pieces import FIRST_SIGN
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.local_files import checksum_of
from runner.tables.staging.rows import StagedRows

if TYPE_CHECKING:
    from runner.tables import duckdb

_SQL_OF_COLUMN = {
    "sf__Row": "row",
    "sf__File": "file",
    "sf__FileRow": "file_row",
    "sf__Id": "id",
    "sf__Created": "created",
    "sf__Code": "code",
    "sf__Message": "message",
    "sf__Fields": "fields",
    "sf__Checksum": "checksum",
}


class TableEndings(Struct, frozen=True):
    """Those of one chunk, in the relation `ended`."""

    staging: StagedRows
    chunk: RowChunk
    cursor: duckdb.DuckDBPyConnection

    def find(self, rows: Sequence[int] | None) -> bytes:
        """Find what became of rows, as `Endings` says."""
        self._find_ends(rows)
        unknown = list(RowStatus).index(RowStatus.UNPROCESSED)
        sign = f"chr({FIRST_SIGN} + coalesce(CAST(enum_code(status) AS INT), {unknown}))"
        query = f"SELECT string_agg({sign}, '') FROM ended"
        return str(self.cursor.execute(query).fetchall()[0][0]).encode()

    def cells(self, status: RowStatus, columns: Sequence[str]) -> tuple[bytes, int]:
        """Plain CSV of what is known of the rows with a status, and how many there are."""
        cells = ", ".join(_SQL_OF_COLUMN[each] for each in columns)
        query = f"SELECT {cells} FROM ended WHERE {_is(status)}"
        file = self.staging.folder / f"{status}-{self.chunk.stem.name}.csv"
        return csv_of(query, self.cursor, file)

    def _find_ends(self, rows: Sequence[int] | None) -> None:
        """Make the relation `ended` of how these rows ended, in order; None is all."""
        cursor, chunk = self.cursor, self.chunk
        outcome = f"(FROM outcome WHERE row BETWEEN {chunk.first_row} AND {chunk.last_row})"
        files = _file_cells(self.staging.files, chunk)
        if rows is not None and not chunk.unchanged:  # mostly few, of which each has an outcome
            cursor.execute(f"CREATE TEMP VIEW ended AS SELECT *{files} FROM {outcome} ORDER BY row")
            if cursor.execute("SELECT count(*) FROM ended").fetchall()[0][0] == len(rows):
                return
            cursor.execute("DROP VIEW ended")
        numbers = f"(SELECT range AS row FROM range({chunk.first_row}, {chunk.last_row + 1}))"
        given: dict[str, list[int]] = {}
        if rows is not None:
            numbers = "(SELECT unnest($rows) AS row)"
            given["rows"] = list(rows)
        shown = "*"
        if chunk.unchanged:  # what is not sent, and has no problem
            kept = f"(SELECT row, true AS is_kept FROM {chunk.sent_numbers()})"
            numbers = f"(FROM {numbers} LEFT JOIN {kept} USING (row))"
            status = STATUS_SQL[RowStatus.UNCHANGED]
            status = f"coalesce(status, CASE WHEN is_kept IS NULL THEN {status} END) AS status"
            shown = f"* EXCLUDE (is_kept) REPLACE ({status})"
        cursor.execute(
            f"CREATE TEMP TABLE ended AS SELECT {shown}{files}"
            f" FROM {numbers} LEFT JOIN {outcome} USING (row){self._checksums(chunk)}",
            given,
        )

    def _checksums(self, chunk: RowChunk) -> str:
        """SQL that joins the MD5 of the file that each row of a chunk sent, if rows have files."""
        column = self.staging.file_column
        if column is None:
            return ""
        if not chunk.sendable:
            return " CROSS JOIN (SELECT NULL AS checksum)"
        sent = f"SELECT row, {checksum_of(column.cell)} AS checksum FROM {chunk.sent_rows()}"
        return f" LEFT JOIN ({sent}) USING (row)"


@contextmanager
def table_endings(staging: StagedRows, chunk: RowChunk) -> Iterator[TableEndings]:
    """Those of a chunk, by the table that the staging's database has."""
    with staging.database.cursor() as cursor:
        yield TableEndings(staging, chunk, cursor)


def csv_of(query: str, cursor: duckdb.DuckDBPyConnection, file: Path) -> tuple[bytes, int]:
    """The rows of a query as CSV, by way of a file, and how many there are."""
    ((count,),) = cursor.execute(copy_csv(query, file, header=False)).fetchall()
    content = file.read_bytes()
    file.unlink()
    return content, count


def _file_cells(files: Sequence[tuple[int, str]], chunk: RowChunk) -> str:
    """SQL of the file that each row of a chunk comes from, and of its number in the file."""
    if not files:
        return ""
    last = [each for each in files if each[0] <= chunk.first_row][-1:]
    inside = [*last, *(each for each in files if chunk.first_row < each[0] <= chunk.last_row)][::-1]
    names = " ".join(f"WHEN row >= {row} THEN {literal(file)}" for row, file in inside)
    numbers = " ".join(f"WHEN row >= {row} THEN row - {row - 1}" for row, _ in inside)
    return f", CASE {names} END AS file, CASE {numbers} END AS file_row"


def _is(status: RowStatus) -> str:
    known = f"status = {literal(status)}"
    return f"(status IS NULL OR {known})" if status is RowStatus.UNPROCESSED else known

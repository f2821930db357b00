"""Staged rows written again: with other cells, or without some rows.

Knows chunks. Knows nothing of why rows change.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from runner.files import unwritable
from runner.parallel import parallel_map
from runner.tables.database import storage_errors
from runner.tables.plain_csv import records_of
from runner.tables.sql import copy_csv, literal, quote_leading_mark
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.problems import BETWEEN_MEMBERS, NO_PROBLEM, SKIPPED, UNCHANGED

if TYPE_CHECKING:
    from runner.tables.staging.rows import StagedRows


def rewrite_chunks(  # noqa: PLR0913 - what changes, and where
    staging: StagedRows,
    cells: Mapping[str, str],
    why: str = NO_PROBLEM,
    *,
    then: str = NO_PROBLEM,
    known: str | None = None,
    only: Container[int] | None = None,
    width: int | None = None,
) -> None:
    """Write the rows to send again with other cells, and without rows that have a problem.

    Args:
        staging: The rows, mapped.
        cells: SQL of cells that change, over a row `s` and what is known of it.
        why: SQL of a row's problem, over the same; NULL if it has none.
        then: SQL of another problem, over the cells as they are now and what is known of the row.
        known: A table of what is known of rows: `row`, each once, and other columns.
        only: First rows of the chunks that change; None: all.
        width: How many cells are kept, from the first on; None: all.

    Raises:
        StateError: The rows cannot be stored.
    """
    names = [each.cell for each in staging.mappings[:width]]
    chosen = ", ".join(f"{cells.get(each, f's.{each}')} AS {each}" for each in names)

    def rewrite(chunk: RowChunk) -> RowChunk:
        if not chunk.sendable or (only is not None and chunk.first_row not in only):
            return chunk if only is not None else replace(chunk, width=len(names))
        with storage_errors("Rows cannot be stored"), staging.database.cursor() as cursor:
            rows = f"row BETWEEN {chunk.first_row} AND {chunk.last_row}"
            join = f"LEFT JOIN (FROM {known} WHERE {rows}) k USING (row)" if known else ""
            more = ", k.* EXCLUDE (row)" if known else ""
            changed = (
                f"SELECT s.row AS row, {chosen}, {why} AS problem{more}"
                f" FROM {chunk.sent_rows()} s {join}"
            )
            cursor.execute(
                f"CREATE TEMP TABLE again AS SELECT row, {', '.join(names)},"
                f" coalesce(problem, {then}) AS problem FROM ({changed})"
            )
            unchanged = f"problem = {literal(UNCHANGED)}"
            problems = f"SELECT row, problem FROM again WHERE problem <> {literal(UNCHANGED)}"
            if chunk.problems:
                problems += f" UNION ALL SELECT row, problem FROM {chunk.rejected_rows()}"
            cursor.execute(f"CREATE TEMP TABLE rejected AS {problems}")
            # A record of one blank cell must not be an empty line.
            values = ", ".join(names) if len(names) > 1 else f"coalesce({names[0]}, '')"
            sent = f"SELECT {values} FROM again WHERE problem IS NULL ORDER BY row"
            chunk.sent_file.unlink()  # it may be the file of what was read under another name
            cursor.execute(copy_csv(sent, chunk.sent_file, header=False))
            quote_leading_mark(chunk.sent_file)
            code = f"split_part(problem, {literal(BETWEEN_MEMBERS)}, 1)"
            skips = f"{code} IN ({', '.join(map(literal, SKIPPED))})"
            counts = f"SELECT count(*), count(*) FILTER ({skips}) FROM rejected"
            listed, skipped = cursor.execute(counts).fetchall()[0]
            left_out = f"SELECT count(*) FROM again WHERE {unchanged}"
            same = chunk.unchanged + int(cursor.execute(left_out).fetchall()[0][0])
            place = f"row - {chunk.first_row - 1} AS place"
            if listed:
                rows = f"SELECT {place}, problem FROM rejected ORDER BY place"
                cursor.execute(copy_csv(rows, chunk.rejected_file, header=False))
            if same:
                rows = f"SELECT {place} FROM again WHERE problem IS NULL ORDER BY place"
                cursor.execute(copy_csv(rows, chunk.kept_file, header=False))
        counted = {"rejected": listed + same, "skipped": skipped, "unchanged": same}
        size = chunk.sent_file.stat().st_size
        return replace(chunk, **counted, width=len(names), sent_bytes=size)

    staging.chunks = tuple(parallel_map(rewrite, staging.chunks))


def leave_out_unchanged(staging: StagedRows, unchanged: str) -> None:
    """Take rows that change nothing out of the rows to send, without looking at their cells.

    Args:
        staging: The rows, mapped.
        unchanged: SQL of a relation of these rows: `row`, each once.

    Raises:
        StateError: The rows cannot be stored.
    """

    def shorten(chunk: RowChunk) -> RowChunk:
        if not chunk.sendable:
            return chunk
        with storage_errors("Rows cannot be stored"), staging.database.cursor() as cursor:
            rows = f"row BETWEEN {chunk.first_row} AND {chunk.last_row}"
            cursor.execute(f"CREATE TEMP TABLE same AS SELECT row FROM {unchanged} WHERE {rows}")
            others = f"FROM {chunk.sent_numbers()} ANTI JOIN same USING (row)"
            query = f"SELECT place - 1, row - {chunk.first_row - 1} {others} ORDER BY place"
            kept = cursor.execute(query).fetchall()
        same = chunk.sendable - len(kept)
        if not same:
            return chunk
        records = records_of(chunk.sent_file.read_bytes(), chunk.sendable)
        try:
            chunk.sent_file.unlink()  # it may be the file of what was read under another name
            chunk.sent_file.write_bytes(b"".join([records[at] + b"\n" for at, _ in kept]))
            quote_leading_mark(chunk.sent_file)
            chunk.kept_file.write_text("".join(f"{place}\n" for _, place in kept))
        except OSError as error:
            raise unwritable(chunk.sent_file, error) from error
        return replace(
            chunk,
            rejected=chunk.rejected + same,
            unchanged=chunk.unchanged + same,
            sent_bytes=chunk.sent_file.stat().st_size,
        )

    staging.chunks = tuple(parallel_map(shorten, staging.chunks))

"""Staged rows written again: with other cells, or without some rows.

Knows chunks. Knows nothing of why rows change.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from msgspec.structs import replace

from runner.parallel import parallel_map
from runner.tables.database import storage_errors
from runner.tables.sql import copy_csv, literal, quote_leading_mark
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.problems import BETWEEN_MEMBERS, NO_PROBLEM, SKIPPED, UNCHANGED
from runner.tables.staging.rows import StagedRows


def rewrite_chunks(  # noqa: PLR0913 - what changes, and where
    staging: StagedRows,
    cells: Mapping[str, str],
    why: str = NO_PROBLEM,
    *,
    then: str = NO_PROBLEM,
    known: str | None = None,
    unchanged: str = "",
    only: Container[int] | None = None,
) -> None:
    """Write the rows to send again with other cells, and without rows that have a problem.

    Args:
        staging: The rows, mapped.
        cells: SQL of cells that change, over a row `s` and what is known of it.
        why: SQL of a row's problem, over the same; NULL if it has none.
        then: SQL of another problem, over the cells as they are now and what is known of the row.
        known: A table of what is known of rows: `row`, each once, and other columns.
        unchanged: SQL of a relation of rows that are known to change nothing: they are not sent.
        only: First rows of the chunks that change; None: all.

    Raises:
        StateError: The rows cannot be stored.
    """
    names = [each.cell for each in staging.mappings]
    chosen = ", ".join(f"{cells.get(each, f's.{each}')} AS {each}" for each in names)

    def rewrite(chunk: RowChunk) -> RowChunk:
        if not chunk.sendable or (only is not None and chunk.first_row not in only):
            return chunk
        with storage_errors("Rows cannot be stored"), staging.database.cursor() as cursor:
            rows = f"row BETWEEN {chunk.first_row} AND {chunk.last_row}"
            join = f"LEFT JOIN (FROM {known} WHERE {rows}) k USING (row)" if known else ""
            more = ", k.* EXCLUDE (row)" if known else ""
            sent = chunk.sent_rows()
            if unchanged:
                same = f"CREATE TEMP TABLE same AS SELECT row FROM {unchanged} WHERE {rows}"
                cursor.execute(same)
                sent = f"(FROM {sent} ANTI JOIN same USING (row))"
            changed = f"SELECT s.row AS row, {chosen}, {why} AS problem{more} FROM {sent} s {join}"
            cursor.execute(
                f"CREATE TEMP TABLE again AS SELECT row, {', '.join(names)},"
                f" coalesce(problem, {then}) AS problem FROM ({changed})"
            )
            problems = "SELECT row, problem FROM again WHERE problem IS NOT NULL"
            if unchanged:
                problems += f" UNION ALL SELECT row, {literal(UNCHANGED)} FROM same"
            if chunk.rejected:
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
            same = f"problem = {literal(UNCHANGED)}"
            counts = f"count(*), count(*) FILTER ({skips}), count(*) FILTER ({same})"
            found = cursor.execute(f"SELECT {counts} FROM rejected").fetchall()[0]
            rejected, skipped, left_out = found
            if rejected:
                place = f"row - {chunk.first_row - 1}"
                listed = f"SELECT {place} AS place, problem FROM rejected ORDER BY place"
                cursor.execute(copy_csv(listed, chunk.rejected_file, header=False))
        sent_bytes = chunk.sent_file.stat().st_size
        counted = {"rejected": rejected, "skipped": skipped, "unchanged": left_out}
        return replace(chunk, **counted, sent_bytes=sent_bytes)

    staging.chunks = tuple(parallel_map(rewrite, staging.chunks))

"""Levels of rows that name other rows of the same source as their parents: parents come first.

A row whose parent is not among the rows to send is in the first level, with those that name none.
Rows that are below themselves have no level and cannot be sent. Knows staged rows and keys. Knows
nothing of how a level is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from runner.files import unwritable
from runner.job.endpoints import EXPLICIT_NULL
from runner.tables.database import storage_errors
from runner.tables.field_types import FieldKind
from runner.tables.plain_csv import records_of
from runner.tables.sql import literal, quote_leading_mark
from runner.tables.staging.canonical_values import same_key
from runner.tables.staging.chunk import RowChunk, sent_between
from runner.tables.staging.problems import BETWEEN_PROBLEMS, problem, shown
from runner.tables.staging.rewrite import rewrite_chunks
from runner.tables.staging.rows import StagedRows

CIRCULAR_PARENTS = "CIRCULAR_PARENTS"
_FAILURE = "Rows cannot be put into the order of their parents"


class OwnParents(Struct, frozen=True):
    """How rows name others of the same source."""

    key: str
    """The field by which a row is named."""
    kind: FieldKind
    tells_case: bool
    columns: tuple[str, ...]
    """Relationship columns that hold such names."""


def number_levels(staging: StagedRows, parents: OwnParents) -> int:
    """Give each row to send its level, in the relation `levels`: `row`, `level` from 0.

    Rows that are below themselves are left in the relation `circular`, one of them for each.

    Returns:
        How many levels there are.

    Raises:
        StateError: The rows cannot be read.
    """
    cells = {each.column.field: each.cell for each in staging.mappings}
    names = [f"p{at}" for at in range(len(parents.columns))]
    same = [
        f"{_same(parents, cells[column])} AS {name}"
        for column, name in zip(parents.columns, names, strict=True)
    ]
    rows = sent_between(staging.chunks, 1, staging.rows_total)
    connection = staging.database.connection
    with storage_errors(_FAILURE):
        connection.execute(
            f"CREATE OR REPLACE TABLE waiting AS SELECT row, {_same(parents, cells[parents.key])}"
            f" AS k, {', '.join(same)} FROM {rows}"
        )
        connection.execute("CREATE OR REPLACE TABLE levels (row BIGINT, level INTEGER)")
        connection.execute("CREATE OR REPLACE TABLE circular AS FROM waiting LIMIT 0")
        waits = " OR ".join(f"coalesce({each} IN (SELECT k FROM waiting), false)" for each in names)
        count = 0
        while True:
            ready = f"SELECT row, {count} FROM waiting WHERE NOT ({waits})"
            added = connection.execute(f"INSERT INTO levels {ready}").fetchall()[0][0]
            if added:
                done = f"SELECT row FROM levels WHERE level = {count}"
                connection.execute(f"DELETE FROM waiting WHERE row IN ({done})")
                count += 1
            elif connection.execute("SELECT 1 FROM waiting LIMIT 1").fetchall():
                _take_out_circles(staging, names)
            else:
                return count


def level_sizes(staging: StagedRows) -> list[int]:
    """How many rows each level has; after `number_levels`."""
    counted = "SELECT count(*) FROM levels GROUP BY level ORDER BY level"
    with storage_errors(_FAILURE):
        found = staging.database.connection.execute(counted).fetchall()
    return [int(rows) for (rows,) in found]


def reject_circles(staging: StagedRows, parents: OwnParents) -> None:
    """Leave rows out of those to send that are below themselves; after `number_levels`.

    Raises:
        StateError: The rows cannot be stored.
    """
    cells = {each.column.field: each.cell for each in staging.mappings}
    connection = staging.database.connection
    with storage_errors(_FAILURE):
        if not connection.execute("SELECT 1 FROM circular LIMIT 1").fetchall():
            return
        found = ", ".join(
            f"(SELECT min(o.row) FROM circular o WHERE o.k = c.p{at}) AS parent{at}"
            for at in range(len(parents.columns))
        )
        connection.execute(
            f"CREATE OR REPLACE TABLE below AS SELECT c.row, {found} FROM circular c"
        )
    problems = []
    for at, column in enumerate(parents.columns):
        start = f"{literal(f'{column}: ')} || '''' || {shown(f's.{cells[column]}')} || ''''"
        same = "' is this row itself'"
        other = f"' is row ' || k.parent{at} || ', which is below this row'"
        why = f"{start} || CASE WHEN k.parent{at} = s.row THEN {same} ELSE {other} END"
        found = problem(column, CIRCULAR_PARENTS, why)
        problems.append(f"CASE WHEN k.parent{at} IS NOT NULL THEN {found} END")
    joined = f"concat_ws({literal(BETWEEN_PROBLEMS)}, {', '.join(problems)})"
    rewrite_chunks(staging, {}, f"nullif({joined}, '')", known="below")


def rows_of_level(staging: StagedRows, level: int) -> Iterator[RowChunk]:
    """The chunks of a level's rows: the same rows and numbers, of which only these are sent.

    Raises:
        StateError: They cannot be stored.
    """
    for chunk in (each for each in staging.chunks if each.sendable):
        query = (
            f"SELECT place - 1, row - {chunk.first_row - 1} FROM {chunk.sent_numbers()}"
            f" JOIN levels USING (row) WHERE level = {level} ORDER BY place"
        )
        with storage_errors(_FAILURE), staging.database.cursor() as cursor:
            kept = cursor.execute(query).fetchall()
        if not kept:
            continue
        others = chunk.rows - len(kept)
        stem = chunk.stem.with_name(f"level-{level}-{chunk.stem.name}")
        own = replace(chunk, stem=stem, rejected=others, unchanged=others, skipped=0)
        records = records_of(chunk.sent_file.read_bytes(), chunk.sendable)
        try:
            own.sent_file.write_bytes(b"".join([records[at] + b"\n" for at, _ in kept]))
            quote_leading_mark(own.sent_file)
            own.kept_file.write_text("".join(f"{place}\n" for _, place in kept))
        except OSError as error:
            raise unwritable(own.sent_file, error) from error
        size = own.sent_file.stat().st_size
        staging.disk.add(size)
        yield replace(own, sent_bytes=size)


def _take_out_circles(staging: StagedRows, names: Sequence[str]) -> None:
    """Move rows that are below themselves from `waiting` to `circular`."""
    connection = staging.database.connection
    connection.execute("CREATE OR REPLACE TEMP TABLE core AS FROM waiting")
    named = " UNION ".join(f"SELECT {each} FROM core WHERE {each} IS NOT NULL" for each in names)
    while connection.execute(f"DELETE FROM core WHERE k IS NULL OR k NOT IN ({named})").fetchall()[
        0
    ][0]:
        pass  # rows that no other one names are below a circle, not in it
    connection.execute("INSERT INTO circular FROM core")
    connection.execute("DELETE FROM waiting WHERE row IN (SELECT row FROM core)")


def _same(parents: OwnParents, cell: str) -> str:
    """SQL of a text that equal keys have in common; NULL for blank."""
    given = f"nullif({cell}, {literal(EXPLICIT_NULL)})"
    same = same_key(parents.kind, given, tells_case=parents.tells_case)
    return f"nullif({same}, '')"

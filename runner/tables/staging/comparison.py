"""What a write would change: staged rows beside the records that they touch.

After `RecordLookup` has asked the org, the staging's database has the table

    known(row, id, records, h0, h1, …)

with a row for each staged row whose record exists: the record's Id, how many records have its key,
and what it holds now, by `held_cell`, its SystemModstamp included. `changes` gives the rows to send
beside it, and the cells that would change: before a rewrite and after it, so a plan reads it, too:

    row, id, records    id is NULL: the row creates a record
    c0, c1, …           what would be sent; NULL where nothing would change
    h0, h1, …           what the record holds now

Rows that are not sent are in the chunks (`rejected_rows`): their code is UNCHANGED, one of SKIPPED,
or that of a failure. Knows staged rows and the rules of equality. Knows nothing of how the org is
asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from runner.tables.database import storage_errors
from runner.tables.field_types import EXPLICIT_NULL
from runner.tables.sql import literal
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.equality import HeldField, is_held
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.problems import UNCHANGED, problem
from runner.tables.staging.rows import StagedRows

KNOWN = "known"
"""The table."""
LAST_CHANGED = "SystemModstamp"
"""Field with the moment at which the record was last changed, by anybody."""


class Tally(Struct, frozen=True):
    """Rows to send, by what they would do, and cells."""

    creates: int = 0
    updates: int = 0
    unchanged: int = 0
    """Rows that are sent although they change nothing."""
    clears: int = 0
    """Cells of updates that would empty their field."""


class Comparison:
    """The cells of a write beside what records hold."""

    def __init__(
        self,
        mappings: Sequence[ColumnMapping],
        key: ColumnMapping,
        fields: Sequence[HeldField] | None,
    ) -> None:
        """Compare nothing yet.

        Args:
            mappings: The columns to send.
            key: The one that identifies the record; it is sent in any case.
            fields: What can be compared; None if nothing is read. In the order of `h0, h1, …`.
        """
        self._key = key.cell
        self._cells = [each.cell for each in mappings if each.cell != key.cell]
        self._names = [each.cell for each in mappings]
        self._column_of = {each.cell: each.column.field for each in mappings}
        self._fields = {each.column: each for each in fields or ()}
        self.held_cell = {path: f"h{at}" for at, path in enumerate(_paths(fields))}
        """Where `known` has each field, by its path in a query."""

    def changed_cells(self, cells: Mapping[str, str]) -> dict[str, str]:
        """SQL of each cell, over a row `s` and `known`: NULL where the record holds it already.

        Args:
            cells: SQL of cells that are not sent as they are.
        """
        return {cell: self._changed(cell, cells.get(cell, f"s.{cell}")) for cell in self._cells}

    @property
    def unchanged(self) -> str:
        """SQL of the problem of a row that changes nothing, over its changed cells and `known`."""
        blank = "".join(f" AND {cell} IS NULL" for cell in self._cells)
        return f"CASE WHEN records = 1{blank} THEN {problem('', UNCHANGED, literal(''))} END"

    def changes(self, chunk: RowChunk) -> str:
        """Write the relation of a chunk's rows to send, with the cells that change something."""
        changed = self.changed_cells({})
        cells = ", ".join(f"{changed.get(each, f's.{each}')} AS {each}" for each in self._names)
        rows = f"row BETWEEN {chunk.first_row} AND {chunk.last_row}"
        return (
            f"(SELECT s.row, {cells}, k.* EXCLUDE (row) FROM {chunk.sent_rows()} s"
            f" LEFT JOIN (FROM {KNOWN} WHERE {rows}) k USING (row))"
        )

    def tally(self, staging: StagedRows) -> Tally:
        """Count the rows to send by what they would do.

        Raises:
            StateError: They cannot be read.
        """
        null = literal(EXPLICIT_NULL)
        clears = " + ".join(f"CAST({each} = {null} AS INTEGER)" for each in self._cells) or "0"
        nulls = " + ".join(f"coalesce({each}, 0)" for each in clears.split(" + "))
        blank = "".join(f" AND {cell} IS NULL" for cell in self._cells)
        query = (
            "SELECT count(*) FILTER (id IS NULL), count(*) FILTER (id IS NOT NULL),"
            f" count(*) FILTER (records = 1{blank}),"
            f" coalesce(sum({nulls}) FILTER (id IS NOT NULL), 0) FROM "
        )
        total = [0, 0, 0, 0]
        with storage_errors("Rows cannot be compared"):
            for chunk in (each for each in staging.chunks if each.sendable):
                found = staging.database.connection.execute(query + self.changes(chunk))
                total = [a + int(b) for a, b in zip(total, found.fetchall()[0], strict=True)]
        creates, touched, unchanged, cleared = total
        return Tally(creates, touched - unchanged, unchanged, cleared)

    def _changed(self, cell: str, sent: str) -> str:
        field = self._fields.get(self._column_of[cell])
        if field is None:
            return sent
        lookup = self.held_cell[field.lookup] if field.lookup else None
        held = is_held(field, f"({sent})", self.held_cell[field.column], lookup)
        return f"CASE WHEN records = 1 AND {held} THEN NULL ELSE {sent} END"


def _paths(fields: Sequence[HeldField] | None) -> tuple[str, ...]:
    """What a query reads of each record to compare these fields."""
    if fields is None:
        return ()
    wanted = [path for each in fields for path in (each.column, each.lookup) if path]
    return tuple(dict.fromkeys((LAST_CHANGED, *wanted)))

"""What a write would change: staged rows beside the records that they touch.

After `RecordLookup` has asked the org, the staging's database has the relation

    known(row, id, records, held)

with a row for each staged row whose record exists: the record's Id, how many records have its key,
and what it holds now, SystemModstamp included; NULL if that is just what would be sent. `changes`
gives the rows to send beside it, and the cells that would change: before a rewrite and after it, so
a plan reads it, too:

    row, id, records    id is NULL: the row creates a record
    c0, c1, …           what would be sent; NULL where nothing would change
    held                what the record holds: `held_cell` says which element is which field

Rows that are not sent are in the chunks (`rejected_rows`): their code is UNCHANGED, one of SKIPPED,
or that of a failure. Knows staged rows and the rules of equality. Knows nothing of how the org is
asked.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.job.endpoints import EXPLICIT_NULL
from runner.tables.database import storage_errors
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.equality import HeldField, is_held, plain
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.problems import UNCHANGED

if TYPE_CHECKING:
    from runner.tables.staging.rows import StagedRows

UNCHANGED_FILE = "unchanged.csv"
"""Rows that are not sent, because they change nothing."""
KNOWN = "known"
"""The relation."""
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
        also: Sequence[str] = (),
    ) -> None:
        """Compare nothing yet.

        Args:
            mappings: The columns to send.
            key: The one that identifies the record; it is sent in any case.
            fields: What can be compared; None if nothing is read.
            also: What else is read of each record.
        """
        self._key = key.cell
        self._cells = [each.cell for each in mappings if each.cell != key.cell]
        self._names = [each.cell for each in mappings]
        self._column_of = {each.cell: each.column.field for each in mappings}
        self._fields = {each.column: each for each in fields or ()}
        self.paths = () if fields is None else _paths(fields, also)
        """What is read of each record."""
        self.held_cell = {path: f"held[{at}]" for at, path in enumerate(self.paths, 1)}
        """SQL of what `known` has of each field, by its path in a query."""

    def with_prints(self, rows: str, value_of: Mapping[str, str], *, sent: bool) -> str:
        """Write a relation with `p, q` added: the same for a row and a record that holds all of it.

        Two hashes of 64 bits, of all values one by one and of their texts in a row: rows that
        differ do not agree in both by chance.

        Args:
            rows: A relation, without brackets.
            value_of: SQL of the value of each path.
            sent: Whether these are cells to send, not what the record holds.
        """
        texts = [
            plain(each, value_of[each.column], sent=sent, lookup=value_of.get(each.lookup or ""))
            for each in self._fields.values()
        ]
        names = [f"n{at}" for at in range(len(texts))]
        if not names:
            return f"({rows})"
        listed = ", ".join(f"{text} AS {n}" for text, n in zip(texts, names, strict=True))
        together = ", ".join(names)
        hashes = f"hash({together}) AS p, hash(concat_ws(chr(31), {together})) AS q"
        return f"(SELECT * EXCLUDE ({together}), {hashes} FROM (SELECT *, {listed} FROM ({rows})))"

    def leaves_nothing(self, dropped: Collection[str]) -> bool:
        """Whether nothing of a row is sent whose prints agree, except the key.

        Args:
            dropped: Cells that are not sent anyway if the record exists.
        """
        compared = {cell for cell in self._cells if self._column_of[cell] in self._fields}
        return bool(self._fields) and not {*self._cells} - compared - {*dropped}

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
        return f"CASE WHEN records = 1{blank} THEN {literal(UNCHANGED)} END"

    def changes(self, chunk: RowChunk) -> str:
        """Write the relation of a chunk's rows to send, with the cells that change something."""
        changed = self.changed_cells({})
        cells = ", ".join(f"{changed.get(each, f's.{each}')} AS {each}" for each in self._names)
        rows = f"row BETWEEN {chunk.first_row} AND {chunk.last_row}"
        return (
            f"(SELECT s.row, {cells}, k.* EXCLUDE (row) FROM {chunk.sent_rows()} s"
            f" LEFT JOIN (FROM {KNOWN} WHERE {rows}) k USING (row))"
        )

    def save_unchanged(self, staging: StagedRows, file: Path) -> None:
        """Write `row` and `id` of the rows that are left out because they change nothing.

        Raises:
            StateError: They cannot be written.
        """
        pieces = [f"SELECT row, id FROM {KNOWN} WHERE false"]
        for chunk in (each for each in staging.chunks if each.unchanged):
            others = [chunk.sent_numbers(), *([chunk.rejected_rows()] if chunk.problems else [])]
            joins = "".join(f" ANTI JOIN {each} USING (row)" for each in others)
            rows = f"row BETWEEN {chunk.first_row} AND {chunk.last_row}"
            pieces.append(f"SELECT row, id FROM (FROM {KNOWN} WHERE {rows}){joins}")
        with storage_errors("Rows cannot be stored"):
            query = " UNION ALL ".join(pieces)
            staging.database.connection.execute(copy_csv(query, file, header=True))

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
        return f"CASE WHEN records = 1 AND (held IS NULL OR {held}) THEN NULL ELSE {sent} END"


def _paths(fields: Sequence[HeldField], also: Sequence[str]) -> tuple[str, ...]:
    """What a query reads of each record to compare these fields."""
    wanted = [path for each in fields for path in (each.column, each.lookup) if path]
    return tuple(dict.fromkeys((*also, *wanted)))

"""The parents that staged rows name: which of them do not exist.

Knows the rows to send and their cells. Knows nothing of how the org is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.job.endpoints import EXPLICIT_NULL
from runner.tables.database import storage_errors
from runner.tables.plans.placeholders import is_placeholder
from runner.tables.plans.refusals import ParentRule, missing_table
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import same_key
from runner.tables.staging.rows import StagedRows

_AT_ONCE = 2_000
"""Keys that are given out together."""
_FAILURE = "Parents cannot be looked up"


class ParentKeys:
    """The keys of one field's parents, each once."""

    paths: tuple[str, ...] = ()
    """What to read of each parent after its Id and its key."""

    def __init__(self, staging: StagedRows, cell: str, rule: ParentRule) -> None:
        """Collect the keys of the rows to send."""
        self._staging = staging
        self._rule = rule
        self._table = missing_table(cell)
        self._connection = staging.database.connection
        with storage_errors(_FAILURE):
            self._connection.execute(f"CREATE TABLE {self._table} (k VARCHAR, key VARCHAR)")
            for chunk in staging.chunks:
                if chunk.sendable:
                    same = self._same(cell)
                    self._connection.execute(
                        f"INSERT INTO {self._table} SELECT {same} AS k, any_value({cell})"
                        f" FROM {chunk.sent_rows()} WHERE {cell} != {literal(EXPLICIT_NULL)}"
                        f" AND NOT {is_placeholder(cell)}"
                        f" AND {self._same(cell)} NOT IN (SELECT k FROM {self._table}) GROUP BY 1"
                    )

    @property
    def count(self) -> int:
        """How many keys have no parent so far."""
        with storage_errors(_FAILURE):
            found = self._connection.execute(f"SELECT count(*) FROM {self._table}").fetchall()
        return int(found[0][0])

    @property
    def folder(self) -> Path:
        """Where the staged rows' files are."""
        return self._staging.folder

    def pages_of_keys(self) -> Iterator[list[str]]:
        """The keys, some thousand at a time."""
        with storage_errors(_FAILURE), self._staging.database.cursor() as cursor:
            # A copy, as keys that are found leave the table meanwhile.
            cursor.execute(f"CREATE TEMP TABLE asked AS SELECT key FROM {self._table}")
            cursor.execute("FROM asked")
            while some := cursor.fetchmany(_AT_ONCE):
                yield [key for (key,) in some]

    def add_file(self, file: Path, *, header: bool = True) -> None:
        """Take out the keys of records of a CSV file: Id, and key unless that is the Id."""
        columns = ("id",) if self._rule.key == "Id" else ("id", "key")
        with storage_errors(_FAILURE):
            with_rows(file, columns, self._found, header=header)

    def add_own(self, field: str) -> None:
        """Take out the keys of the rows themselves, if they fill the field that identifies them."""
        cells = [each.cell for each in self._staging.mappings if each.column.field == field]
        with storage_errors(_FAILURE):
            for cell in cells:
                for chunk in self._staging.chunks:
                    if chunk.sendable:
                        self._remove(cell, chunk.sent_rows())

    def add_planned(self, files: Iterable[Path]) -> None:
        """Take out the keys of records that earlier tasks create; files of Id and key."""
        with storage_errors(_FAILURE):
            for file in files:
                with_rows(file, ("id", "key"), self._planned)

    def _found(self, rows: str) -> None:
        self._remove("id" if self._rule.key == "Id" else "key", rows)

    def _planned(self, rows: str) -> None:
        self._remove("key", rows)

    def _remove(self, column: str, rows: str) -> None:
        found = f"SELECT {self._same(column)} FROM {rows}"
        self._connection.execute(f"DELETE FROM {self._table} WHERE k IN ({found})")

    def _same(self, key: str) -> str:
        return same_key(self._rule.kind, key, tells_case=self._rule.tells_case)

"""Which records the keys of staged rows mean, and what follows for the rows to send.

An update or delete by an external Id sends Ids instead of keys; a row whose key no record has, or
several have, is not sent. An upsert leaves fields that can only be set on creation out of rows
whose record exists. Knows staged rows and keys. Knows nothing of how the org is asked.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from runner.errors import UnexpectedAnswerError
from runner.files import unwritable
from runner.tables.database import storage_errors
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import same_key
from runner.tables.staging.chunk import sent_between
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.problems import NO_PROBLEM, problem, shown
from runner.tables.staging.rewrite import rewrite_chunks
from runner.tables.staging.rows import StagedRows

KEY_NOT_FOUND = "KEY_NOT_FOUND"
KEY_IS_AMBIGUOUS = "KEY_IS_AMBIGUOUS"
_AT_ONCE = 2_000
"""Keys that are given out together."""
_FAILURE = "Keys cannot be looked up"


class RecordLookup:
    """The keys of staged rows and the records that have them."""

    def __init__(self, staging: StagedRows, key: ColumnMapping, *, is_case_sensitive: bool) -> None:
        """Collect the keys.

        Args:
            staging: The rows, mapped; some of them are to be sent.
            key: The column of the key.
            is_case_sensitive: Whether the org tells `a1` and `A1` apart.
        """
        self._staging = staging
        self._key = key
        self._is_case_sensitive = is_case_sensitive
        self._connection = staging.database.connection
        sent = sent_between(staging.chunks, 1, staging.rows_total)
        with storage_errors(_FAILURE):
            self._connection.execute(
                f"CREATE TABLE wanted AS SELECT {self._same('key')} AS k, any_value(key) AS key"
                f" FROM (SELECT {key.cell} AS key FROM {sent}) GROUP BY k"
            )
            self._connection.execute("CREATE TABLE found (k VARCHAR, id VARCHAR)")
            (self.count,) = self._connection.execute("SELECT count(*) FROM wanted").fetchall()[0]

    def pages_of_keys(self) -> Iterator[list[str]]:
        """The keys, each once, some thousand at a time."""
        with storage_errors(_FAILURE), self._staging.database.cursor() as cursor:
            cursor.execute("SELECT key FROM wanted")
            while some := cursor.fetchmany(_AT_ONCE):
                yield [key for (key,) in some]

    def add(self, records: Iterable[tuple[str, str]]) -> None:
        """Add records that the org has found: Id and key of each."""
        file = self._staging.folder / "found.csv"
        try:
            with file.open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(records)
        except OSError as error:
            raise unwritable(file, error) from error
        self.add_file(file, header=False)
        file.unlink()

    def add_file(self, file: Path, *, header: bool = True) -> None:
        """Add records from a CSV file of Id and key; those that no row names are passed over.

        Raises:
            UnexpectedAnswerError: A record has no Id or no key.
        """
        blank = "SELECT count(*) FROM {} WHERE id IS NULL OR key IS NULL"
        record = f"(SELECT id, {self._same('key')} AS k FROM {{}})"
        insert = f"INSERT INTO found SELECT k, id FROM {record} SEMI JOIN wanted USING (k)"

        def add(rows: str) -> int:
            self._connection.execute(insert.format(rows))
            return int(self._connection.execute(blank.format(rows)).fetchall()[0][0])

        with storage_errors(_FAILURE):
            if without := with_rows(file, ("id", "key"), add, header=header):
                raise UnexpectedAnswerError(
                    f"{without:,} of the records found by {self._key.column.label} came without "
                    "their Id or key"
                )

    def send_ids(self, sobject: str) -> None:
        """Send the Ids of the records instead of the keys; rows without one record are rejected.

        Raises:
            StateError: The rows cannot be stored.
        """
        key, name = self._key, self._key.column.label
        value = f"'''' || {shown(f's.{key.cell}')} || ''''"
        none = f"{literal(f'{name}: no {sobject} has the key ')} || {value}"
        several = f"{literal(f'{name}: ')} || records || {literal(f' of {sobject} have the key ')}"
        why = (
            f"CASE WHEN id IS NULL THEN {problem(name, KEY_NOT_FOUND, none)}"
            f" WHEN records > 1 THEN {problem(name, KEY_IS_AMBIGUOUS, f'{several} || {value}')} END"
        )
        cells = {key.cell: "id"}
        self._rewrite(cells, why)
        self._staging.mappings = tuple(
            replace(each, column=each.column.as_sent) for each in self._staging.mappings
        )

    def leave_out(self, fields: Collection[str]) -> None:
        """Leave these fields out of the rows whose record exists.

        Raises:
            StateError: The rows cannot be stored.
        """
        self._rewrite(_only_where("id IS NULL", fields, self._staging.mappings))

    def _rewrite(self, cells: Mapping[str, str], why: str = NO_PROBLEM) -> None:
        staging = self._staging
        rows = sent_between(staging.chunks, 1, staging.rows_total)
        keys = f"SELECT row, {self._same(self._key.cell)} AS k FROM {rows}"
        records = "count(DISTINCT left(id, 15)) AS records"
        known = f"SELECT k, min(id) AS id, {records} FROM found GROUP BY k"
        with storage_errors(_FAILURE):
            # All rows at once: with each chunk, all the records would be gone through again.
            self._connection.execute(
                f"CREATE TABLE known AS SELECT row, id, records"
                f" FROM ({keys}) JOIN ({known}) USING (k)"
            )
            for table in ("wanted", "found"):
                self._connection.execute(f"DROP TABLE {table}")
        rewrite_chunks(staging, cells, why, known="known")

    def _same(self, key: str) -> str:
        return same_key(self._key.column.kind, key, tells_case=self._is_case_sensitive)


def leave_out_where_id(staging: StagedRows, fields: Collection[str]) -> None:
    """Leave fields out of the rows that have an Id: in an upsert by Id, their record exists.

    Raises:
        StateError: The rows cannot be stored.
    """
    key = next(each for each in staging.mappings if each.column.field == "Id")
    rewrite_chunks(staging, _only_where(f"s.{key.cell} IS NULL", fields, staging.mappings))


def _only_where(
    condition: str, fields: Collection[str], mappings: Sequence[ColumnMapping]
) -> dict[str, str]:
    """SQL of the cells of these fields: blank, and so not sent, unless the condition holds."""
    return {
        each.cell: f"CASE WHEN {condition} THEN s.{each.cell} END"
        for each in mappings
        if each.column.field in fields
    }

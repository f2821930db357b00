"""The records that the rows of a merge name: rows that contradict each other, and what is left.

Knows staged rows with a master and one or two losers. Knows nothing of how the org is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.job.merges import COLUMNS, LOSERS, MASTER
from runner.tables.database import storage_errors
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import literal
from runner.tables.staging.chunk import sent_between
from runner.tables.staging.problems import (
    BETWEEN_MEMBERS,
    BETWEEN_PROBLEMS,
    UNCHANGED,
    problem,
)
from runner.tables.staging.record_lookup import KEY_NOT_FOUND
from runner.tables.staging.rewrite import rewrite_chunks
from runner.tables.staging.rows import StagedRows

IS_DELETED = "ENTITY_IS_DELETED"
"""The org's own code: the reason is the same, on this machine or there."""
_AT_ONCE = 2_000
_TABLES = (
    "CREATE TABLE pair (row BIGINT, place INTEGER, master TEXT, m TEXT, loser TEXT, l TEXT)",
    "CREATE TABLE named (i VARCHAR, gone BOOLEAN, into_ VARCHAR)",
)
"""What rows name, and what the org has of it; an Id is compared by its first 15 characters."""
_FAILURE = "Rows of a merge cannot be read"


class NamedRecords:
    """The masters and losers of staged rows, and what the org says of them."""

    def __init__(self, staging: StagedRows, sobject: str) -> None:
        """Collect the Ids.

        Args:
            staging: The rows, mapped.
            sobject: The object of the records.
        """
        self._staging = staging
        self._sobject = sobject
        self._connection = staging.database.connection
        self._cells = {each.column.field: each.cell for each in staging.mappings}
        master = self._cells[MASTER]
        with storage_errors(_FAILURE):
            for table in _TABLES:
                self._connection.execute(table)
            for chunk in (each for each in staging.chunks if each.sendable):
                for place, loser in enumerate(self._losers):
                    self._connection.execute(
                        f"INSERT INTO pair SELECT row, {place}, {master}, left({master}, 15),"
                        f" {loser}, left({loser}, 15) FROM {chunk.sent_rows()}"
                        f" WHERE {loser} IS NOT NULL"
                    )

    @property
    def folder(self) -> Path:
        """For a file of records."""
        return self._staging.folder

    @property
    def _losers(self) -> list[str]:
        return [self._cells[each] for each in LOSERS if each in self._cells]

    def refused(self, most: int) -> list[tuple[int, str]]:
        """The first rows with which nothing should be merged: number, and why.

        Those with a blank or wrong Id, and those that contradict another row.

        Raises:
            StateError: They cannot be read.
        """
        pair = (
            "SELECT *, row_number() OVER (PARTITION BY l ORDER BY row, place) AS nth,"
            " min(row) OVER (PARTITION BY l) AS first FROM pair"
        )
        masters = "SELECT m, min(row) AS other FROM pair GROUP BY m"
        why = (
            "CASE WHEN p.l = p.m THEN ' is its own master'"
            " WHEN other IS NOT NULL THEN format(' is the master of row {:,}', other)"
            " WHEN first < row THEN format(' is already the loser of row {:,}', first)"
            " WHEN nth > 1 THEN ' is named twice' END"
        )
        named = f"SELECT row, 'the loser ' || loser || {why} AS why FROM ({pair}) p"
        queries = [f"{named} LEFT JOIN ({masters}) o ON o.m = p.l"]
        columns = ", ".join(map(literal, COLUMNS))
        for chunk in (each for each in self._staging.chunks if each.problems):
            each = f"unnest(string_split(problem, {literal(BETWEEN_PROBLEMS)})) AS p"
            member = f"split_part(p, {literal(BETWEEN_MEMBERS)}, {{}})"
            queries.append(
                f"SELECT row, {member.format(3)} AS why FROM (SELECT row, {each} FROM"
                f" {chunk.rejected_rows()}) WHERE {member.format(2)} IN ({columns})"
            )
        query = f"FROM ({' UNION ALL '.join(queries)}) WHERE why IS NOT NULL"
        with storage_errors(_FAILURE):
            found = self._connection.execute(f"{query} ORDER BY row LIMIT {most}").fetchall()
        return [(int(row), str(why)) for row, why in found]

    def pages_of_ids(self) -> Iterator[list[str]]:
        """All Ids, each once, some thousand at a time."""
        ids = "SELECT m AS i, master AS id FROM pair UNION ALL SELECT l, loser FROM pair"
        with storage_errors(_FAILURE), self._staging.database.cursor() as cursor:
            cursor.execute(f"SELECT any_value(id) FROM ({ids}) GROUP BY i")
            while some := cursor.fetchmany(_AT_ONCE):
                yield [record_id for (record_id,) in some]

    def add_file(self, file: Path, *, header: bool = True) -> None:
        """Add records of a CSV file: Id, whether it is deleted, into which it was merged."""

        def add(rows: str) -> None:
            found = f"SELECT left(id, 15), gone = 'true', master FROM {rows}"
            self._connection.execute(f"INSERT INTO named {found}")

        with storage_errors(_FAILURE):
            with_rows(file, ("id", "gone", "master"), add, header=header)

    def apply(self) -> None:
        """Leave out rows whose records are merged already, or are not there to be merged.

        Raises:
            StateError: The rows cannot be stored.
        """
        is_merged = "coalesce(l.gone AND left(l.into_, 15) = p.m, false)"
        why = (
            f"CASE WHEN {is_merged} THEN NULL {self._absent(MASTER, 'm')}"
            f" {self._absent(LOSERS[0], 'l')} END"
        )
        joined = "pair p LEFT JOIN named m ON m.i = p.m LEFT JOIN named l ON l.i = p.l"
        with storage_errors(_FAILURE):
            self._connection.execute(
                "CREATE TABLE merging AS"
                f" SELECT row, bool_and({is_merged}) AS is_merged, arg_min({why}, place) AS why,"
                f" bool_or(place = 0 AND {is_merged}) AS without_0,"
                f" bool_or(place = 1 AND {is_merged}) AS without_1 FROM {joined} GROUP BY row"
            )
            different = "SELECT 1 FROM merging WHERE why IS NOT NULL OR without_0 OR without_1"
            if not self._connection.execute(f"{different} LIMIT 1").fetchall():
                return
        cells = {}
        if len(self._losers) > 1:
            first, second = self._losers
            cells[first] = f"CASE WHEN without_0 THEN s.{second} ELSE s.{first} END"
            cells[second] = f"CASE WHEN without_0 OR without_1 THEN NULL ELSE s.{second} END"
        found = f"CASE WHEN is_merged THEN {literal(UNCHANGED)} ELSE why END"
        rewrite_chunks(self._staging, cells, found, known="merging")

    def _absent(self, name: str, alias: str) -> str:
        """SQL of why a record is not there to be merged, as cases."""
        column = "master" if alias == "m" else "loser"
        start = f"{literal(f'{name}: ')} || {column}"
        none = problem(
            name,
            KEY_NOT_FOUND,
            f"{literal(f'{name}: no {self._sobject} has the Id ')} || {column}",
        )
        into = problem(name, IS_DELETED, f"{start} || ' has been merged into ' || {alias}.into_")
        gone = problem(name, IS_DELETED, f"{start} || ' has been deleted'")
        return (
            f"WHEN {alias}.i IS NULL THEN {none}"
            f" WHEN {alias}.gone AND {alias}.into_ IS NOT NULL THEN {into}"
            f" WHEN {alias}.gone THEN {gone}"
        )


def losers_to_send(staging: StagedRows) -> int:
    """How many records the rows to send would delete.

    Raises:
        StateError: The rows cannot be read.
    """
    cells = [each.cell for each in staging.mappings if each.column.field in LOSERS]
    if not cells or staging.rows_total == staging.rejected_total:
        return 0
    sent = sent_between(staging.chunks, 1, staging.rows_total)
    counted = " + ".join(f"count({cell})" for cell in cells)
    with storage_errors(_FAILURE):
        found = staging.database.connection.execute(f"SELECT {counted} FROM {sent}").fetchall()
    return int(found[0][0])

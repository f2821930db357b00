"""What became of every row of a write: gathered, counted, written beside the source's columns.

Every row of the source ends in exactly one of four: succeeded, failed (by the org, or here before
it was sent), in doubt (sent, its answer lost), unprocessed. Knows staged rows and results. Knows
nothing of how a result was had.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import BinaryIO

from runner.files import atomic_write, unwritable
from runner.job.model import Verb
from runner.outcome import Counts, RowResult, RowStatus
from runner.parallel import parallel_map
from runner.tables.database import state_errors
from runner.tables.results.bulk_results import ENDINGS, PartResults, ResultFiles
from runner.tables.sources.csv import RESULT_PREFIX
from runner.tables.sql import CsvDialect, copy_csv, literal, read_csv
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.mapping import BETWEEN_MEMBERS, BETWEEN_PROBLEMS
from runner.tables.staging.parts import Part, header_line
from runner.tables.staging.rows import StagedRows

_TABLE = (
    "CREATE TABLE outcome (row BIGINT, status ending, id VARCHAR, created BOOLEAN,"
    " code VARCHAR, message VARCHAR, fields VARCHAR)"
)
_NAMES = ("row", "status", "id", "created", "code", "message", "fields")
_LONGEST_BYTES = 4_000_000
_KEPT_IN_MEMORY = 5_000
_TOP_ERRORS = 5
_MATCHED_AT_ONCE = 2
"""Parts: each takes memory for all its answers."""

IN_DOUBT_FILE = f"{RowStatus.IN_DOUBT}.csv"
"""There only where rows are in doubt."""
_FAILED_COLUMNS = ("sf__Row", "sf__Id", "sf__Code", "sf__Message", "sf__Fields")
_SAID_OF = {
    RowStatus.SUCCEEDED: ("sf__Row", "sf__Id", "sf__Created"),
    RowStatus.FAILED: _FAILED_COLUMNS,
    RowStatus.UNPROCESSED: ("sf__Row",),
}
_FILE_COLUMNS = ("sf__File", "sf__FileRow")
"""Behind the row's number, where a source is many files."""


class RowResults:
    """The results of one staging's rows, as they come in."""

    def __init__(self, staging: StagedRows, *, verb: Verb | None = None) -> None:
        """Begin with the rows that the staging rejected as failed.

        Args:
            staging: Mapped already; not discarded before `write_files`.
            verb: Tells deleted from updated rows; without it both count as updated.
        """
        self._staging = staging
        self._verb = verb
        self._pending: list[RowResult] = []
        self._matching = BoundedSemaphore(_MATCHED_AT_ONCE)
        self._connection = staging.database.connection
        with state_errors("Row results cannot be kept"):
            self._connection.execute(ENDINGS)
            self._connection.execute(_TABLE)
            for chunk in staging.chunks:
                if chunk.rejected:
                    self._connection.execute(_rejections(chunk))

    def add(self, results: Sequence[RowResult]) -> None:
        """Take in results of single rows; one for each row at most."""
        self._pending.extend(r for r in results if r.status is not RowStatus.UNPROCESSED)
        if len(self._pending) >= _KEPT_IN_MEMORY:
            self._flush()

    def match(self, part: Part, files: ResultFiles) -> PartResults:
        """Find the row of every answer of an ingest job that has ended, for `add_part`.

        May be called by several threads at once.

        Raises:
            StateError: The files cannot be read.
        """
        told = f"The results of part {part.index} cannot be read"
        with self._matching, state_errors(told):
            found = PartResults(self._staging.database, self._staging.chunks, part)
            found.find(files, self._staging.mappings)
            return found

    def add_part(self, found: PartResults) -> None:
        """Take in what became of a part's rows.

        Raises:
            UnexpectedAnswerError: The files hold not exactly the part's rows. What could be
                matched is kept; rows without a result are in doubt.
        """
        with state_errors("Row results cannot be kept"):
            found.put_down()

    def add_in_doubt(self, part: Part) -> None:
        """Put down every row of a part as sent with its answer lost."""
        with state_errors("Row results cannot be kept"):
            found = PartResults(self._staging.database, self._staging.chunks, part)
            found.doubt("The ingest job was begun and its results could not be had.")
            found.put_down_as_it_is()

    def counts(self) -> Counts:
        """Count rows by where they ended."""
        self._flush()
        query = "SELECT status, created, count(*) FROM outcome GROUP BY ALL"
        with state_errors("Row results cannot be read"):
            found = self._connection.execute(query).fetchall()
        tally = dict.fromkeys(RowStatus, 0)
        created = 0
        for status, was_created, rows in found:
            tally[RowStatus(status)] += rows
            is_new = was_created or (was_created is None and self._verb is Verb.CREATE)
            created += rows if is_new and status == RowStatus.SUCCEEDED else 0
        others = tally[RowStatus.SUCCEEDED] - created
        others_by = {Verb.DELETE: "deleted", Verb.UNDELETE: "undeleted"}
        word = others_by.get(self._verb or Verb.UPDATE, "updated")
        settled = sum(tally.values()) - tally[RowStatus.UNPROCESSED]
        return Counts(
            read=self._staging.rows_total,
            created=created,
            updated=others if word == "updated" else 0,
            deleted=others if word == "deleted" else 0,
            undeleted=others if word == "undeleted" else 0,
            failed=tally[RowStatus.FAILED],
            in_doubt=tally[RowStatus.IN_DOUBT],
            unprocessed=self._staging.rows_total - settled,
        )

    def top_errors(self) -> tuple[tuple[str, str, int, int], ...]:
        """Give the commonest errors: code, message and number of the first such row, how many."""
        self._flush()
        query = (
            "SELECT code, arg_min(message, row), count(*) AS rows, min(row) FROM outcome"
            f" WHERE status IN ('{RowStatus.FAILED}', '{RowStatus.IN_DOUBT}')"
            f" GROUP BY code ORDER BY rows DESC, code LIMIT {_TOP_ERRORS}"
        )
        with state_errors("Row results cannot be read"):
            found = self._connection.execute(query).fetchall()
        return tuple((code or "", message or "", *numbers) for code, message, *numbers in found)

    def write_files(self, folder: Path) -> None:
        """Write succeeded.csv, failed.csv and unprocessed.csv; in_doubt.csv where there are any.

        Each has the source's own columns, then `sf__Row` and what the org said. Rows stand in
        the source's order. `failed.csv` can be a source as it is.

        Raises:
            StateError: A file cannot be written.
        """
        self._flush()
        counts = self.counts()
        (folder / IN_DOUBT_FILE).unlink(missing_ok=True)  # of a process that knew less
        said = {**_SAID_OF, RowStatus.IN_DOUBT: _FAILED_COLUMNS} if counts.in_doubt else _SAID_OF
        if self._staging.files:
            said = {status: (each[0], *_FILE_COLUMNS, *each[1:]) for status, each in said.items()}
        own = [
            (place, column)
            for place, column in enumerate(self._staging.source_columns)
            if not column.lower().startswith(RESULT_PREFIX)
        ]
        cells = {
            status: ", ".join([f"s{place}" for place, _ in own] + [_SAID[c] for c in columns])
            for status, columns in said.items()
        }
        with state_errors("Result files cannot be written"), ExitStack() as files:
            outs = {status: _result_file(folder, status, files) for status in said}
            for status, columns in said.items():
                outs[status].write(header_line([*(column for _, column in own), *columns]))
            rendered = partial(self._rendered, cells)
            for pieces in parallel_map(rendered, self._staging.chunks):
                self._staging.disk.grew(sum(piece.stat().st_size for piece in pieces.values()))
                for status, piece in pieces.items():
                    outs[status].write(piece.read_bytes())
                    piece.unlink()

    def _rendered(self, cells: Mapping[RowStatus, str], chunk: RowChunk) -> dict[RowStatus, Path]:
        """Write a chunk's rows as pieces of the result files."""
        numbers = f"(SELECT range AS row FROM range({chunk.first_row}, {chunk.last_row + 1}))"
        outcome = f"(FROM outcome WHERE row BETWEEN {chunk.first_row} AND {chunk.last_row})"
        own = f"(SELECT * EXCLUDE row FROM {chunk.source_rows(self._staging.source_columns)})"
        pieces = {}
        with self._staging.database.cursor() as cursor:
            cursor.execute(
                "CREATE TEMP TABLE ended AS"
                f" FROM (SELECT *{_of_files(self._staging.files, chunk)}"
                f" FROM {numbers} LEFT JOIN {outcome} USING (row)) POSITIONAL JOIN {own}"
            )
            present = cursor.execute("SELECT DISTINCT status FROM ended").fetchall()
            for status in {RowStatus(told or RowStatus.UNPROCESSED) for (told,) in present}:
                piece = self._staging.folder / f"{status}-{chunk.stem.name}.csv"
                query = f"SELECT {cells[status]} FROM ended WHERE {_is(status)}"
                cursor.execute(copy_csv(query, piece, header=False))
                pieces[status] = piece
        return pieces

    def _flush(self) -> None:
        """Bring what was added row by row into the database, through a file: its fast way."""
        if not self._pending:
            return
        file = self._staging.folder / "added.csv"
        try:
            with file.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
                writer.writerows(map(_cells, self._pending))
        except OSError as error:
            raise unwritable(file, error) from error
        read = read_csv(file, CsvDialect(_NAMES, _LONGEST_BYTES))
        with state_errors("Row results cannot be kept"):
            self._connection.execute(f"INSERT INTO outcome FROM {read}")
        file.unlink()
        self._pending.clear()


_SAID = {
    "sf__Row": "row",
    "sf__File": "file",
    "sf__FileRow": "file_row",
    "sf__Id": "id",
    "sf__Created": "created",
    "sf__Code": "code",
    "sf__Message": "message",
    "sf__Fields": "fields",
}


def _of_files(files: Sequence[tuple[int, str]], chunk: RowChunk) -> str:
    """SQL of the file that a row of a chunk is from, and of its number there."""
    if not files:
        return ""
    last = [each for each in files if each[0] <= chunk.first_row][-1:]
    inside = [*last, *(each for each in files if chunk.first_row < each[0] <= chunk.last_row)][::-1]
    names = " ".join(f"WHEN row >= {row} THEN {literal(file)}" for row, file in inside)
    numbers = " ".join(f"WHEN row >= {row} THEN row - {row - 1}" for row, _ in inside)
    return f", CASE {names} END AS file, CASE {numbers} END AS file_row"


def _cells(result: RowResult) -> tuple[object, ...]:
    fields = " ".join(result.fields)
    return (
        result.row,
        result.status.value,
        result.id,
        result.created,
        result.code,
        result.message,
        fields,
    )


def _is(status: RowStatus) -> str:
    known = f"status = {literal(status)}"
    return f"(status IS NULL OR {known})" if status is RowStatus.UNPROCESSED else known


def _result_file(folder: Path, status: RowStatus, files: ExitStack) -> BinaryIO:
    beside = files.enter_context(atomic_write(folder / f"{status}.csv"))
    return files.enter_context(beside.open("wb"))


def _rejections(chunk: RowChunk) -> str:
    problems = f"string_split(problem, {literal(BETWEEN_PROBLEMS)})"

    def member(place: int) -> str:
        return f"lambda p: split_part(p, {literal(BETWEEN_MEMBERS)}, {place})"

    return (
        f"INSERT INTO outcome SELECT row, {literal(RowStatus.FAILED)}, NULL, NULL,"
        f" split_part(problem, {literal(BETWEEN_MEMBERS)}, 1),"
        f" array_to_string(list_transform({problems}, {member(3)}), '; '),"
        f" array_to_string(list_distinct(list_transform({problems}, {member(2)})), ' ')"
        f" FROM {chunk.rejected_rows()}"
    )

"""What became of every row of a write: collected, counted, written next to the source's columns.

Every row of the source ends as exactly one of six: succeeded, failed (in the org, or here before
it was sent), in doubt (sent, but its answer was lost), unprocessed, skipped or unchanged (not sent,
as the job wants it). Knows staged rows and results.
Knows nothing of how a result was obtained.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from copy import copy
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, BinaryIO

from runner.files import SyncAhead, atomic_write, unwritable
from runner.job.model import Verb
from runner.outcome import Counts, RowResult, RowStatus
from runner.parallel import parallel_map
from runner.tables.database import storage_errors
from runner.tables.results.held_results import TOP_ERRORS, HeldResults, cells_of, keep_succeeded
from runner.tables.results.messages import without_values
from runner.tables.results.outcome_table import OutcomeTable
from runner.tables.results.pieces import (
    IN_DOUBT_FILE,
    SKIPPED_FILE,
    UNPROCESSED_FILE,
    PieceWriter,
    columns_added,
)
from runner.tables.results.succeeded_lines import SucceededLines
from runner.tables.sources.csv import REFERENCE_COLUMN, RESULT_PREFIX
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.parts import Part, header_line
from runner.tables.staging.problems import UNCHANGED
from runner.tables.staging.rows import StagedRows

if TYPE_CHECKING:
    from runner.tables import duckdb
    from runner.tables.results.bulk_results import PartResults, ResultFiles
    from runner.tables.staging.chunk import RowChunk
    from runner.tables.staging.retry_part import TemporaryRefusal

_COUNT_AGAIN = "INSERT INTO outcome FROM set_aside ANTI JOIN outcome USING (row)"
_NAMES = ("row", "status", "id", "created", "code", "message", "fields")
_WITH_REASONS = ", ".join(map(literal, (RowStatus.FAILED, RowStatus.IN_DOUBT, RowStatus.SKIPPED)))
_MAX_PARTS_MATCHED = 2
"""At the same time: each takes memory for all its results."""

_NEEDS_NO_QUOTES = re.compile(r"[\w./-]*", re.ASCII)


class RowResults:
    """The results of one task's staged rows, as they arrive."""

    def __init__(self, staging: StagedRows, *, verb: Verb | None = None) -> None:
        """Start with the rows that were rejected in staging, which have failed.

        Args:
            staging: Mapped already; not discarded before `write_files`.
            verb: Distinguishes deleted from updated rows; without it all count as updated.
        """
        self._staging = staging
        self._verb = verb
        self._held = HeldResults(staging.folder / "held.results")
        self._matching = BoundedSemaphore(_MAX_PARTS_MATCHED)
        self._succeeded = SucceededLines(staging.folder / "succeeded.lines")
        self._table = OutcomeTable(staging)
        self._under_way: list[int] = []
        if staging.file_column is not None or any(chunk.rejected for chunk in staging.chunks):
            self.use_table()

    def of(self, staging: StagedRows) -> RowResults:
        """The same results, for parts of some of the rows."""
        view = copy(self)
        view._staging = staging  # noqa: SLF001 - of the same class
        return view

    def add(self, results: Sequence[RowResult]) -> None:
        """Add results of single rows, at most one for each row."""
        results = keep_succeeded(self._succeeded, results)
        self._held.add([each for each in results if each.status is not RowStatus.UNPROCESSED])

    def use_table(self) -> None:
        """Have the table `outcome`, for results that are not added one by one."""
        self._table.make()

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        self.use_table()
        return self._staging.database.connection

    def add_query(self, query: str) -> None:
        """Add the results that a query gives: row, status, Id, created, code, message, fields."""
        with storage_errors("Row results cannot be saved"):
            self._connection.execute(f"INSERT INTO outcome {query}")

    def match(self, part: Part, files: ResultFiles, job_id: str) -> PartResults:
        """Match the results of a finished ingest job to its part's rows, in any thread.

        Raises:
            StateError: The files cannot be read.
        """
        from runner.tables.results.bulk_results import PartResults

        failure = f"The result sets of ingest job {job_id} cannot be read"
        with self._matching, storage_errors(failure):
            matched = PartResults(self._table, self._succeeded, self._staging.chunks, part)
            matched.match(files, self._staging.mappings)
            return matched

    def add_part(self, matched: PartResults) -> None:
        """Add the results of a part's rows.

        Raises:
            UnexpectedAnswerError: The files do not contain exactly the part's rows. What could be
                matched is saved; rows without a result are in doubt.
        """
        with storage_errors("Row results cannot be saved"):
            matched.save()
        for each in matched.succeeded:
            self._succeeded.add(each)
            self._staging.disk.add(each.lines_size)
        self._held.add(matched.failed)

    def clear_retryable(self, part: Part, refusals: Sequence[TemporaryRefusal]) -> int:
        """Set the outcome of rows of a part aside that are to be sent again; return how many."""
        may_be = self._held.has_code({code for each in refusals for code in each.codes})
        if not (self._table.is_made or part.attempt or may_be):
            return 0
        from runner.tables.staging.retry_part import clear_retryable

        self.use_table()
        self._flush()
        again = clear_retryable(self._staging, part, refusals)
        if again or part.attempt:
            self._put_into_table(part.first_row, part.last_row)
        return again

    def add_in_doubt(self, part: Part) -> None:
        """Add every row of a part as sent with its answer lost."""
        from runner.tables.results.bulk_results import PartResults

        with storage_errors("Row results cannot be saved"):
            results = PartResults(self._table, self._succeeded, self._staging.chunks, part)
            results.mark_in_doubt()

    def add_under_way(self, part: Part) -> None:
        """Count the rows of a part as in doubt; they are in no file, for a resume asks the org."""
        if part.attempt:  # of few rows, some of which may have an outcome
            self.add_in_doubt(part)
        else:
            self._under_way.append(part.rows)

    def counts(self) -> Counts:
        """Count rows by how they ended; a row that was not sent again ended as it did before."""
        tally = dict.fromkeys(RowStatus, 0)
        created = 0
        for status, was_created, rows in self._endings():
            tally[RowStatus(status)] += rows
            is_new = was_created or (was_created is None and self._verb is Verb.CREATE)
            created += rows if is_new and status == RowStatus.SUCCEEDED else 0
        tally[RowStatus.SUCCEEDED] += self._succeeded.created + self._succeeded.updated
        tally[RowStatus.IN_DOUBT] += sum(self._under_way)
        created += self._succeeded.created
        others = tally[RowStatus.SUCCEEDED] - created
        others_by = {
            Verb.DELETE: "deleted",
            Verb.UNDELETE: "undeleted",
            Verb.MERGE: "merged",
        }
        word = others_by.get(self._verb or Verb.UPDATE, "updated")
        unchanged = self._staging.unchanged_total
        processed = sum(tally.values()) - tally[RowStatus.UNPROCESSED] + unchanged
        total = self._staging.rows_total
        return Counts(
            read=total,
            created=created,
            updated=others if word == "updated" else 0,
            deleted=others if word == "deleted" else 0,
            undeleted=others if word == "undeleted" else 0,
            merged=others if word == "merged" else 0,
            unchanged=unchanged,
            skipped=tally[RowStatus.SKIPPED],
            failed=tally[RowStatus.FAILED],
            in_doubt=tally[RowStatus.IN_DOUBT],
            unprocessed=total - processed,
            truncated=self._staging.truncated_total,
        )

    def _endings(self) -> Sequence[tuple[str, bool | None, int]]:
        """Statuses, whether records were created, and how many rows there are of each."""
        if not self._table.is_made:
            return [(*pair, rows) for pair, rows in self._held.endings.items()]
        self._flush()
        query = "SELECT status, created, count(*) FROM outcome GROUP BY ALL"
        with storage_errors("Row results cannot be read"):
            self._connection.execute(_COUNT_AGAIN)
            self._connection.execute("DELETE FROM set_aside")
            return self._connection.execute(query).fetchall()

    def top_errors(self) -> tuple[tuple[str, str, int, int], ...]:
        """Give the most frequent reasons: code, message of the first such row, count, its number.

        Rows have the same error if code, fields and message agree; values in messages do not count.
        """
        if not self._table.is_made:
            return self._held.top_errors()
        self._flush()
        query = (
            "SELECT code, arg_min(message, row), count(*) AS rows, min(row) FROM outcome"
            f" WHERE status IN ({_WITH_REASONS})"
            f" GROUP BY code, fields, {without_values('message')}"
            f" ORDER BY rows DESC, min(row) LIMIT {TOP_ERRORS}"
        )
        with storage_errors("Row results cannot be read"):
            found = self._connection.execute(query).fetchall()
        return tuple((code or "", message or "", *numbers) for code, message, *numbers in found)

    def write_files(
        self, folder: Path, passed: Path | None = None, *, known_only: bool = False
    ) -> Counts:
        """Write succeeded.csv, failed.csv and unprocessed.csv; in_doubt.csv if any are; count.

        Each has the source's own columns, then `sf__Row` and what the org said, in the source's
        order. `failed.csv` can be used as a source unchanged.

        Args:
            folder: Where to.
            passed: A CSV file of `row` and `id` of unchanged rows that are among the succeeded ones
                for other tasks; they are not counted there.
            known_only: Leave out rows of which nothing is known, which takes time for each of them.

        Raises:
            StateError: A file cannot be written.
        """
        counts = self.counts()
        for name in (IN_DOUBT_FILE, SKIPPED_FILE, UNPROCESSED_FILE):  # of a process that knew less
            (folder / name).unlink(missing_ok=True)
        added = columns_added(self._staging, counts, under_way=sum(self._under_way))
        chunks = self._staging.chunks
        if known_only:
            del added[RowStatus.UNPROCESSED]
            chunks = tuple(filter(self._has_results, chunks))
        own = [
            (place, column)
            for place, column in enumerate(self._staging.source_columns)
            if not column.lower().startswith(RESULT_PREFIX) or column == REFERENCE_COLUMN
        ]
        with storage_errors("Result files cannot be written"), ExitStack() as files:
            outs = {status: _result_file(folder, status, files) for status in added}
            ahead = {status: files.enter_context(SyncAhead(out)) for status, out in outs.items()}
            for status, columns in added.items():
                outs[status].write(header_line([*(column for _, column in own), *columns]))
            if passed is not None:
                with_rows(passed, ("row", "id"), self._pass)
            if len(chunks) > 1:
                from runner.tables.memory import return_free_memory

                return_free_memory()  # what the threads that sent have left
            writer = self._piece_writer([place for place, _ in own], added, passed)
            # Without DuckDB, a second thread is no gain that could be measured, and takes memory.
            threads = None if self._table.is_made else 1
            for pieces in parallel_map(writer.write, chunks, threads):
                for status in tuple(pieces):
                    before = outs[status].tell()
                    outs[status].writelines(pieces.pop(status))
                    ahead[status].grown()
                    self._staging.disk.add(outs[status].tell() - before)
            if passed is not None:
                self._connection.execute(f"DELETE FROM outcome WHERE code = {literal(UNCHANGED)}")
        return counts

    def _has_results(self, chunk: RowChunk) -> bool:
        """Whether anything is known of a chunk's rows."""
        first, last = chunk.first_row, chunk.last_row
        if self._succeeded.has_any(first, last):
            return True
        if not self._table.is_made:
            return self._held.has_any(first, last)
        self._flush()
        query = f"SELECT count(*) FROM outcome WHERE row BETWEEN {first} AND {last}"
        return bool(self._connection.execute(query).fetchall()[0][0])

    def save_ids(self, file: Path, *, only_created: bool) -> None:
        """Write the Ids of the records of rows that succeeded, 15 characters on each line.

        Raises:
            StateError: The file cannot be written.
        """
        self._flush()
        self._put_into_table(1, self._staging.rows_total)
        created = " AND created" if only_created else ""
        query = (
            "SELECT DISTINCT left(id, 15) AS i FROM outcome"
            f" WHERE status = {literal(RowStatus.SUCCEEDED)}{created} ORDER BY i"
        )
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(file, error) from error
        with storage_errors("Row results cannot be read"), atomic_write(file) as beside:
            self._connection.execute(copy_csv(query, beside, header=False))

    def _piece_writer(
        self,
        own: Sequence[int],
        added: Mapping[RowStatus, Sequence[str]],
        passed: Path | None,
    ) -> PieceWriter:
        staging = self._staging
        names = "".join(name for _, name in staging.files)
        whole = own and len(own) == len(staging.source_columns) and passed is None
        is_plain = whole and not self._held.has_null and _NEEDS_NO_QUOTES.fullmatch(names)
        if is_plain and not self._table.is_made:
            endings = partial(self._held.of, staging.files)
            return PieceWriter(staging, own, added, self._succeeded, endings)
        from runner.tables.results.table_endings import table_endings

        self.use_table()
        self._flush()
        if not own or staging.file_column is not None or not _NEEDS_NO_QUOTES.fullmatch(names):
            self._put_into_table(1, self._staging.rows_total)
        return PieceWriter(staging, own, added, self._succeeded, partial(table_endings, staging))

    def _put_into_table(self, first_row: int, last_row: int) -> None:
        """Move rows of results that came in order into the table `outcome`."""
        file = self._staging.folder / "moved.csv"
        with storage_errors("Row results cannot be saved"):
            for content in self._succeeded.take(first_row, last_row):
                try:
                    file.write_bytes(content)
                except OSError as error:
                    raise unwritable(file, error) from error
                with_rows(file, ("row", "id", "created"), self._insert_succeeded, header=False)
        file.unlink(missing_ok=True)

    def _insert_succeeded(self, rows: str) -> None:
        self._connection.execute(
            f"INSERT INTO outcome SELECT CAST(row AS BIGINT), {literal(RowStatus.SUCCEEDED)}, id,"
            f" CAST(created AS BOOLEAN), NULL, NULL, NULL FROM {rows}"
        )

    def _pass(self, rows: str) -> None:
        status, code = literal(RowStatus.SUCCEEDED), literal(UNCHANGED)
        self._connection.execute(
            f"INSERT INTO outcome SELECT CAST(row AS BIGINT), {status}, id, false, {code}, NULL,"
            f" NULL FROM {rows}"
        )

    def _flush(self) -> None:
        """Insert what was added row by row, through a file, which is faster."""
        if not self._held.endings:
            return
        file = self._staging.folder / "added.csv"
        try:
            with file.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
                writer.writerows(map(cells_of, self._held.every()))
        except OSError as error:
            raise unwritable(file, error) from error
        with storage_errors("Row results cannot be saved"):
            with_rows(file, _NAMES, self._insert, header=False)
        file.unlink()
        self._held.clear()

    def _insert(self, rows: str) -> None:
        self._connection.execute(f"INSERT INTO outcome FROM {rows}")


def _result_file(folder: Path, status: RowStatus, files: ExitStack) -> BinaryIO:
    beside = files.enter_context(atomic_write(folder / f"{status}.csv"))
    return files.enter_context(beside.open("wb"))

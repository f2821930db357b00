"""The result files of one ingest job, matched to the rows that it sent.

Bulk API 2.0 returns results in any order and without row numbers. Mostly each file has its rows in
the order in which they were sent, which takes comparing them one by one. If not, rows are found by
the key column if it is unique among them, else by their whole content; rows with the same content
are matched one to one. Values are compared as the org reads them, because it may echo `912260031`
as `9.12260031E8`. Knows SQL and the format of the files. Knows nothing of jobs.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import UnexpectedAnswerError
from runner.outcome import RowResult, RowStatus
from runner.redaction import MASK, secret_pattern
from runner.tables.results.failed_records import FailedRecord, few_failed
from runner.tables.results.fingerprints import DIGITS_OF_A_DOUBLE, Way
from runner.tables.results.in_order import OWN_COLUMNS, SentRows, find_in_order
from runner.tables.results.outcome_table import STATUS_SQL, OutcomeTable
from runner.tables.results.quoted_records import LINE_FEED_IN_VALUE
from runner.tables.results.result_file import ResultFile
from runner.tables.results.succeeded_lines import Piece, SucceededLines
from runner.tables.sql import literal
from runner.tables.staging.chunk import RowChunk, sent_between
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.parts import Part

if TYPE_CHECKING:
    from runner.tables import duckdb

_SHOWN_ROWS = 10
_MISSING = "ANSWER_MISSING"
_IN_DOUBT = literal("The ingest job was started, but its results are not available.")
_NOT_LISTED = literal("The org's result files do not list this row, or not with its Id.")


class ResultFiles(Struct, frozen=True):
    """The downloaded results of one part; None or an empty file means no rows."""

    succeeded: Path | None
    failed: Path | None
    unprocessed: Path | None

    def present(self) -> list[tuple[RowStatus, Path]]:
        """Those that contain anything."""
        files = {
            RowStatus.SUCCEEDED: self.succeeded,
            RowStatus.FAILED: self.failed,
            RowStatus.UNPROCESSED: self.unprocessed,
        }
        return [(s, f) for s, f in files.items() if f is not None and f.stat().st_size]


class PartResults:
    """The results of one part's rows, in temporary tables of a cursor until they are saved.

    Any thread may match them. `save` is for the thread that owns the table `outcome`.
    """

    def __init__(
        self, table: OutcomeTable, lines: SucceededLines, chunks: Sequence[RowChunk], part: Part
    ) -> None:
        """Look at nothing yet.

        Args:
            table: It is made once it is needed.
            lines: Gets the lines of results that come in order, which count once they are added.
            chunks: The staged rows.
            part: Which of them were sent.
        """
        self._table = table
        self._lines = lines
        self._part = part
        rows = sent_between(chunks, part.first_row, part.last_row)
        self._rows = f"(FROM {rows} ANTI JOIN outcome USING (row))" if part.attempt else rows
        self._chunks = chunks
        self._unknown = self._missing = 0
        self._repeatable = self._is_in_memory = False
        self.succeeded: list[Piece] = []
        """Rows that are in no table; for `lines` once these results are saved."""
        self.failed: list[RowResult] = []
        """Rows that are in no table either, because they are few."""

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return self._table.open_cursor()

    def _close(self) -> None:
        if "_connection" in vars(self):
            self._connection.close()

    def match(self, files: ResultFiles, mappings: Sequence[ColumnMapping]) -> None:
        """Find the result of every row of the part, in order; rows without one are in doubt."""
        self._repeatable = any(each.column.required for each in mappings)
        results = [ResultFile(status, file) for status, file in files.present()]
        returned = {column for each in results for column in each.columns}
        content = [each for each in mappings if each.column.field.lower() in returned]
        if not results or not content:
            self._find_none(_NOT_LISTED)
            return
        if self._find_side_by_side(results, mappings):
            return
        key = [each for each in content if each.column.required]
        exact = Way(content, is_exact=True)
        ways = [Way(key, is_exact=True), Way(key), exact] if key else [exact]
        ways.append(Way(content))
        for each in ways:
            way = each if each.is_exact else self._telling_numbers_apart(each)
            self._read_sent(way)
            if each is ways[0]:
                self._read_answers(results, way)
                if self._find_in_order():
                    return
            rows, distinct = self._counts("SELECT count(*), count(DISTINCT k) FROM sent")
            if rows == distinct or each is ways[-1]:
                if each is not ways[0]:
                    self._read_answers(results, way)
                self._find(is_unique=rows == distinct)
                if self.fits or not way.is_exact:
                    return

    def _find_side_by_side(
        self, results: Sequence[ResultFile], mappings: Sequence[ColumnMapping]
    ) -> bool:
        """Find all results if they come as the rows were sent, without parsing those of success."""
        by_status = {each.status: each for each in results if not each.is_empty}
        succeeded = by_status.get(RowStatus.SUCCEEDED)
        failed = by_status.get(RowStatus.FAILED)
        if self._part.attempt or succeeded is None or RowStatus.UNPROCESSED in by_status:
            return False
        fields = [each.column.field.lower() for each in mappings]
        if succeeded.header != (*OWN_COLUMNS, *fields) or (failed and failed.size > succeeded.size):
            return False
        few: Sequence[FailedRecord] | None = ()
        others: list[bytes] = []
        if failed is not None:
            few = few_failed(failed.file, failed.header)
            others = self._read_failed(failed, mappings) if few is None else [f.sent for f in few]
        found = find_in_order(self._sent(), succeeded.file, others, self._lines)
        if found is None:
            return False
        self.succeeded = found.succeeded
        if few is not None:
            self._is_in_memory = True
            self.failed = list(map(_failed, found.others, few))
            return True
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE found AS SELECT row, {_SAID}"
            " FROM (SELECT unnest($rows) AS row) POSITIONAL JOIN answers",
            {"rows": found.others},
        )
        return True

    def _read_failed(self, failed: ResultFile, mappings: Sequence[ColumnMapping]) -> list[bytes]:
        """Make the table `answers` of failed rows; give these as `quoted_records` does."""
        self._read_answers([failed], Way(mappings, is_as_returned=True))
        texts = self._connection.execute("SELECT k FROM answers").fetchall()
        return [k.encode().replace(b"\n", LINE_FEED_IN_VALUE) for (k,) in texts]

    def _sent(self) -> Iterator[SentRows]:
        """The part's rows, chunk by chunk."""
        part = self._part
        for chunk in self._chunks:
            first, last = max(chunk.first_row, part.first_row), min(chunk.last_row, part.last_row)
            if first > last or not chunk.sendable:
                continue
            numbers: Sequence[int] = range(chunk.first_row, chunk.last_row + 1)
            if chunk.rejected:
                query = f"SELECT row FROM {chunk.sent_numbers()} ORDER BY place"
                numbers = [row for (row,) in self._connection.execute(query).fetchall()]
            start, end = bisect_left(numbers, first), bisect_right(numbers, last)
            if start < end:
                file, records = chunk.sent_file, chunk.sendable
                yield SentRows(first, last, numbers[start:end], file, records, start)

    def _find_in_order(self) -> bool:
        """Make the view `found` if the rows that succeeded come in the order they were sent in.

        The others, mostly few, are found by their fingerprints.
        """
        if self._part.attempt:  # sent in another order
            return False
        succeeded = f"status = {STATUS_SQL[RowStatus.SUCCEEDED]}"
        others = f"(FROM answers WHERE NOT {succeeded})"
        numbered = "(SELECT *, row_number() OVER (PARTITION BY k) AS n FROM {})"
        sent = numbered.format(f"sent SEMI JOIN {others} USING (k)")
        said = numbered.format(others)
        self._make("others", f"SELECT row, {_SAID} FROM {sent} JOIN {said} USING (k, n)")
        answered, found = self._counts(
            f"SELECT (SELECT count(*) FROM {others}), (SELECT count(*) FROM others)"
        )
        if answered != found:
            return False
        side_by_side = (
            "(SELECT row, k FROM sent ANTI JOIN others USING (row)) s"
            f" POSITIONAL JOIN (FROM answers WHERE {succeeded}) a"
        )
        differ = f"SELECT 1 FROM {side_by_side} WHERE s.k IS DISTINCT FROM a.k LIMIT 1"
        if self._connection.execute(differ).fetchall():
            return False
        self._connection.execute(
            f"CREATE TEMP VIEW found AS SELECT row, {_SAID} FROM {side_by_side}"
            " UNION ALL FROM others"
        )
        return True

    def _find(self, *, is_unique: bool) -> None:
        """Make the table `found` of the result of each row of `sent`."""
        answered, distinct = self._counts("SELECT count(*), count(DISTINCT k) FROM answers")
        sent, answers, on, order = "sent", "answers", "k", ""
        if not is_unique:
            numbered = "(SELECT *, row_number() OVER (PARTITION BY k) AS n FROM {})"
            sent, answers = numbered.format(sent), numbered.format(answers)
            on, order = "k, n", "ORDER BY row"
        elif answered > distinct:
            # A row with two results has none that can be relied on.
            answers = "(FROM answers QUALIFY count(*) OVER (PARTITION BY k) = 1)"
        self._make("found", f"SELECT {_FOUND} FROM {sent} LEFT JOIN {answers} USING ({on}) {order}")
        missing = f"count(*) FILTER (code = '{_MISSING}')"
        rows, self._missing = self._counts(f"SELECT count(*), {missing} FROM found")
        self._unknown = answered - (rows - self._missing)

    def mark_in_doubt(self) -> None:
        """Save every row of the part that has no outcome yet as in doubt."""
        self._rows = f"(FROM {self._rows} ANTI JOIN outcome USING (row))"
        self._find_none(_IN_DOUBT)
        self._insert()

    @property
    def fits(self) -> bool:
        """Whether the files contain exactly the rows that were sent."""
        return not self._missing and not self._unknown

    @property
    def missing(self) -> int:
        """How many of the rows the files do not contain."""
        return self._missing

    def discard(self) -> None:
        """Forget what was matched."""
        self._close()

    def save(self) -> None:
        """Add the results to the table `outcome`.

        Raises:
            UnexpectedAnswerError: The files do not contain exactly the rows that were sent.
        """
        if self._is_in_memory:
            self._close()
            return
        if self.fits:
            self._insert()
            return
        missing = self._connection.execute(
            f"SELECT row FROM found WHERE code = '{_MISSING}' ORDER BY row LIMIT {_SHOWN_ROWS}"
        ).fetchall()
        self._insert()
        raise self._mismatch([row for (row,) in missing])

    def _insert(self) -> None:
        secrets, told = secret_pattern(), ("code", "message", "fields")
        is_bare = "code IS NULL AND message IS NULL"
        if secrets is None or not self._has_any(secrets, told, f"NOT ({is_bare})"):
            self._connection.execute("INSERT INTO outcome FROM found")
        else:  # the org may repeat a token in a message
            masked = ", ".join(
                f"regexp_replace({each}, $secrets, '{MASK}', 'g') AS {each}" for each in told
            )
            others = f"SELECT * REPLACE ({masked}) FROM found WHERE NOT ({is_bare})"
            self._connection.execute(
                f"INSERT INTO outcome FROM found WHERE {is_bare} UNION ALL {others}",
                {"secrets": secrets},
            )
        self._close()

    def _has_any(self, secrets: str, columns: Sequence[str], condition: str) -> bool:
        """Whether any row has one. DuckDB compiles their pattern for each use, for 6 ms."""
        told = f"SELECT 1 FROM found WHERE {condition} LIMIT 1"
        if not self._connection.execute(told).fetchall():
            return False
        found = self._connection.execute(
            f"SELECT bool_or(regexp_matches(concat_ws(chr(10), {', '.join(columns)}), $secrets))"
            f" FROM found WHERE {condition}",
            {"secrets": secrets},
        ).fetchone()
        return bool(found and found[0])

    def _telling_numbers_apart(self, way: Way) -> Way:
        """The way, digit by digit if rounded numbers would make two different rows the same."""
        longest = ", ".join(f"strlen({each.cell})" for each in way.numbers) or "0"
        (most,) = self._counts(f"SELECT coalesce(max(greatest({longest})), 0) FROM {self._rows}")
        if most <= DIGITS_OF_A_DOUBLE:
            return way
        told = replace(way, tells_digits=True)
        cells = [each.cell for each in way.columns]
        distinct = ", ".join(f"count(DISTINCT {w.fingerprint(cells)})" for w in (way, told))
        rounded, digits = self._counts(f"SELECT {distinct} FROM {self._rows}")
        return told if rounded < digits else way

    def _read_sent(self, way: Way) -> None:
        """Make the table `sent` of rows and fingerprints."""
        k = way.fingerprint([each.cell for each in way.columns])
        self._make("sent", f"SELECT row, {k} AS k FROM {self._rows}")

    def _read_answers(self, results: Sequence[ResultFile], way: Way) -> None:
        """Make the table `answers` of fingerprints and what was said of each row."""
        begin = "CREATE OR REPLACE TEMP TABLE answers AS"
        for each in [each for each in results if not each.is_empty] or results[:1]:
            each.read(partial(self._save_answers, begin, each.answers(way)))
            begin = "INSERT INTO answers"

    def _find_none(self, message_sql: str) -> None:
        result = f"NULL AS id, NULL AS created, '{_MISSING}' AS code, {message_sql} AS message"
        status = f"{STATUS_SQL[RowStatus.IN_DOUBT]} AS status"
        query = f"SELECT row, {status}, {result}, NULL AS fields FROM {self._rows}"
        self._make("found", query)
        (self._missing,) = self._counts("SELECT count(*) FROM found")

    def _save_answers(self, begin: str, select: str, rows: str) -> None:
        self._connection.execute(f"{begin} {select} FROM {rows}")

    def _make(self, table: str, query: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}")

    def _counts(self, query: str) -> tuple[int, ...]:
        return tuple(map(int, self._connection.execute(query).fetchall()[0]))

    def _mismatch(self, missing: list[int]) -> UnexpectedAnswerError:
        found = []
        if self._unknown:
            unknown = "results that match no row sent, or a row that has another one"
            found.append(f"{unknown}: {self._unknown:,}")
        if self._missing:
            more = " …" if self._missing > len(missing) else ""
            rows = ", ".join(f"{row:,}" for row in missing) + more
            found.append(f"rows without a result: {self._missing:,} ({rows})")
        part = self._part
        then = (
            "the rows of in_doubt.csv may safely be sent again"
            if self._repeatable
            else "look for the rows of in_doubt.csv in the org before sending them again"
        )
        return UnexpectedAnswerError(
            f"Part {part.index} sent {part.rows:,} rows, but the org's result files do not match"
            f" them; {'; '.join(found)}.",
            hint="`runner resume` downloads them again for as long as the org has them, seven days;"
            f" after that, {then}.",
        )


def _failed(row: int, record: FailedRecord) -> RowResult:
    fields = (record.fields,) if record.fields else ()
    return RowResult(row, RowStatus.FAILED, record.id, None, record.code, record.message, fields)


_SAID = "status, id, created, code, message, fields"
_FOUND = (
    f"row, coalesce(status, {STATUS_SQL[RowStatus.IN_DOUBT]}) AS status, id, created,"
    f" CASE WHEN status IS NULL THEN '{_MISSING}' ELSE code END AS code,"
    f" CASE WHEN status IS NULL THEN {_NOT_LISTED} ELSE message END AS message, fields"
)

"""The result files of one ingest job, joined to the rows that were sent in it.

Bulk API 2.0 gives results in no order and without row numbers. Rows are found by the key column
where it tells them apart, else by their whole content; rows that are alike in everything are
matched one to one. Values are compared as the org takes them, for it may echo `912260031` as
`9.12260031E8`. Knows SQL and the form of the files. Knows nothing of jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import UnexpectedAnswerError
from runner.outcome import RowStatus
from runner.tables.database import Database
from runner.tables.sources.csv import PLAIN_CSV, open_csv
from runner.tables.sql import CsvDialect, literal, name, read_csv
from runner.tables.staging.canonical_values import comparable
from runner.tables.staging.chunk import RowChunk, sent_between
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.parts import Part

_LONGEST_ROW_BYTES = 4_000_000
_SHOWN_ROWS = 10
_NOT_NAMED = "The org's result files do not name this row."
_MISSING = "ANSWER_MISSING"
# STATUSCODE:message:field1 field2 --, where the message may hold colons and line ends.
_ERROR_FORM = "^([^:]*):(.*):([^:]*?) ?--$"


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """What came down for one part; None or an empty file means no rows."""

    succeeded: Path | None
    failed: Path | None
    unprocessed: Path | None

    def present(self) -> list[tuple[RowStatus, Path]]:
        """Those that hold anything."""
        files = {
            RowStatus.SUCCEEDED: self.succeeded,
            RowStatus.FAILED: self.failed,
            RowStatus.UNPROCESSED: self.unprocessed,
        }
        return [(s, f) for s, f in files.items() if f is not None and f.stat().st_size]


ENDINGS = f"CREATE TYPE ending AS ENUM ({', '.join(map(literal, RowStatus))})"
"""What the database must know before outcomes are kept in it."""


class PartResults:
    """The answers of one part, each beside its row; what it finds is in a database of its own.

    Made in any thread. `put_down` is for the one that keeps the outcomes.
    """

    def __init__(self, database: Database, chunks: Sequence[RowChunk], part: Part) -> None:
        """Look at nothing yet.

        Args:
            database: Where the table `outcome` is.
            chunks: The rows that the part was made of.
            part: What was sent.
        """
        self._connection = database.opened_cursor()
        self._part = part
        rows = sent_between(chunks, part.first_row, part.last_row)
        self._rows = f"(FROM {rows} ANTI JOIN outcome USING (row))" if part.attempt else rows
        self._strange = self._lost = 0

    def find(self, files: ResultFiles, mappings: Sequence[ColumnMapping]) -> None:
        """Make the table `found` of an outcome for every row of the part, in their order.

        Rows that no file names are put down as in doubt.
        """
        echoes = [_Echo(status, file) for status, file in files.present()]
        echoed = {column for echo in echoes for column in echo.spelled}
        content = [p for p in mappings if p.column.field.lower() in echoed]
        if not echoes or not content:
            self._find_none(_NOT_NAMED)
            return
        match, unique = self._telling_apart(content)
        self._make("answers", " UNION ALL ".join(echo.answers(match) for echo in echoes))
        came, different = self._counts("SELECT count(*), count(DISTINCT k) FROM answers")
        sent, answers, on, order = "sent", "answers", "k", ""
        if not unique:
            numbered = "(SELECT *, row_number() OVER (PARTITION BY k) AS n FROM {})"
            sent, answers = numbered.format(sent), numbered.format(answers)
            on, order = "k, n", "ORDER BY row"
        elif came > different:
            # Who has two outcomes has none that can be relied on.
            answers = "(FROM answers QUALIFY count(*) OVER (PARTITION BY k) = 1)"
        self._make("found", f"SELECT {_FOUND} FROM {sent} LEFT JOIN {answers} USING ({on}) {order}")
        lost = f"count(*) FILTER (code = '{_MISSING}')"
        rows, self._lost = self._counts(f"SELECT count(*), {lost} FROM found")
        self._strange = came - (rows - self._lost)

    def doubt(self, message: str) -> None:
        """Make the table `found` of the rows that have no outcome yet, all in doubt."""
        self._rows = f"(FROM {self._rows} ANTI JOIN outcome USING (row))"
        self._find_none(message)

    def put_down(self) -> None:
        """Add what was found to the table `outcome`.

        Raises:
            UnexpectedAnswerError: The files hold not exactly the rows that were sent.
        """
        missing = self._connection.execute(
            f"SELECT row FROM found WHERE code = '{_MISSING}' ORDER BY row LIMIT {_SHOWN_ROWS}"
        ).fetchall()
        self.put_down_as_it_is()
        if self._lost or self._strange:
            raise self._mismatch([row for (row,) in missing])

    def put_down_as_it_is(self) -> None:
        """Add what was found to the table `outcome`, without a word."""
        self._connection.execute("INSERT INTO outcome FROM found")
        self._connection.close()

    def _telling_apart(self, content: list[ColumnMapping]) -> tuple[list[ColumnMapping], bool]:
        """Make the table `sent` of rows and their fingerprints, by as few columns as will do."""
        key = [p for p in content if p.column.required]
        for match in (key, content):
            if match:
                here = _fingerprint([comparable(p.column.kind, p.cell) for p in match])
                self._make("sent", f"SELECT row, {here} AS k FROM {self._rows}")
                rows, different = self._counts("SELECT count(*), count(DISTINCT k) FROM sent")
                if rows == different:
                    return match, True
        return content, False

    def _find_none(self, message: str) -> None:
        told = f"NULL AS id, NULL AS created, '{_MISSING}' AS code, {literal(message)} AS message"
        doubt = f"{ending(RowStatus.IN_DOUBT)} AS status"
        query = f"SELECT row, {doubt}, {told}, NULL AS fields FROM {self._rows}"
        self._make("found", query)
        (self._lost,) = self._counts("SELECT count(*) FROM found")

    def _make(self, table: str, query: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}")

    def _counts(self, query: str) -> tuple[int, ...]:
        return tuple(map(int, self._connection.execute(query).fetchall()[0]))

    def _mismatch(self, missing: list[int]) -> UnexpectedAnswerError:
        found = []
        if self._strange:
            told = "results are of no row that was sent, or of one that has another"
            found.append(f"{self._strange:,} {told}")
        if self._lost:
            more = " …" if self._lost > len(missing) else ""
            rows = ", ".join(f"{row:,}" for row in missing) + more
            found.append(f"{self._lost:,} rows have no result (rows {rows})")
        part = self._part
        return UnexpectedAnswerError(
            f"Part {part.index} sent {part.rows:,} rows, and the org's result files do not hold"
            f" exactly these: {', '.join(found)}.",
            hint="Look for these rows in the org before sending them again.",
        )


class _Echo:
    """One result file: what was sent, with what became of it."""

    def __init__(self, status: RowStatus, file: Path) -> None:
        self._status = status
        self._file = file
        self._columns = open_csv(file, PLAIN_CSV).columns
        self.spelled = {column.lower(): column for column in self._columns}

    def answers(self, match: Sequence[ColumnMapping]) -> str:
        """Write the SELECT of fingerprint `k` and outcome of each row."""
        dialect = CsvDialect(self._columns, _LONGEST_ROW_BYTES)
        read = read_csv(self._file, dialect, header=True)
        echo = [comparable(p.column.kind, self._column(p.column.field)) for p in match]
        error = self._column("sf__Error")
        return (
            f"SELECT {_fingerprint(echo)} AS k, {ending(self._status)} AS status,"
            f" {self._column('sf__Id')} AS id,"
            f" CAST({self._column('sf__Created')} AS BOOLEAN) AS created,"
            f" {_error_parts(error)} FROM {read}"
        )

    def _column(self, column: str) -> str:
        spelled = self.spelled.get(column.lower())
        return name(spelled) if spelled else "CAST(NULL AS VARCHAR)"


def ending(status: RowStatus) -> str:
    """Write a status as what the table `outcome` holds; a text would be looked up row by row."""
    return f"CAST({literal(status)} AS ending)"


def _error_parts(error: str) -> str:
    found = f"regexp_matches({error}, {literal(_ERROR_FORM)}, 's')"
    group = f"regexp_extract({error}, {literal(_ERROR_FORM)}, {{}}, 's')"
    return (
        f"split_part({error}, ':', 1) AS code,"
        f" CASE WHEN {found} THEN {group.format(2)} ELSE {error} END AS message,"
        f" CASE WHEN {found} THEN {group.format(3)} END AS fields"
    )


def _fingerprint(texts: Sequence[str]) -> str:
    """Write 128 bits of all texts: small whatever they are, and never alike by chance.

    One text alone, mostly the key, stands for itself: that is quicker.
    """
    if len(texts) == 1:
        return texts[0]
    return f"md5_number(concat_ws(chr(31), {', '.join(texts)}))"


_FOUND = (
    f"row, coalesce(status, {ending(RowStatus.IN_DOUBT)}) AS status, id, created,"
    f" CASE WHEN status IS NULL THEN '{_MISSING}' ELSE code END AS code,"
    f" CASE WHEN status IS NULL THEN {literal(_NOT_NAMED)} ELSE message END AS message, fields"
)

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

import duckdb

from runner.errors import UnexpectedAnswerError
from runner.outcome import RowStatus
from runner.tables.conversion import comparable
from runner.tables.csv_sql import read_csv
from runner.tables.mapping import Plan
from runner.tables.parts import Part
from runner.tables.slab import Slab, rows_between
from runner.tables.source import PLAIN_CSV, open_csv
from runner.tables.sql import literal, name

_LONGEST_ROW_BYTES = 4_000_000
_SHOWN_ROWS = 10
# STATUSCODE:message:field1 field2 --, where the message may hold colons and line ends.
_ERROR_FORM = "^([^:]*):(.*):([^:]*?) ?--$"


@dataclass(frozen=True, slots=True)
class PartFiles:
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


class PartJoin:
    """Finds the row of every answer of one part."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        plans: Sequence[Plan],
        slabs: tuple[Slab, ...],
        part: Part,
    ) -> None:
        self._connection = connection
        self._plans = plans
        self._part = part
        rows = rows_between(slabs, part.first_row, part.last_row)
        self._rows = f"(FROM {rows} ANTI JOIN outcome USING (row))" if part.attempt else rows

    def take_in(self, files: PartFiles) -> None:
        """Add one outcome for every row of the part to the table `outcome`.

        Rows that no file names are put down as in doubt.

        Raises:
            UnexpectedAnswerError: The files hold not exactly the rows that were sent.
        """
        echoes = [_Echo(status, file) for status, file in files.present()]
        echoed = {column for echo in echoes for column in echo.spelled}
        content = [p for p in self._plans if p.column.field.lower() in echoed]
        if echoes and content:
            match, unique = self._telling_apart(content)
            answers = " UNION ALL ".join(echo.answers(match) for echo in echoes)
            self._insert(answers, unique=unique)
        self._check()

    def doubt(self, message: str) -> int:
        """Put down rows of the part without an outcome as in doubt; gives how many there are."""
        told = f"'ANSWER_MISSING', {literal(message)}, NULL"
        return self._count(
            f"INSERT INTO outcome SELECT row, {literal(RowStatus.IN_DOUBT)}, NULL, NULL, {told}"
            f" FROM {self._rows} ANTI JOIN outcome USING (row)"
        )

    def _telling_apart(self, content: list[Plan]) -> tuple[list[Plan], bool]:
        """Make the table `sent` of rows and their fingerprints, by as few columns as will do."""
        key = [p for p in content if p.column.required]
        for match in (key, content):
            if match:
                here = _fingerprint([comparable(p.column.kind, p.cell) for p in match])
                self._make("sent", f"SELECT row, {here} AS k FROM {self._rows}")
                if not self._count("SELECT count(*) - count(DISTINCT k) FROM sent"):
                    return match, True
        return content, False

    def _insert(self, answers: str, *, unique: bool) -> None:
        """Insert all answers; one that fits no row has NULL for its row."""
        sent, on = "sent", "k"
        if not unique:
            numbered = "SELECT *, row_number() OVER (PARTITION BY k) AS n"
            self._make("sent_numbered", f"{numbered} FROM sent")
            sent, answers, on = "sent_numbered", f"{numbered} FROM ({answers})", "k, n"
        self._connection.execute(
            "INSERT INTO outcome SELECT row, status, id, created, code, message, fields"
            f" FROM ({answers}) LEFT JOIN {sent} USING ({on})"
        )

    def _make(self, table: str, query: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}")

    def _count(self, query: str) -> int:
        return int(self._connection.execute(query).fetchall()[0][0])

    def _check(self) -> None:
        """Hold what came against what was sent; no row may have two outcomes."""
        part = self._part
        among = f"row BETWEEN {part.first_row} AND {part.last_row}"
        strange = self._count("DELETE FROM outcome WHERE row IS NULL")
        twice = self._count(f"SELECT count(*) - count(DISTINCT row) FROM outcome WHERE {among}")
        if twice:
            self._forget_repeats(among)
        missing = self._connection.execute(
            f"SELECT row FROM {self._rows} ANTI JOIN outcome USING (row)"
            f" ORDER BY row LIMIT {_SHOWN_ROWS}"
        ).fetchall()
        lost = self.doubt("The org's result files do not name this row.") if missing else 0
        if strange or twice or lost:
            raise self._mismatch(strange + twice, lost, [row for (row,) in missing])

    def _forget_repeats(self, among: str) -> None:
        repeated = f"SELECT row FROM outcome WHERE {among} GROUP BY row HAVING count(*) > 1"
        self._connection.execute(f"DELETE FROM outcome WHERE row IN ({repeated})")

    def _mismatch(self, strange: int, lost: int, missing: list[int]) -> UnexpectedAnswerError:
        found = [f"{strange:,} results are of no row that was sent"] if strange else []
        if lost:
            rows = ", ".join(f"{row:,}" for row in missing) + (" …" if lost > len(missing) else "")
            found.append(f"{lost:,} rows have no result (rows {rows})")
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

    def answers(self, match: Sequence[Plan]) -> str:
        """Write the SELECT of fingerprint `k` and outcome of each row."""
        read = read_csv(
            self._file,
            self._columns,
            PLAIN_CSV,
            longest_row_bytes=_LONGEST_ROW_BYTES,
            header=True,
        )
        echo = [comparable(p.column.kind, self._column(p.column.field)) for p in match]
        error = self._column("sf__Error")
        return (
            f"SELECT {_fingerprint(echo)} AS k, {literal(self._status)} AS status,"
            f" {self._column('sf__Id')} AS id,"
            f" CAST({self._column('sf__Created')} AS BOOLEAN) AS created,"
            f" {_error_parts(error)} FROM {read}"
        )

    def _column(self, column: str) -> str:
        spelled = self.spelled.get(column.lower())
        return name(spelled) if spelled else "CAST(NULL AS VARCHAR)"


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

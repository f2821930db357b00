"""One result file of an ingest job, as a relation: the rows as sent, each with what became of it.

Knows SQL and the format of the files. Knows nothing of the rows that were sent.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from runner.outcome import RowStatus
from runner.tables.results.failed_records import ERROR_FORM
from runner.tables.results.fingerprints import Way
from runner.tables.results.in_order import OWN_COLUMNS
from runner.tables.results.outcome_table import STATUS_SQL
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import literal
from runner.tables.staging.parts import read_header

_ERROR_FORM = literal(ERROR_FORM)


class ResultFile:
    """One result file: the rows as sent, each with what became of it."""

    def __init__(self, status: RowStatus, file: Path) -> None:
        self.status = status
        self.file = file
        header = read_header(file)
        self.header = tuple(column.lower() for column in header)
        self._names = tuple(f"r{place}" for place in range(len(header)))
        self.columns = dict(zip(self.header, self._names, strict=True))
        """SQL name of each column by its own name in lower case."""

    @property
    def size(self) -> int:
        """In bytes."""
        return self.file.stat().st_size

    @property
    def is_empty(self) -> bool:
        """Whether it has only a header."""
        with self.file.open("rb") as stream:
            return not stream.readline() or not stream.read(1)

    def read(self, use: Callable[[str], None]) -> None:
        """Call `use` with the relation of the rows, without those that lack what each must have."""
        condition = ""
        if self.status is RowStatus.SUCCEEDED:
            cells = (f"{self._column(each)} IS NOT NULL" for each in OWN_COLUMNS)
            condition = f" WHERE {' AND '.join(cells)}"
        with_rows(self.file, self._names, lambda rows: use(rows + condition))

    def answers(self, way: Way) -> str:
        """Write the SELECT of fingerprint `k` and outcome of each row, without its FROM."""
        k = way.fingerprint([self._column(each.column.field) for each in way.columns])
        return (
            f"SELECT {k} AS k, {STATUS_SQL[self.status]} AS status,"
            f" {self._column('sf__Id')} AS id,"
            f" CAST({self._column('sf__Created')} AS BOOLEAN) AS created,"
            f" {_error_parts(self._column('sf__Error'))}"
        )

    def _column(self, name: str) -> str:
        return self.columns.get(name.lower(), "CAST(NULL AS VARCHAR)")


def _error_parts(error: str) -> str:
    found = f"regexp_matches({error}, {_ERROR_FORM}, 's')"
    group = f"regexp_extract({error}, {_ERROR_FORM}, {{}}, 's')"
    return (
        f"nullif(split_part({error}, ':', 1), '') AS code,"
        f" nullif(CASE WHEN {found} THEN {group.format(2)} ELSE {error} END, '') AS message,"
        f" nullif(CASE WHEN {found} THEN {group.format(3)} END, '') AS fields"
    )

"""Maps a chunk of which only some cells are computed: the others stay the bytes that were read.

DuckDB gets the columns that expressions use, and those of which bytes do not tell whether they are
sent as they are read. Knows chunks and plans. Knows nothing of how other chunks are mapped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.job.choices import Blank
from runner.luajit import can_compile
from runner.tables.field_types import FieldKind
from runner.tables.sql import CsvDialect, name, quote_leading_mark, read_csv
from runner.tables.staging.as_is_bytes import Known, Look, StepsError, joined, read_known
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.key_hashes import key_of
from runner.tables.staging.mapping import ColumnMapping, Pass, passed_on, staging_query
from runner.tables.staging.read_chunk import MOST_TRIES
from runner.tables.staging.splice import splice
from runner.tables.staging.splice_plan import STAND_IN, SplicePlan, splice_plan
from runner.tables.staging.staged_table import Counted, make_filled, write_cells

if TYPE_CHECKING:
    from runner.tables import duckdb


class Splicer(Struct):
    """Maps chunks of the same source in this way, as long as it works; threads may share it."""

    columns: tuple[str, ...]
    """The source's."""
    mappings: Sequence[ColumnMapping]
    """How each cell to send is computed."""
    blank: Blank
    """What an empty value does to its field."""
    _tries: int = MOST_TRIES
    _tries_alone: int = MOST_TRIES
    _alone: Look | None = None
    """What to look for where that takes no DuckDB, once a chunk was looked at."""
    _odd: frozenset[int] = frozenset()
    """Places of columns that had a text that only DuckDB can change."""
    _planned: tuple[Mapping[int, str], frozenset[int], SplicePlan | None] | None = None

    def map_alone(self, chunk: RowChunk) -> Known | None:
        """Write the rows to send if that takes no DuckDB.

        Returns:
            How many they are, and the hashes of their keys; None if bytes do not tell all of it.
        """
        if self._tries_alone <= 0 or not chunk.dialect.is_plain(self.columns):
            return None
        if self._alone is None:
            plan = self._plan_alone()
            if plan is None or plan.computed or plan.look.others:
                self._tries_alone = 0
                return None
            self._alone = plan.look
        known = _write_known(chunk, self._alone)
        self._tries_alone = MOST_TRIES if known else self._tries_alone - 1
        return known

    def _plan_alone(self) -> SplicePlan | None:
        # A checkbox may have any of the words.
        passed = {
            index: reason
            for index, reason in passed_on(self.mappings, self.blank).items()
            if self.mappings[index].column.kind is not FieldKind.BOOLEAN
        }
        return splice_plan(self.mappings, self.columns, passed, self.blank, hashes=True)

    def map(self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, goal: Pass) -> Counted | None:
        """Write the rows to send, and make the table of what DuckDB has computed.

        Args:
            cursor: Where to make it.
            chunk: Its file of rows as read is there.
            goal: What to look for, and columns that have been sent as they are read so far.

        Returns:
            None if a row is to be looked at closer.
        """
        if self._tries <= 0 or not can_compile() or not chunk.dialect.is_plain(self.columns):
            return None
        plan = self._plan(goal.passed)
        if plan is None:
            return None
        try:
            counted = self._map(cursor, chunk, goal, plan)
        except StepsError as error:
            self._odd |= {*error.args}
            return self.map(cursor, chunk, goal)
        self._tries = MOST_TRIES if counted else self._tries - 1
        return counted

    def _plan(self, passed: Mapping[int, str]) -> SplicePlan | None:
        odd, planned = self._odd, self._planned
        if planned is None or planned[0] is not passed or planned[1] != odd:
            plan = splice_plan(self.mappings, self.columns, passed, self.blank, odd)
            planned = self._planned = passed, odd, plan
        return planned[2]

    def _map(
        self, cursor: duckdb.DuckDBPyConnection, chunk: RowChunk, goal: Pass, plan: SplicePlan
    ) -> Counted | None:
        others = chunk.stem.with_suffix(".others.csv")
        computed = chunk.stem.with_suffix(".computed.csv")
        sent: list[bytes] = []
        try:
            with chunk.sent_file.open("wb") as out:
                keep = sent.append if plan.computed else out.write
                counted = Counted(_cut_out(chunk.read_file, others, plan.look, keep))
                if plan.look.others:
                    staged = self._stage(cursor, others, goal, plan)
                    if staged.rows != counted.rows or staged.rejected:
                        return None
                    counted = staged
                if plan.computed:
                    write_cells(cursor, plan.computed, computed)
                    with computed.open("rb") as cells:
                        out.writelines(splice(sent, cells, len(plan.computed)))
        except StepsError:
            raise
        except ValueError:
            return None
        finally:
            others.unlink(missing_ok=True)
            computed.unlink(missing_ok=True)
        quote_leading_mark(chunk.sent_file)
        return counted

    def _stage(
        self, cursor: duckdb.DuckDBPyConnection, others: Path, goal: Pass, plan: SplicePlan
    ) -> Counted:
        columns = tuple(each for each in plan.columns if each != STAND_IN)
        read = read_csv(others, CsvDialect(columns, others.stat().st_size))
        key = key_of(self.mappings)
        wanted = [each for each in self.mappings if each in plan.computed or each is key]
        query = staging_query(
            self.mappings,
            plan.columns,
            f"(SELECT *, 'x' AS {name(STAND_IN)} FROM {read})",
            self.blank,
            replace(goal, passed=plan.passed),
            wanted=wanted,
        )
        cuts = any(each.column.is_cut for each in plan.computed)
        return make_filled(cursor, query, [each.cell for each in wanted], cuts=cuts)


def _write_known(chunk: RowChunk, look: Look) -> Known | None:
    """Write the rows to send if bytes tell them all."""
    found: list[Known] = []
    size = chunk.read_file.stat().st_size
    try:
        with chunk.read_file.open("rb") as content, chunk.sent_file.open("wb") as out:
            for known in read_known(content, size, look):
                out.write(known.sent)
                found.append(replace(known, sent=b""))
    except ValueError:
        chunk.sent_file.unlink()
        return None
    quote_leading_mark(chunk.sent_file)
    return joined(found)


def _cut_out(read: Path, others: Path, look: Look, keep: Callable[[bytes], object]) -> int:
    """Write the columns that DuckDB gets, keep the rows to send, and give how many there are.

    Raises:
        ValueError: A value has to be looked at closer.
    """
    rows = 0
    size = read.stat().st_size
    with read.open("rb") as content, others.open("wb") as out:
        for known in read_known(content, size, look):
            out.write(known.others)
            keep(known.sent)
            rows += known.rows
    return rows

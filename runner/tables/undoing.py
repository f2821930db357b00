"""One task of a run on its way back: its records in a database, from its files to a write's rows.

Knows the files that a write leaves for its undo and those that an undo makes. Knows nothing of the
org, nor of the rules (`undo_verdict`).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.job.model import Verb
from runner.tables.atomic import unwritable, written_whole
from runner.tables.csv_sql import copy_csv, read_csv
from runner.tables.database import Database, state_errors
from runner.tables.earlier import PRIVATE_FILE, READ, text_relation
from runner.tables.kinds import EXPLICIT_NULL
from runner.tables.source import PLAIN_CSV, open_csv
from runner.tables.sql import literal, name
from runner.tables.undo_verdict import ACTS, REASONS, Act, Decision, Why, act_of, verdicts
from runner.tables.written import (
    UNDO,
    WrittenColumn,
    WrittenIndex,
    earlier_files,
    written_files,
    written_index,
)

ROW = "Undone_Row"
"""Column that says in which row of the run's source a record was."""
_LONGEST_ROW_BYTES = 4_000_000
_FETCHED_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Tally:
    """Records of one act by what becomes of them."""

    undo: int = 0
    nothing: int = 0
    left: tuple[tuple[Why, int], ...] = ()
    """Those that are left alone, the commonest reason first."""

    @property
    def left_total(self) -> int:
        """How many are left alone."""
        return sum(count for _, count in self.left)

    @property
    def total(self) -> int:
        """All of them."""
        return self.undo + self.nothing + self.left_total


class Undoing:
    """One task's records: loaded from its folder, completed by what the org says, judged."""

    def __init__(
        self, database: Database, work: Path, folder: Path, verb: Verb, *, hard: bool
    ) -> None:
        """Load what the run left.

        Args:
            database: Its tables of an earlier task are replaced, but for what `project` noted.
            work: For files of the moment.
            folder: The task's, with its row results.
            verb: What the task did.
            hard: Whether it deleted past the recycle bin.

        Raises:
            StateError: The files cannot be read.
        """
        self._database = database
        self._work = work
        self._undo = folder / UNDO
        self._hard = hard
        self.acts = ACTS[verb]
        self.index = written_index(self._undo) or WrittenIndex((), kept=False)
        with state_errors("What the run did cannot be read"):
            self._load(folder, verb)

    def ids(self, act: Act) -> Iterator[list[str]]:
        """Records of an act whose present state decides, some at a time."""
        query = f"SELECT DISTINCT id FROM done WHERE id IS NOT NULL AND act = {literal(act)}"
        with self._database.cursor() as cursor, state_errors("Row results cannot be read"):
            cursor.execute(f"{query} ORDER BY id")
            while rows := cursor.fetchmany(_FETCHED_ROWS):
                yield [record_id for (record_id,) in rows]

    def parents(self) -> Iterator[tuple[int, WrittenColumn, list[str]]]:
        """Relationship columns, each with its place and the keys of parents that were sent."""
        for place, column in enumerate(self.index.columns):
            if column.parent is not None:
                sent = f"w{place} IS NOT NULL AND w{place} <> {literal(EXPLICIT_NULL)}"
                found = self._all(f"SELECT DISTINCT w{place} FROM written WHERE {sent}")
                yield place, column, [key for (key,) in found]

    def take_parents(self, place: int, found: Iterable[tuple[str, str]]) -> None:
        """Take in which record each key of a parent means: Id and key."""
        self._insert("parent", [(str(place), record_id, key) for record_id, key in found])

    def take_present(self, records: Iterable[Mapping[str, str | None]]) -> None:
        """Take in what records hold now; those that are never named are gone."""
        names = ("Id", *self.index.fields)
        self._insert("held", [tuple(each.get(one) for one in names) for each in records])

    def take_deleted(self, found: Iterable[tuple[str, bool]]) -> None:
        """Take in which records are in the recycle bin (True) or not deleted (False)."""
        self._insert("bin", [(record_id, str(gone).lower()) for record_id, gone in found])

    def judge(self) -> None:
        """Decide what becomes of every record."""
        with state_errors("What is to be undone cannot be worked out"):
            self._execute("UPDATE held SET id15 = left(id15, 15)")
            self._execute("UPDATE bin SET id15 = left(id15, 15)")
            self._execute("DELETE FROM held WHERE id15 IN (SELECT id15 FROM gone)")
            for at, each in enumerate(self.index.fields):
                self._execute(
                    f"UPDATE held SET n{at} = l.value FROM later l"
                    f" WHERE l.id15 = held.id15 AND l.field = {literal(each)}"
                )
            self._make("verdict", verdicts(self.index, hard=self._hard))

    def project(self) -> None:
        """Note what records will hold once this task is undone, for the tasks before it."""
        undone = f"decision = '{Decision.UNDO}' AND act ="
        with state_errors("What is to be undone cannot be worked out"):
            for at, each in enumerate(self.index.fields):
                self._execute(
                    f"INSERT INTO later SELECT v.id15, {literal(each)}, b.b{at} FROM verdict v"
                    f" JOIN before b USING (id15) WHERE {undone} '{Act.RESTORE}' AND restore_{at}"
                )
            for table, act in (("gone", Act.DELETE), ("back", Act.UNDELETE)):
                query = f"SELECT id15 FROM verdict WHERE {undone} '{act}'"
                self._execute(f"INSERT INTO {table} {query}")

    def tally(self, act: Act) -> Tally:
        """Count what becomes of the records of an act."""
        counted = self._all(
            f"SELECT decision, why, count(*) FROM verdict WHERE act = {literal(act)}"
            " GROUP BY ALL ORDER BY 3 DESC, 2"
        )
        by = {decision: count for decision, why, count in counted if why is None}
        left = tuple((Why(why), count) for _, why, count in counted if why is not None)
        return Tally(by.get(Decision.UNDO, 0), by.get(Decision.NOTHING, 0), left)

    def write_rows(self, act: Act, file: Path) -> tuple[str, ...]:
        """Write the records to put back as a source; gives the fields that a write takes of it."""
        fields = self._restored_fields() if act is Act.RESTORE else ()
        cells = [f"v.id AS {name('Id')}"]
        cells += [
            f"CASE WHEN v.restore_{at} THEN coalesce(b.b{at}, {literal(EXPLICIT_NULL)}) END"
            f" AS {name(each)}"
            for at, each in fields
        ]
        # What was written last goes first, so that no parent goes before its children.
        order = "v.row" if act is Act.RESTORE else "v.row DESC"
        self._write(
            f"SELECT {', '.join(cells)}, v.row AS {name(ROW)} FROM verdict v"
            f" LEFT JOIN before b USING (id15) WHERE v.act = {literal(act)}"
            f" AND v.decision = '{Decision.UNDO}' ORDER BY {order}",
            file,
        )
        return ("Id", *(each for _, each in fields))

    def write_left(self, act: Act, file: Path) -> None:
        """Write the records that are left alone, and why."""
        cases = " ".join(f"WHEN {literal(why)} THEN {literal(REASONS[why])}" for why in Why)
        blamed = f"CASE WHEN why = '{Why.CHANGED}' THEN fields END"
        self._write(
            f"SELECT row AS sf__Row, id AS sf__Id, why AS sf__Code, CASE why {cases} END"
            f" AS sf__Message, {blamed} AS sf__Fields FROM verdict WHERE act = {literal(act)}"
            f" AND decision = '{Decision.LEFT}' ORDER BY row",
            file,
        )

    def _load(self, folder: Path, verb: Verb) -> None:
        taken = _rows_of(folder / "succeeded.csv", ("sf__Row", "sf__Id", "sf__Created"))
        doubt = _rows_of(folder / "in_doubt.csv", ("sf__Row", "sf__Id", "sf__Created"))
        told = "CAST(sf__Row AS BIGINT) AS row, sf__Id AS id, left(sf__Id, 15) AS id15"
        self._make(
            "told",
            f"SELECT {told}, CAST(sf__Created AS BOOLEAN) AS created, false AS doubt FROM {taken}"
            f" UNION ALL SELECT {told}, NULL, true FROM {doubt}",
        )
        fields, columns = self.index.fields, self.index.columns
        self._make("written", _written(self._undo, columns))
        self._make("before", self._before())
        kept = self.index.kept
        self._make("done", f"SELECT *, {act_of(verb, kept=kept)} AS act FROM told")
        for table, cells in {
            "parent": ["place", "id", "key"],
            "held": ["id15", *(f"n{at}" for at in range(len(fields)))],
            "bin": ["id15", "gone"],
        }.items():
            self._make(table, _nothing(cells))
        for table, cells in {
            "later": ["id15", "field", "value"],
            "gone": ["id15"],
            "back": ["id15"],
        }.items():
            self._execute(f"CREATE TABLE IF NOT EXISTS {table} AS {_nothing(cells)}")

    def _before(self) -> str:
        """What each record held when it was first read."""
        fields = self.index.fields
        files = earlier_files(self._undo) if self.index.kept else ()
        if not files:
            return _nothing(["id15", *(f"b{at}" for at in range(len(fields)))])
        cells = "".join(f", {name(each)} AS b{at}" for at, each in enumerate(fields))
        read = f"SELECT left(Id, 15) AS id15, {name(READ)} AS read{cells} FROM {_parquet(files)}"
        twice = self._all(f"SELECT count(*) > count(DISTINCT id15) FROM ({read})")[0][0]
        first = "QUALIFY row_number() OVER (PARTITION BY id15 ORDER BY read) = 1" if twice else ""
        return f"SELECT * FROM ({read}) {first}"

    def _restored_fields(self) -> tuple[tuple[int, str], ...]:
        """Places and names of the fields that any record needs back."""
        fields = self.index.fields
        if not fields:
            return ()
        asked = ", ".join(f"bool_or(restore_{at})" for at in range(len(fields)))
        row = self._all(f"SELECT {asked} FROM verdict WHERE decision = '{Decision.UNDO}'")[0]
        return tuple((at, each) for at, each in enumerate(fields) if row[at])

    def _make(self, table: str, query: str) -> None:
        self._execute(f"CREATE OR REPLACE TABLE {table} AS {query}")

    def _execute(self, statement: str) -> None:
        self._database.connection.execute(statement)

    def _all(self, query: str) -> list[tuple[Any, ...]]:
        return self._database.connection.execute(query).fetchall()

    def _insert(self, table: str, rows: Sequence[Sequence[str | None]]) -> None:
        """Bring rows of text in through a file, which is the database's fast way."""
        if not rows:
            return
        file = self._work / f"{table}.csv"
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
                writer.writerows(rows)
            columns = [f"c{at}" for at in range(len(rows[0]))]
            with state_errors("What the org holds cannot be kept"):
                self._execute(f"INSERT INTO {table} FROM {text_relation(file, columns)}")
        except OSError as error:
            raise unwritable(file, error) from error
        finally:
            file.unlink(missing_ok=True)

    def _write(self, query: str, file: Path) -> None:
        with state_errors(f"{file} cannot be written"), written_whole(file) as beside:
            self._execute(copy_csv(query, beside, header=True))
            beside.chmod(PRIVATE_FILE)


def _rows_of(file: Path, columns: Sequence[str]) -> str:
    """SQL of some columns of a result file; of no rows where it is not there."""
    if not file.exists():
        return f"({_nothing(columns)})"
    present = open_csv(file, PLAIN_CSV).columns
    read = read_csv(file, present, PLAIN_CSV, longest_row_bytes=_LONGEST_ROW_BYTES, header=True)
    cells = (name(c) if c in present else f"CAST(NULL AS VARCHAR) AS {name(c)}" for c in columns)
    return f"(SELECT {', '.join(cells)} FROM {read})"


def _written(folder: Path, columns: Sequence[WrittenColumn]) -> str:
    files = written_files(folder) if columns else ()
    if files:
        return f"SELECT * FROM {_parquet(files)}"
    cells = "".join(f", CAST(NULL AS VARCHAR) AS w{place}" for place in range(len(columns)))
    return f"SELECT CAST(0 AS BIGINT) AS row{cells} WHERE false"


def _nothing(columns: Sequence[str]) -> str:
    cells = ", ".join(f"CAST(NULL AS VARCHAR) AS {name(column)}" for column in columns)
    return f"SELECT {cells} WHERE false"


def _parquet(files: Sequence[Path]) -> str:
    listed = ", ".join(literal(str(file)) for file in files)
    return f"read_parquet([{listed}])"

"""One task of a run on its way back: from the files it left to the rows of a write.

Records are judged some ten thousand at a time, so that memory stays flat. Knows the files that a
write leaves for its undo and those that an undo makes. Knows nothing of the org, nor of the rules
(`undo_verdict`).
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.files import atomic_write, unwritable
from runner.job.model import Verb
from runner.tables.database import Database, state_errors
from runner.tables.field_types import EXPLICIT_NULL
from runner.tables.sources.csv import PLAIN_CSV, open_csv
from runner.tables.sql import CsvDialect, copy_csv, literal, name, read_csv
from runner.tables.staging.parts import header_line
from runner.tables.undo.after_images import (
    UNDO,
    WrittenColumn,
    WrittenIndex,
    earlier_files,
    read_index,
    written_files,
)
from runner.tables.undo.before_images import BLOCK_ROWS, PRIVATE_FILE, READ, text_relation
from runner.tables.undo.rules import ACTS, REASON_TEXTS, Act, Decision, Reason, act_of, decisions

ROW = "Undone_Row"
"""Column that says in which row of the run's source a record was."""
_LONGEST_ROW_BYTES = 4_000_000
_ASKED_AT_ONCE = 2_000
_CELLS_AT_ONCE = 250_000
_MOST_AT_ONCE = 50_000
_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Tally:
    """Records of one act by what becomes of them."""

    undo: int = 0
    nothing: int = 0
    left: tuple[tuple[Reason, int], ...] = ()
    """Those that are left alone, the commonest reason first."""

    @property
    def left_total(self) -> int:
        """How many are left alone."""
        return sum(count for _, count in self.left)

    @property
    def total(self) -> int:
        """All of them."""
        return self.undo + self.nothing + self.left_total


class TaskComparison:
    """One task's records: loaded from its folder, completed by what the org says, judged.

    For each number of `groups`: `open` it, ask the org and `take_…` what it says, `judge`. Then
    `tally` and `write_…` speak of all.
    """

    def __init__(  # noqa: PLR0913 - what a task left, and what is wanted of it
        self,
        database: Database,
        work: Path,
        folder: Path,
        verb: Verb,
        *,
        hard: bool,
        act: Act | None = None,
        projects: bool = False,
    ) -> None:
        """Load what the run left.

        Args:
            database: Its tables of an earlier task are replaced, but for what was projected.
            work: For files of the moment.
            folder: The task's, with its row results.
            verb: What the task did.
            hard: Whether it deleted past the recycle bin.
            act: The one that is to be carried out; None for all of them, which only counts.
            projects: Whether to note what records will hold afterwards, for tasks before it.

        Raises:
            StateError: The files cannot be read.
        """
        self._database = database
        self._work = work
        self._undo = folder / UNDO
        self._verb = verb
        self._hard = hard
        self._act = act
        self._projects = projects
        self._pieces: list[Path] = []
        self.acts = ACTS[verb] if act is None else (act,)
        self.index = read_index(self._undo) or WrittenIndex((), has_before_images=False)
        most = _CELLS_AT_ONCE // (len(self.index.fields) + 1)
        self._size = max(_ASKED_AT_ONCE, min(_MOST_AT_ONCE, most))
        with state_errors("What the run did cannot be read"):
            self._load(folder)
            last = self._all("SELECT max(part) FROM all_done")[0][0]
        self.groups = range(0 if last is None else last + 1)

    def open_group(self, group: int) -> None:
        """Turn to one group of records; what is taken next is about these."""
        fields = self.index.fields
        acts = ", ".join(map(literal, self.acts))
        with state_errors("What the run did cannot be read"):
            self._make("grouped", f"SELECT * FROM all_done WHERE part = {group}")
            self._make(
                "reading", "SELECT DISTINCT r.* FROM all_read r SEMI JOIN grouped g USING (id15)"
            )
            told = (
                "SELECT g.*, r.block IS NOT NULL AS found FROM grouped g LEFT JOIN reading r"
                f" ON r.id15 = g.id15 AND r.block = {_block('g.row')}"
            )
            act = act_of(self._verb, kept=self.index.has_before_images)
            rows = f"SELECT *, {act} AS act FROM ({told})"
            self._make("done", f"SELECT * FROM ({rows}) WHERE act IN ({acts})")
            self._make("written", "SELECT w.* FROM all_written w SEMI JOIN done d USING (row)")
            self._make("before", "SELECT b.* FROM all_before b SEMI JOIN done d USING (id15)")
            self._make("parent", _nothing(["place", "id", "key"]))
            self._make("held", _nothing(["id15", *(f"n{at}" for at in range(len(fields)))]))
            self._make("bin", _nothing(["id15", "gone"]))

    def ids(self, act: Act) -> Iterator[list[str]]:
        """Records of an act whose present state decides, as many as the org tells of at once."""
        query = f"SELECT DISTINCT id FROM done WHERE id IS NOT NULL AND act = {literal(act)}"
        found = [record_id for (record_id,) in self._all(f"{query} ORDER BY id")]
        for start in range(0, len(found), _ASKED_AT_ONCE):
            yield found[start : start + _ASKED_AT_ONCE]

    def parents(self) -> Iterator[tuple[int, WrittenColumn, list[str]]]:
        """Relationship columns, each with its place and the keys of parents that were sent."""
        for place, column in enumerate(self.index.columns):
            if column.parent is not None:
                sent = f"w{place} IS NOT NULL AND w{place} <> {literal(EXPLICIT_NULL)}"
                found = self._all(f"SELECT DISTINCT w{place} FROM written WHERE {sent}")
                yield place, column, [key for (key,) in found]

    def add_parents(self, place: int, found: Iterable[tuple[str, str]]) -> None:
        """Take in which record each key of a parent means: Id and key."""
        self._insert("parent", [(str(place), record_id, key) for record_id, key in found])

    def add_current(self, records: Iterable[Mapping[str, str | None]]) -> None:
        """Take in what records hold now; those that are never named are gone."""
        names = ("Id", *self.index.fields)
        self._insert("held", [tuple(each.get(one) for one in names) for each in records])

    def add_deleted(self, found: Iterable[tuple[str, bool]]) -> None:
        """Take in which records are in the recycle bin (True) or not deleted (False)."""
        self._insert("bin", [(record_id, str(gone).lower()) for record_id, gone in found])

    def decide(self) -> None:
        """Decide what becomes of every record of the group."""
        with state_errors("What is to be undone cannot be worked out"):
            for table in ("held", "bin"):
                self._execute(f"UPDATE {table} SET id15 = left(id15, 15)")
            self._foresee()
            self._make("judged", decisions(self.index, hard=self._hard))
            told = "SELECT act, row, id, decision, why, fields FROM judged"
            self._execute(f"INSERT INTO verdict {told}")
            if self._projects:
                self._project()
            if self._act is not None:
                self._pieces.append(self._piece(self._act))

    def tally(self, act: Act) -> Tally:
        """Count what becomes of the records of an act."""
        counted = self._all(
            f"SELECT decision, why, count(*) FROM verdict WHERE act = {literal(act)}"
            " GROUP BY ALL ORDER BY 3 DESC, 2"
        )
        by = {decision: count for decision, why, count in counted if why is None}
        left = tuple((Reason(why), count) for _, why, count in counted if why is not None)
        return Tally(by.get(Decision.UNDO, 0), by.get(Decision.NOTHING, 0), left)

    def write_rows(self, file: Path) -> tuple[str, ...]:
        """Write the records to put back as a source; gives the fields that a write takes of it.

        What was written last goes first where records go, so that no parent goes before its
        children.
        """
        fields = ("Id", *(each for _, each in self._restorable)) if self._restores else ("Id",)
        pieces = self._pieces if self._restores else self._pieces[::-1]
        with atomic_write(file) as beside:
            beside.chmod(PRIVATE_FILE)
            with beside.open("wb") as out:
                out.write(header_line([*fields, ROW]))
                for piece in pieces:
                    with piece.open("rb") as read:
                        shutil.copyfileobj(read, out, _COPY_BYTES)
        return fields

    def write_left(self, act: Act, file: Path) -> None:
        """Write the records that are left alone, and why."""
        cases = " ".join(f"WHEN {literal(why)} THEN {literal(REASON_TEXTS[why])}" for why in Reason)
        blamed = f"CASE WHEN why = '{Reason.CHANGED}' THEN fields END"
        query = (
            f"SELECT row AS sf__Row, id AS sf__Id, why AS sf__Code, CASE why {cases} END"
            f" AS sf__Message, {blamed} AS sf__Fields FROM verdict WHERE act = {literal(act)}"
            f" AND decision = '{Decision.LEFT}' ORDER BY row"
        )
        with state_errors(f"{file} cannot be written"), atomic_write(file) as beside:
            self._execute(copy_csv(query, beside, header=True))
            beside.chmod(PRIVATE_FILE)

    @property
    def _restores(self) -> bool:
        return self._act is Act.RESTORE

    @property
    def _restorable(self) -> list[tuple[int, str]]:
        """Places and names of the fields that an update may give back."""
        by_field = {column.field: column.restorable for column in self.index.columns}
        return [(at, each) for at, each in enumerate(self.index.fields) if by_field[each]]

    def _load(self, folder: Path) -> None:
        taken = _rows_of(folder / "succeeded.csv", ("sf__Row", "sf__Id", "sf__Created"))
        doubt = _rows_of(folder / "in_doubt.csv", ("sf__Row", "sf__Id", "sf__Created"))
        told = "CAST(sf__Row AS BIGINT) AS row, sf__Id AS id, left(sf__Id, 15) AS id15"
        self._make(
            "told",
            f"SELECT {told}, CAST(sf__Created AS BOOLEAN) AS created, false AS doubt FROM {taken}"
            f" UNION ALL SELECT {told}, NULL, true FROM {doubt}",
        )
        self._view("all_written", _written(self._undo, self.index.columns))
        self._load_earlier()
        twice = self._has_twice("told WHERE id15 IS NOT NULL")
        first = "coalesce(min(row) OVER (PARTITION BY id15), row)" if twice else "row"
        self._make("all_done", f"SELECT *, ({first} - 1) // {self._size} AS part FROM told")
        self._make(
            "verdict",
            "SELECT '' AS act, CAST(0 AS BIGINT) AS row, '' AS id, '' AS decision, '' AS why,"
            " '' AS fields WHERE false",
        )
        for table, cells in {"later": 3, "gone": 1, "back": 1}.items():
            columns = ["id15", "field", "value"][:cells]
            self._execute(f"CREATE TABLE IF NOT EXISTS {table} AS {_nothing(columns)}")

    def _load_earlier(self) -> None:
        """What each record held when it was first read."""
        fields = self.index.fields
        files = earlier_files(self._undo) if self.index.has_before_images else ()
        if not files:
            self._view("all_before", _nothing(["id15", *(f"b{at}" for at in range(len(fields)))]))
            self._view("all_read", "SELECT '' AS id15, CAST(0 AS BIGINT) AS block WHERE false")
            return
        block = "CAST(regexp_extract(filename, '([0-9]+)[.]parquet$', 1) AS BIGINT) AS block"
        named = f"read_parquet([{_listed(files)}], filename = true)"
        self._view("all_read", f"SELECT left(Id, 15) AS id15, {block} FROM {named}")
        cells = "".join(f", {name(each)} AS b{at}" for at, each in enumerate(fields))
        read = f"SELECT left(Id, 15) AS id15, {name(READ)} AS read{cells} FROM {_parquet(files)}"
        if self._has_twice(f"({read})"):
            first = "QUALIFY row_number() OVER (PARTITION BY id15 ORDER BY read) = 1"
            self._make("first_read", f"SELECT * FROM ({read}) {first}")
            read = "SELECT * FROM first_read"
        self._view("all_before", read)

    def _has_twice(self, relation: str) -> bool:
        """Whether several rows are of one record."""
        groups = f"SELECT id15 FROM {relation} GROUP BY id15 HAVING count(*) > 1 LIMIT 1"
        return bool(self._all(groups))

    def _foresee(self) -> None:
        """Put what later tasks' undo will have done into what records hold now."""
        self._execute("DELETE FROM held WHERE id15 IN (SELECT id15 FROM gone)")
        self._make("sooner", "SELECT l.* FROM later l SEMI JOIN held h USING (id15)")
        for at, each in enumerate(self.index.fields):
            self._execute(
                f"UPDATE held SET n{at} = l.value FROM sooner l"
                f" WHERE l.id15 = held.id15 AND l.field = {literal(each)}"
            )

    def _project(self) -> None:
        """Note what records will hold once this task is undone."""
        undone = f"decision = '{Decision.UNDO}' AND act ="
        for at, each in enumerate(self.index.fields):
            self._execute(
                f"INSERT INTO later SELECT v.id15, {literal(each)}, b.b{at} FROM judged v"
                f" JOIN before b USING (id15) WHERE {undone} '{Act.RESTORE}' AND restore_{at}"
            )
        for table, act in (("gone", Act.DELETE), ("back", Act.UNDELETE)):
            query = f"SELECT id15 FROM judged WHERE {undone} '{act}'"
            self._execute(f"INSERT INTO {table} {query}")

    def _piece(self, act: Act) -> Path:
        """Write the group's records to put back as a piece of the rows."""
        fields = self._restorable if self._restores else []
        cells = "".join(
            f", CASE WHEN v.restore_{at} THEN coalesce(b.b{at}, {literal(EXPLICIT_NULL)}) END"
            for at, _ in fields
        )
        piece = self._work / f"rows-{len(self._pieces)}.csv"
        order = "v.row" if self._restores else "v.row DESC"
        query = (
            f"SELECT v.id{cells}, v.row FROM judged v LEFT JOIN before b USING (id15)"
            f" WHERE v.act = {literal(act)} AND v.decision = '{Decision.UNDO}' ORDER BY {order}"
        )
        self._execute(copy_csv(query, piece, header=False))
        return piece

    def _make(self, table: str, query: str) -> None:
        self._execute(f"CREATE OR REPLACE TABLE {table} AS {query}")

    def _view(self, view: str, query: str) -> None:
        self._execute(f"CREATE OR REPLACE VIEW {view} AS {query}")

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


def _rows_of(file: Path, columns: Sequence[str]) -> str:
    """SQL of some columns of a result file; of no rows where it is not there."""
    if not file.exists():
        return f"({_nothing(columns)})"
    present = open_csv(file, PLAIN_CSV).columns
    read = read_csv(file, CsvDialect(present, _LONGEST_ROW_BYTES), header=True)
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
    return f"read_parquet([{_listed(files)}])"


def _listed(files: Sequence[Path]) -> str:
    return ", ".join(literal(str(file)) for file in files)


def _block(row: str) -> str:
    """SQL of the block of rows whose records were read together."""
    return f"({row} - 1) // {BLOCK_ROWS}"

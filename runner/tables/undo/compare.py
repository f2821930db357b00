"""Compares what a task did with what the org holds now, and writes the rows that undo it.

The third step of an undo. It reads the task's row results, before images and after images, adds
what the org says, applies `rules`, and writes two files: the source of the write that puts records
back, and the records that are left alone. It takes some ten thousand records at a time, so memory
does not grow. Knows these files. Knows nothing of the org.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.files import PRIVATE_FILE, atomic_write, unwritable
from runner.job.endpoints import EXPLICIT_NULL
from runner.job.model import Verb
from runner.tables.database import Database, storage_errors
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import copy_csv, literal, name, read_parquet
from runner.tables.staging.parts import header_line
from runner.tables.undo.after_images import (
    UNDO,
    WrittenColumn,
    WrittenIndex,
    after_image_files,
    before_image_files,
    read_index,
)
from runner.tables.undo.before_images import BLOCK_ROWS, READ, write_private_csv
from runner.tables.undo.listed import has_repeats, load_listed, mark_exchanged
from runner.tables.undo.rules import (
    ACTS,
    REASON_TEXTS,
    Act,
    Decision,
    Reason,
    act_of,
    decisions,
    exchanged,
)

ROW = "Undone_Row"
"""Column with the number of the record's row in the run's source."""
_IDS_PER_REQUEST = 2_000
_CELLS_PER_GROUP = 250_000
_MOST_PER_GROUP = 50_000
_COPY_BYTES = 1 << 20


class Tally(Struct, frozen=True):
    """Records of one act, counted by what happens to them."""

    undo: int = 0
    nothing: int = 0
    left: tuple[tuple[Reason, int], ...] = ()
    """Those that are left alone, the most frequent reason first."""

    @property
    def left_total(self) -> int:
        """How many are left alone."""
        return sum(count for _, count in self.left)

    @property
    def total(self) -> int:
        """All of them."""
        return self.undo + self.nothing + self.left_total


class TaskComparison:
    """One task's records: loaded from its folder, completed from the org, decided.

    For each of `groups`: `open_group`, ask the org and `add_…` its answers, `decide`. Then `tally`
    and `write_…` cover all groups.
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
            database: The tables of an earlier task are replaced, except what it projected.
            work: Folder for temporary files.
            folder: The task's, with its row results.
            verb: What the task did.
            hard: Whether it deleted past the recycle bin.
            act: The act to run; None only counts all acts.
            projects: Whether to record what records will hold afterwards, for the tasks before it.

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
        self._deletable = True
        self._pieces: list[Path] = []
        self.acts = ACTS[verb] if act is None else (act,)
        self.index = read_index(self._undo) or WrittenIndex((), has_before_images=False)
        database.make_room(len(self.index.fields))
        most = _CELLS_PER_GROUP // (len(self.index.fields) + 1)
        self._group_size = max(_IDS_PER_REQUEST, min(_MOST_PER_GROUP, most))
        with storage_errors("What the run did cannot be read"):
            self._load(folder)
            last = self._all("SELECT max(group_number) FROM all_done")[0][0]
        self.groups = range(0 if last is None else last + 1)

    def open_group(self, group: int) -> None:
        """Start with one group of records; whatever is added next is about these."""
        fields = self.index.fields
        acts = ", ".join(map(literal, self.acts))
        with storage_errors("What the run did cannot be read"):
            self._make("in_group", f"SELECT * FROM all_done WHERE group_number = {group}")
            reads = "SELECT DISTINCT r.* FROM all_reads r SEMI JOIN in_group USING (id15)"
            self._make("reads", reads)
            found = (
                "SELECT g.*, r.block IS NOT NULL AS found FROM in_group g LEFT JOIN reads r"
                f" ON r.id15 = g.id15 AND r.block = (g.row - 1) // {BLOCK_ROWS}"
            )
            act = act_of(self._verb, has_before_images=self.index.has_before_images)
            rows = f"SELECT *, {act} AS act FROM ({found})"
            self._make("done", f"SELECT * FROM ({rows}) WHERE act IN ({acts})")
            self._make("written", "SELECT w.* FROM all_written w SEMI JOIN done USING (row)")
            self._make("before", "SELECT b.* FROM all_before b SEMI JOIN done USING (id15)")
            self._make("parent", _nothing(["place", "id", "key"]))
            self._make("present", _nothing(["id15", *(f"n{at}" for at in range(len(fields)))]))
            self._make("bin", _nothing(["id15", "gone"]))
            self._make("unknown", _nothing(["id15"]))
            self._make("document", _nothing(["id15", "document_id", "is_whole"]))

    def ids(self, act: Act) -> Iterator[list[str]]:
        """Ids of an act's records, as many at a time as the org returns in one request."""
        query = f"SELECT DISTINCT id FROM done WHERE id15 IS NOT NULL AND act = {literal(act)}"
        found = [record_id for (record_id,) in self._all(f"{query} ORDER BY id")]
        for start in range(0, len(found), _IDS_PER_REQUEST):
            yield found[start : start + _IDS_PER_REQUEST]

    def parents(self) -> Iterator[tuple[int, WrittenColumn, list[str]]]:
        """Relationship columns, each with its place and the parents' keys that were sent."""
        for place, column in enumerate(self.index.columns):
            if column.parent is not None:
                sent = f"w{place} IS NOT NULL AND w{place} <> {literal(EXPLICIT_NULL)}"
                found = self._all(f"SELECT DISTINCT w{place} FROM written WHERE {sent}")
                yield place, column, [key for (key,) in found]

    def add_parents(self, place: int, found: Iterable[tuple[str, str]]) -> None:
        """Add Id and key of the parents in the column at a place."""
        self._insert("parent", [(str(place), record_id, key) for record_id, key in found])

    def add_current(self, records: Iterable[Mapping[str, str | None]]) -> None:
        """Add what records hold now; records that are never added no longer exist."""
        names = ("Id", *self.index.fields)
        self._insert("present", [tuple(each.get(one) for one in names) for each in records])

    def add_documents(self, found: Iterable[tuple[str, str, bool]]) -> None:
        """Add the documents of versions, each with whether it has no other version."""
        rows = [(version[:15], document, str(whole).lower()) for version, document, whole in found]
        self._insert("document", rows)

    def add_deleted(self, found: Iterable[tuple[str, bool]]) -> None:
        """Add which records are in the recycle bin (True) or not deleted (False)."""
        self._insert("bin", [(record_id, str(gone).lower()) for record_id, gone in found])

    def add_unknown(self, ids: Iterable[str]) -> None:
        """Add Ids that the org has no record of, not even in the recycle bin."""
        self._insert("unknown", [(record_id[:15],) for record_id in ids])

    def keep_created(self) -> None:
        """Leave what the run created: records of this object cannot be deleted."""
        self._deletable = False

    def decide(self) -> None:
        """Decide what happens to each record of the group."""
        with storage_errors("What to undo cannot be determined"):
            for table in ("present", "bin"):
                self._execute(f"UPDATE {table} SET id15 = left(id15, 15)")
            self._apply_projected()
            self._make("decided", decisions(self.index, hard=self._hard, deletable=self._deletable))
            columns = "act, row, id, decision, why, fields"
            self._execute(f"INSERT INTO all_decided SELECT {columns} FROM decided")
            if self._projects:
                self._project()
            if self._act is not None:
                self._pieces.append(self._write_piece(self._act))

    def tally(self, act: Act) -> Tally:
        """Count an act's records by what happens to them."""
        counted = self._all(
            f"SELECT decision, why, count(*) FROM all_decided WHERE act = {literal(act)}"
            " GROUP BY ALL ORDER BY 3 DESC, 2"
        )
        by = {decision: count for decision, why, count in counted if why is None}
        left = tuple((Reason(why), count) for _, why, count in counted if why is not None)
        return Tally(by.get(Decision.UNDO, 0), by.get(Decision.NOTHING, 0), left)

    def write_rows(self, file: Path) -> tuple[str, ...]:
        """Write the records to put back as a source; return the fields to send.

        Records to delete come last written first, so that no parent is deleted before its children.
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
        """Write the records that are left alone, and the reason."""
        cases = " ".join(f"WHEN {literal(why)} THEN {literal(REASON_TEXTS[why])}" for why in Reason)
        changed = f"CASE WHEN why = '{Reason.CHANGED}' THEN fields END"
        query = (
            f"SELECT row AS sf__Row, id AS sf__Id, why AS sf__Code, CASE why {cases} END"
            f" AS sf__Message, {changed} AS sf__Fields FROM all_decided WHERE act = {literal(act)}"
            f" AND decision = '{Decision.LEFT}' ORDER BY row"
        )
        with storage_errors(f"{file} cannot be written"), atomic_write(file) as beside:
            self._execute(copy_csv(query, beside, header=True))
            beside.chmod(PRIVATE_FILE)

    def rows_listed(self) -> tuple[int, int]:
        """How many rows the result files list as written, and how many as perhaps written."""
        counted = "count(*) FILTER (NOT doubt), count(*) FILTER (doubt)"
        ((written, in_doubt),) = self._all(f"SELECT {counted} FROM results")
        return int(written), int(in_doubt)

    @property
    def _restores(self) -> bool:
        return self._act is Act.RESTORE

    @property
    def _restorable(self) -> list[tuple[int, str]]:
        """Places and names of the fields that an update may write."""
        by_field = {column.field: column.restorable for column in self.index.columns}
        return [(at, each) for at, each in enumerate(self.index.fields) if by_field[each]]

    def _load(self, folder: Path) -> None:
        load_listed(self._database, folder, self._verb)
        self._view("all_written", self._written())
        self._load_before_images()
        if test := exchanged(self.index):
            mark_exchanged(self._database, test)
        repeats = has_repeats(self._database, "results WHERE id15 IS NOT NULL")
        # All rows of a record are in the group of the first one.
        of_record = "CASE WHEN id15 IS NULL THEN row ELSE min(row) OVER (PARTITION BY id15) END"
        first = of_record if repeats else "row"
        group = f"({first} - 1) // {self._group_size}"
        self._make("all_done", f"SELECT *, {group} AS group_number FROM results")
        self._make(
            "all_decided",
            "SELECT '' AS act, CAST(0 AS BIGINT) AS row, '' AS id, '' AS decision, '' AS why,"
            " '' AS fields WHERE false",
        )
        # What the undo of later tasks will have done to records that this one touched, too.
        projected = {"restored": ["id15", "field", "value"]}
        projected |= {"deleted": ["id15"], "undeleted": ["id15"]}
        for table, names in projected.items():
            self._execute(f"CREATE TABLE IF NOT EXISTS {table} AS {_nothing(names)}")

    def _written(self) -> str:
        """What was sent: `row, w0, w1, …, sent_id`."""
        columns = self.index.columns
        if columns and (files := after_image_files(self._database, self._undo, self._work)):
            return f"SELECT * FROM {read_parquet(files)}"
        cells = "".join(f", CAST(NULL AS VARCHAR) AS w{place}" for place in range(len(columns)))
        return f"SELECT CAST(0 AS BIGINT) AS row{cells}, '' AS sent_id WHERE false"

    def _load_before_images(self) -> None:
        """What each record held when it was first read."""
        fields = self.index.fields
        files = before_image_files(self._undo) if self.index.has_before_images else ()
        if not files:
            self._view("all_before", _nothing(["id15", *(f"b{at}" for at in range(len(fields)))]))
            self._view("all_reads", "SELECT '' AS id15, CAST(0 AS BIGINT) AS block WHERE false")
            return
        block = "CAST(regexp_extract(filename, '([0-9]+)[.]parquet$', 1) AS BIGINT) AS block"
        named = read_parquet(files, ", filename = true")
        self._view("all_reads", f"SELECT left(Id, 15) AS id15, {block} FROM {named}")
        cells = "".join(f", {name(each)} AS b{at}" for at, each in enumerate(fields))
        read = (
            f"SELECT left(Id, 15) AS id15, {name(READ)} AS read{cells} FROM {read_parquet(files)}"
        )
        if has_repeats(self._database, f"({read})"):
            first = "QUALIFY row_number() OVER (PARTITION BY id15 ORDER BY read) = 1"
            self._make("first_reads", f"SELECT * FROM ({read}) {first}")
            read = "SELECT * FROM first_reads"
        self._view("all_before", read)

    def _apply_projected(self) -> None:
        """Change what records hold now to what they will hold once later tasks are undone."""
        self._execute("DELETE FROM present WHERE id15 IN (SELECT id15 FROM deleted)")
        self._make("restored_here", "SELECT r.* FROM restored r SEMI JOIN present USING (id15)")
        if self._all("SELECT count(*) FROM restored_here") == [(0,)]:
            return  # a statement for each of some hundred fields takes seconds
        for at, each in enumerate(self.index.fields):
            self._execute(
                f"UPDATE present SET n{at} = r.value FROM restored_here r"
                f" WHERE r.id15 = present.id15 AND r.field = {literal(each)}"
            )

    def _project(self) -> None:
        """Record what the org will hold once this task is undone."""
        undone = f"decision = '{Decision.UNDO}' AND act ="
        for at, each in enumerate(self.index.fields):
            self._execute(
                f"INSERT INTO restored SELECT d.id15, {literal(each)}, b.b{at} FROM decided d"
                f" JOIN before b USING (id15) WHERE {undone} '{Act.RESTORE}' AND restore_{at}"
            )
        for table, act in (("deleted", Act.DELETE), ("undeleted", Act.UNDELETE)):
            query = f"SELECT id15 FROM decided WHERE {undone} '{act}'"
            self._execute(f"INSERT INTO {table} {query}")

    def _write_piece(self, act: Act) -> Path:
        """Write the group's records to put back, for `write_rows`."""
        fields = self._restorable if self._restores else []
        cells = "".join(
            f", CASE WHEN d.restore_{at} THEN coalesce(b.b{at}, {literal(EXPLICIT_NULL)}) END"
            for at, _ in fields
        )
        piece = self._work / f"rows-{len(self._pieces)}.csv"
        order = "d.row" if self._restores else "d.row DESC"
        query = (
            f"SELECT coalesce(document_id, d.id){cells}, d.row FROM decided d"
            " LEFT JOIN before b USING (id15) LEFT JOIN document USING (id15)"
            f" WHERE d.act = {literal(act)} AND d.decision = '{Decision.UNDO}' ORDER BY {order}"
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
        """Insert rows of text through a file, which is faster."""
        if not rows:
            return
        file = self._work / f"{table}.csv"
        try:
            write_private_csv(file, rows)
            columns = [f"c{at}" for at in range(len(rows[0]))]
            with storage_errors("What the org holds cannot be saved"):
                insert = f"INSERT INTO {table} FROM"
                with_rows(
                    file, columns, lambda rows: self._execute(f"{insert} {rows}"), header=False
                )
        except OSError as error:
            raise unwritable(file, error) from error
        finally:
            file.unlink(missing_ok=True)


def _nothing(columns: Sequence[str]) -> str:
    cells = ", ".join(f"CAST(NULL AS VARCHAR) AS {name(column)}" for column in columns)
    return f"SELECT {cells} WHERE false"

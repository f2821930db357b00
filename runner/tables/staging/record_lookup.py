"""Which records the keys of staged rows mean, and what follows for the rows to send.

An update or delete by an external Id sends Ids instead of keys; a row whose key no record has, or
several have, is not sent. An upsert leaves fields that can only be set on creation out of rows
whose record exists, and skips rows by `match`. With `only_changes`, what records hold already is
not sent. Knows staged rows and keys. Knows nothing of how the org is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import UnexpectedAnswerError
from runner.files import atomic_write, unwritable
from runner.job.choices import Match
from runner.tables.database import storage_errors
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.canonical_values import same_key
from runner.tables.staging.chunk import sent_between
from runner.tables.staging.comparison import KNOWN, Comparison
from runner.tables.staging.equality import HeldField
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.problems import (
    BETWEEN_MEMBERS,
    DUPLICATE_KEY,
    LEFT_SCOPE,
    NO_PROBLEM,
    NO_RECORD,
    NOT_MANAGED,
    RECORD_EXISTS,
    SUPERSEDED,
    problem,
    shown,
)
from runner.tables.staging.rewrite import leave_out_unchanged, rewrite_chunks

if TYPE_CHECKING:
    from runner.tables.staging.rows import StagedRows

KEY_NOT_FOUND = "KEY_NOT_FOUND"
KEY_IS_AMBIGUOUS = "KEY_IS_AMBIGUOUS"
OUTSIDE_SCOPE = "OUTSIDE_SCOPE"
"""Of a mirror's row whose record is outside of its scope."""
_OUTSIDE = "left(id, 15) NOT IN (SELECT i FROM in_scope)"
_AT_ONCE = 2_000
"""Keys that are given out together."""
_FAILURE = "Keys cannot be looked up"


class Effects(Struct, frozen=True):
    """What happens to rows whose record exists, or does not."""

    sobject: str
    sends_ids: bool = False
    """Ids are sent instead of keys; rows without one record are rejected."""
    on_create: Collection[str] = ()
    """Fields that are left out of the rows whose record exists."""
    match: Match | None = None
    """Rows that are skipped, because their record does not exist, or does."""
    only_changes: bool = False
    """Whether rows that change nothing are left out, and cells that do not of the others."""
    mirrors: bool = False
    """Whether rows fail whose record is not in the scope that `keep_missing` was given."""
    in_scope: bool = False
    """Whether rows are skipped whose record was not found, since it is not in the scope."""


class Managed(Struct, frozen=True):
    """Which records a mirror may delete: those that it has created."""

    owner: str | None = None
    """What the second column of the scope's records holds of those."""
    ids: Path | None = None
    """A file of their Ids, of 15 characters, one on each line."""


class RecordLookup:
    """The keys of staged rows and the records that have them."""

    def __init__(  # noqa: PLR0913 - the key, and what is read of its records
        self,
        staging: StagedRows,
        key: ColumnMapping,
        key_path: str,
        *,
        tells_case: bool,
        fields: Sequence[HeldField] | None = None,
        also: Sequence[str] = (),
    ) -> None:
        """Collect the keys.

        Args:
            staging: The rows, mapped; some of them are to be sent.
            key: The column of the key.
            key_path: Its field's name in a query.
            tells_case: Whether the org tells `a1` and `A1` apart.
            fields: What else to know of the records, to compare the rows with; None: nothing.
            also: Other fields to read of them.
        """
        self._staging = staging
        self._key = key
        self._tells_case = tells_case
        self._connection = staging.database.connection
        self.comparison = Comparison(staging.mappings, key, fields, also)
        self._has_own_key = key_path != "Id"
        cells = {each.column.field: each.cell for each in staging.mappings}
        wanted = self.comparison.with_prints(
            f"SELECT *, {self._same(key.cell)} AS k FROM {self._sent} WHERE {key.cell} IS NOT NULL",
            cells,
            sent=True,
        )
        prints = ", p, q" if fields else ""
        with storage_errors(_FAILURE):
            self._connection.execute(f"CREATE TABLE wanted AS SELECT row, k{prints} FROM {wanted}")
            self._connection.execute("CREATE TABLE found (row BIGINT, id VARCHAR, held VARCHAR[])")
            (self.count,) = self._connection.execute("SELECT count(*) FROM wanted").fetchall()[0]

    @property
    def folder(self) -> Path:
        """Where the staged rows' files are."""
        return self._staging.folder

    @property
    def paths(self) -> tuple[str, ...]:
        """What to read of each record after its Id and its key."""
        return self.comparison.paths

    def pages_of_keys(self) -> Iterator[list[str]]:
        """The keys, each once, some thousand at a time."""
        with storage_errors(_FAILURE), self._staging.database.cursor() as cursor:
            key = self._key.cell
            keys = f"FROM {self._sent} WHERE {key} IS NOT NULL GROUP BY {self._same(key)}"
            cursor.execute(f"SELECT any_value({key}) {keys}")
            while some := cursor.fetchmany(_AT_ONCE):
                yield [key for (key,) in some]

    def add_file(self, file: Path, *, header: bool = True) -> None:
        """Add records of a CSV file: Id, key unless that is the Id, and `paths`.

        Those that no row names are passed over.

        Raises:
            UnexpectedAnswerError: A record has no Id or no key.
        """
        names = {path: f"h{at}" for at, path in enumerate(self.paths)}
        key = "key" if self._has_own_key else "id"
        records = self.comparison.with_prints(
            f"SELECT *, {self._same(key)} AS k FROM {{}}", names, sent=False
        )
        held = f"[{', '.join(names.values())}]" if names else "NULL"
        if self.comparison.leaves_nothing(()):
            held = f"CASE WHEN w.p = r.p AND w.q = r.q THEN NULL ELSE {held} END"
        # A record without Id or key is of no row: it is counted and refused.
        insert = (
            f"INSERT INTO found SELECT w.row, id, {held} FROM {records} r"
            " LEFT JOIN wanted w USING (k) WHERE w.row IS NOT NULL OR k IS NULL OR id IS NULL"
        )
        bad = "SELECT count(*) FROM found WHERE row IS NULL OR id IS NULL"
        columns = ("id", *(["key"] if self._has_own_key else []), *names.values())
        with storage_errors(_FAILURE):
            with_rows(
                file, columns, lambda r: self._connection.execute(insert.format(r)), header=header
            )
            (without,) = self._connection.execute(bad).fetchall()[0]
        if without:
            raise UnexpectedAnswerError(
                f"{without:,} of the records found by {self._key.column.label} came without "
                "their Id or key"
            )

    def add_planned(self, file: Path) -> None:
        """Add records that do not exist yet, from a CSV file of `id` and `key`."""
        record = f"(SELECT id, {self._same('key')} AS k FROM {{}})"
        nothing = f"CAST([{', '.join('NULL' for _ in self.paths)}] AS VARCHAR[])"
        found = f"SELECT row, id, {nothing} FROM {record} JOIN wanted USING (k)"
        insert = f"INSERT INTO found {found}"

        def add(rows: str) -> None:
            self._connection.execute(insert.format(rows))

        with storage_errors(_FAILURE):
            with_rows(file, ("id", "key"), add)

    def keep_missing(self, scope: Path, to: Path, managed: Managed | None = None) -> None:
        """Note which records are in the scope; keep the Ids of those that are in no row.

        If a row cannot be read, its key is not known, and no file is kept.

        Args:
            scope: A CSV file of the Ids of all records in the scope, and of who owns them.
            to: The file to keep; beside it is another of those that are not `managed`.
            managed: Which may be deleted; None: all.

        Raises:
            StateError: A file cannot be written.
        """
        managed = managed or Managed()
        unmanaged = unmanaged_file(to)
        is_own = f"owner IS NOT DISTINCT FROM {literal(managed.owner)}" if managed.owner else "true"

        def note(rows: str) -> None:
            self._connection.execute(
                f"CREATE OR REPLACE TABLE in_scope AS SELECT left(id, 15) AS i, id, {is_own} AS own"
                f" FROM {rows}"
            )

        def disown(rows: str) -> None:
            self._connection.execute(f"UPDATE in_scope SET own = i IN (SELECT id FROM {rows})")

        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            for file in (to, unmanaged):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(to, error) from error
        with storage_errors(_FAILURE):
            columns = ("id", "owner") if managed.owner else ("id",)
            with_rows(scope, columns, note, header=True)
            if managed.ids is not None:
                with_rows(managed.ids, ("id",), disown, header=False)
            if not self._has_unreadable:
                found = "(SELECT left(id, 15) AS i FROM found)"
                missing = f'SELECT id AS "Id" FROM in_scope ANTI JOIN {found} USING (i)'
                for file, more in ((unmanaged, " WHERE NOT own"), (to, "")):
                    with atomic_write(file) as beside:
                        query = f"{missing}{more} ORDER BY 1"
                        self._connection.execute(copy_csv(query, beside, header=True))
        scope.unlink()

    @property
    def _has_unreadable(self) -> bool:
        """Whether a row is not sent for another reason than another row of its key."""
        known = ", ".join(map(literal, (DUPLICATE_KEY, SUPERSEDED)))
        code = f"split_part(problem, {literal(BETWEEN_MEMBERS)}, 1)"
        return any(
            self._connection.execute(
                f"SELECT 1 FROM {chunk.rejected_rows()} WHERE {code} NOT IN ({known}) LIMIT 1"
            ).fetchall()
            for chunk in self._staging.chunks
            if chunk.problems
        )

    def apply(self, effects: Effects) -> None:
        """Write the rows to send again as what the org has requires; leave `known` behind.

        Raises:
            StateError: The rows cannot be stored.
        """
        self.know()
        key, name, staging = self._key, self._key.column.label, self._staging
        cells: dict[str, str] = _only_where("id IS NULL", effects.on_create, staging.mappings)
        cases = []
        if effects.sends_ids:
            cells[key.cell] = "id"
            none = literal(f"{name}: no {effects.sobject} has the key ")
            several = f"records || {literal(f' of {effects.sobject} have the key ')}"
            several = f"{literal(f'{name}: ')} || {several}"
            cases.append(("id IS NULL", self._problem(KEY_NOT_FOUND, none)))
            cases.append(("records > 1", self._problem(KEY_IS_AMBIGUOUS, several)))
        if effects.match is Match.UPDATE_ONLY:
            none = literal(f"{name}: no {effects.sobject} has the key ")
            cases.append(("id IS NULL", self._problem(NO_RECORD, none)))
        if effects.match is Match.CREATE_ONLY:
            one = literal(f"{name}: a record of {effects.sobject} has the key ")
            cases.append(("id IS NOT NULL", self._problem(RECORD_EXISTS, one)))
        if effects.mirrors:
            other = literal(f"{name}: a record outside of the scope has the key ")
            cases.append((f"id IS NOT NULL AND {_OUTSIDE}", self._problem(OUTSIDE_SCOPE, other)))
        if effects.in_scope:
            text = literal("Id: the record is no longer in the scope")
            cases.append(("id IS NULL", problem(name, LEFT_SCOPE, text)))
        when = "".join(f" WHEN {test} THEN {found}" for test, found in cases)
        why = f"CASE{when} END" if when else NO_PROBLEM
        then, known = NO_PROBLEM, KNOWN
        if effects.only_changes:
            if self.comparison.leaves_nothing(cells) and not effects.mirrors:
                same = f"(SELECT row FROM {KNOWN} WHERE held IS NULL AND records = 1)"
                leave_out_unchanged(staging, same)
                known = f"(FROM {KNOWN} WHERE held IS NOT NULL OR records > 1)"
            cells |= self.comparison.changed_cells(cells)
            then = self.comparison.unchanged
        if cells or cases:
            rewrite_chunks(staging, cells, why, then=then, known=known)
        if effects.sends_ids:
            staging.mappings = tuple(
                replace(each, column=each.column.as_sent) for each in staging.mappings
            )

    def _problem(self, code: str, text: str) -> str:
        """SQL of a problem whose message ends with the key."""
        value = shown(f"s.{self._key.cell}")
        return problem(self._key.column.label, code, f"{text} || '''' || {value} || ''''")

    def know(self) -> None:
        """Make the relation of what is known of each row's record."""
        repeated = "SELECT 1 FROM found GROUP BY row HAVING count(*) > 1 LIMIT 1"
        # Records that several queries have found are still one.
        grouped = (
            f"CREATE TABLE {KNOWN} AS SELECT row, min(id) AS id,"
            " count(DISTINCT left(id, 15)) AS records, first(held) AS held FROM found GROUP BY row"
        )
        with storage_errors(_FAILURE):
            self._connection.execute("DROP TABLE wanted")
            if self._connection.execute(repeated).fetchall():
                self._connection.execute(grouped)
                self._connection.execute("DROP TABLE found")
            else:
                single = "SELECT row, id, 1 AS records, held FROM found"
                self._connection.execute(f"CREATE VIEW {KNOWN} AS {single}")

    @property
    def _sent(self) -> str:
        return sent_between(self._staging.chunks, 1, self._staging.rows_total)

    def _same(self, key: str) -> str:
        return same_key(self._key.column.kind, key, tells_case=self._tells_case)


def unmanaged_file(missing: Path) -> Path:
    """The file of the missing records that a mirror may not delete, beside that of all."""
    return missing.with_name("unmanaged.csv")


def skip_unmanaged(staging: StagedRows, unmanaged: Path, text: str) -> None:
    """Skip the rows of records that a mirror may not delete.

    Args:
        staging: Rows of Ids, mapped.
        unmanaged: The file of the records.
        text: Why.

    Raises:
        StateError: The rows cannot be stored.
    """
    key = next(each for each in staging.mappings if each.column.field == "Id")

    def note(rows: str) -> int:
        table = f"CREATE OR REPLACE TABLE unmanaged AS SELECT left(id, 15) AS i FROM {rows}"
        staging.database.connection.execute(table)
        counted = staging.database.connection.execute("SELECT count(*) FROM unmanaged").fetchall()
        return int(counted[0][0])

    with storage_errors(_FAILURE):
        if not with_rows(unmanaged, ("id",), note, header=True):
            return
    is_not_own = f"left(s.{key.cell}, 15) IN (SELECT i FROM unmanaged)"
    why = f"CASE WHEN {is_not_own} THEN {problem('Id', NOT_MANAGED, literal(text))} END"
    rewrite_chunks(staging, {}, why)


def apply_by_id(staging: StagedRows, effects: Effects) -> None:
    """Apply effects to an upsert by Id without asking: the record of a row with an Id exists.

    Raises:
        StateError: The rows cannot be stored.
    """
    key = next(each for each in staging.mappings if each.column.field == "Id")
    is_new = f"s.{key.cell} IS NULL"
    why = NO_PROBLEM
    if effects.match is Match.UPDATE_ONLY:
        text = literal("Id: blank, so the row would create a record")
        why = f"CASE WHEN {is_new} THEN {problem('Id', NO_RECORD, text)} END"
    if effects.match is Match.CREATE_ONLY:
        text = f"{literal('Id: a record has the Id ')} || s.{key.cell}"
        why = f"CASE WHEN NOT {is_new} THEN {problem('Id', RECORD_EXISTS, text)} END"
    rewrite_chunks(staging, _only_where(is_new, effects.on_create, staging.mappings), why)


def _only_where(
    condition: str, fields: Collection[str], mappings: Sequence[ColumnMapping]
) -> dict[str, str]:
    """SQL of the cells of these fields: blank, and so not sent, unless the condition holds."""
    return {
        each.cell: f"CASE WHEN {condition} THEN s.{each.cell} END"
        for each in mappings
        if each.column.field in fields
    }

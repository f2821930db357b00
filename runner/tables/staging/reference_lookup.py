"""Which records the values of staged rows mean, and the Ids that are sent in place of the values.

A field that is looked up is staged with its key, and with a further cell for each other key. Once
the org was asked, `put_ids` writes the Ids and leaves the further cells out. Knows staged rows and
keys. Knows nothing of how the org is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.job.choices import Blank
from runner.job.endpoints import EXPLICIT_NULL
from runner.job.lookups import Many, Missing
from runner.tables.database import storage_errors
from runner.tables.field_types import FieldKind
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.canonical_values import same_key
from runner.tables.staging.chunk import sent_between
from runner.tables.staging.problems import (
    BETWEEN_PROBLEMS,
    NO_LOOKUP,
    NO_PROBLEM,
    problem,
    shown,
)
from runner.tables.staging.rewrite import rewrite_chunks

if TYPE_CHECKING:
    from runner.tables.staging.rows import StagedRows

LOOKUP_NOT_FOUND = "LOOKUP_NOT_FOUND"
LOOKUP_IS_AMBIGUOUS = "LOOKUP_IS_AMBIGUOUS"
_AT_ONCE = 2_000
"""Keys that are given out together."""
_SHOWN_IDS = 3
"""Of several records, how many a message names."""
_FAILURE = "Records cannot be looked up"
_NULL = literal(EXPLICIT_NULL)


class Key(Struct, frozen=True):
    """One of the values that identify the record."""

    name: str
    """The field that it is compared with."""
    kind: FieldKind
    tells_case: bool

    def same(self, value: str) -> str:
        """SQL of a text that equal values have in common; '' for blank."""
        found = same_key(self.kind, f"nullif({value}, {_NULL})", tells_case=self.tells_case)
        return f"coalesce({found}, '')"


class Wanted(Struct, frozen=True):
    """What is looked up for one field, and what follows."""

    field: str
    keys: tuple[Key, ...]
    missing: Missing
    many: Many
    said: str
    """What a record is called: `Account`, `user or queue`."""
    restricted: bool = False
    """Whether other conditions keep records out."""


class ReferenceLookup:
    """The values of one field's rows, each once, and the records that have them."""

    def __init__(self, staging: StagedRows, wanted: Wanted, cells: Sequence[str]) -> None:
        """Collect the values.

        Args:
            staging: The rows, mapped.
            wanted: What is looked up.
            cells: The names of the cells of the keys, in their order.

        Raises:
            StateError: The rows cannot be read.
        """
        self.wanted = wanted
        self.cells = tuple(cells)
        self._staging = staging
        self._connection = staging.database.connection
        self._asked, self._found = f"asked_{cells[0]}", f"found_{cells[0]}"
        self._known = f"known_{cells[0]}"
        rows = sent_between(staging.chunks, 1, staging.rows_total)
        named = ", ".join(f"{same} AS k{at}" for at, same in enumerate(self.same_in("")))
        with storage_errors(_FAILURE):
            self._connection.execute(
                f"CREATE TABLE {self._asked} AS SELECT {named}, any_value({cells[0]}) AS key"
                f" FROM {rows} WHERE {is_given(cells[0])} GROUP BY {self._ks}"
            )
            self._connection.execute(f"CREATE TABLE {self._found} ({self._typed_ks}, id VARCHAR)")
        self.leave_out(())

    def leave_out(self, files: Sequence[Path]) -> None:
        """Do not ask for values that these files of `save_keys` have, and no others."""

        def insert(rows: str) -> None:
            self._connection.execute(f"INSERT INTO {self._known} SELECT k0 FROM {rows}")

        with storage_errors(_FAILURE):
            self._connection.execute(f"CREATE OR REPLACE TABLE {self._known} (k0 VARCHAR)")
            for file in files:
                with_rows(file, ("k0",), insert, header=False)

    def save_keys(self, file: Path) -> None:
        """Write the values of the first key, in the form in which equal ones are the same."""
        keys = f"SELECT DISTINCT k0 FROM {self._asked}"
        with storage_errors(_FAILURE):
            self._connection.execute(copy_csv(keys, file, header=False))

    @property
    def count(self) -> int:
        """How many values of the first key there are to ask for."""
        counted = f"SELECT count(DISTINCT k0) FROM {self._to_ask}"
        with storage_errors(_FAILURE):
            return int(self._connection.execute(counted).fetchall()[0][0])

    @property
    def folder(self) -> Path:
        """Where the staged rows' files are."""
        return self._staging.folder

    def pages_of_keys(self) -> Iterator[list[str]]:
        """The values of the first key, some thousand at a time."""
        with storage_errors(_FAILURE), self._staging.database.cursor() as cursor:
            cursor.execute(f"SELECT any_value(key) FROM {self._to_ask} GROUP BY k0")
            while some := cursor.fetchmany(_AT_ONCE):
                yield [key for (key,) in some]

    def add_planned(self, file: Path) -> None:
        """Add records that do not exist yet, from a CSV file like that of `add_file`."""
        self.add_file(file)

    def add_file(self, file: Path, *, header: bool = True) -> None:
        """Add records of a CSV file of Id and keys; records that no row names are skipped."""
        keys = self.wanted.keys
        names = [f"v{at}" for at in range(len(keys))]
        same = [f"{key.same(names[at])} AS k{at}" for at, key in enumerate(keys)]

        def insert(rows: str) -> None:
            self._connection.execute(
                f"INSERT INTO {self._found} SELECT {self._ks}, id"
                f" FROM (SELECT id, {', '.join(same)} FROM {rows})"
                f" SEMI JOIN {self._asked} USING ({self._ks})"
            )

        with storage_errors(_FAILURE):
            with_rows(file, ("id", *names), insert, header=header)

    def result(self) -> str:
        """Write the relation of what was found: `k0, k1, …`, `id`, `records` and `ids`."""
        return (
            f"(SELECT {self._ks}, min(id) AS id, count(DISTINCT left(id, 15)) AS records,"
            f" array_to_string(list_sort(list(DISTINCT id))[:{_SHOWN_IDS}], ', ') AS ids"
            f" FROM {self._found} GROUP BY {self._ks})"
        )

    def same_in(self, row: str) -> list[str]:
        """SQL of what each cell of a row has in common with equal values."""
        pairs = zip(self.wanted.keys, self.cells, strict=True)
        return [key.same(f"{row}{cell}") for key, cell in pairs]

    @property
    def _to_ask(self) -> str:
        return f"(FROM {self._asked} ANTI JOIN {self._known} USING (k0))"

    @property
    def _ks(self) -> str:
        return ", ".join(f"k{at}" for at in range(len(self.cells)))

    @property
    def _typed_ks(self) -> str:
        return ", ".join(f"k{at} VARCHAR" for at in range(len(self.cells)))


def is_given(cell: str) -> str:
    """SQL of whether a cell has a value to look up; never NULL."""
    return f"coalesce({cell} <> {_NULL}, false)"


def put_ids(staging: StagedRows, lookups: Sequence[ReferenceLookup], width: int) -> None:
    """Write the rows to send again, with Ids, and without those whose records are not found.

    Args:
        staging: The rows, mapped.
        lookups: Each field's, answered; none if there are no rows to send.
        width: How many cells are sent; the others were only needed to look up.

    Raises:
        StateError: The rows cannot be stored.
    """
    if lookups:
        _rewrite(staging, lookups, width)
    else:
        rewrite_chunks(staging, {}, width=width)
    staging.mappings = tuple(
        replace(each, column=each.column.as_sent) for each in staging.mappings[:width]
    )


def _rewrite(staging: StagedRows, lookups: Sequence[ReferenceLookup], width: int) -> None:
    with storage_errors(_FAILURE):
        staging.database.connection.execute(f"CREATE TABLE referred AS {_known(staging, lookups)}")
    cells = {each.cells[0]: _cell(each, staging.blank, at) for at, each in enumerate(lookups)}
    failures = [found for at, each in enumerate(lookups) for found in _failures(each, at)]
    skips = [_skip(each, at) for at, each in enumerate(lookups)]
    # Lookups that take what is missing as blank, and the first of many, have no failures.
    joined = f"concat_ws({literal(BETWEEN_PROBLEMS)}, {', '.join([NO_PROBLEM, *failures])})"
    why = f"coalesce(nullif({joined}, ''), {', '.join(skips)})"
    rewrite_chunks(staging, cells, why, known="referred", width=width)


def blanked_rows(staging: StagedRows, lookup: ReferenceLookup, place: int) -> int:
    """How many rows name no record of a lookup that takes them as blank; after `put_ids`.

    Args:
        staging: The rows.
        lookup: The lookup.
        place: Its place among those of `put_ids`, from 0.
    """
    if lookup.wanted.missing is not Missing.BLANK:
        return 0
    counted = f"SELECT count(*) FROM referred WHERE given{place} AND records{place} IS NULL"
    with storage_errors(_FAILURE):
        return int(staging.database.connection.execute(counted).fetchall()[0][0])


def _known(staging: StagedRows, lookups: Sequence[ReferenceLookup]) -> str:
    """SQL of what is known of each row that names a record."""
    chosen, joins = ["s.row AS row"], []
    for at, each in enumerate(lookups):
        given = is_given(f"s.{each.cells[0]}")
        chosen.append(f"{given} AS given{at}")
        chosen += [f"r{at}.{name} AS {name}{at}" for name in ("id", "records", "ids")]
        same = [f"{key} = r{at}.k{n}" for n, key in enumerate(each.same_in("s."))]
        joins.append(f"LEFT JOIN {each.result()} r{at} ON {' AND '.join([given, *same])}")
    rows = sent_between(staging.chunks, 1, staging.rows_total)
    given = " OR ".join(is_given(f"s.{each.cells[0]}") for each in lookups)
    return f"SELECT {', '.join(chosen)} FROM {rows} s {' '.join(joins)} WHERE {given}"


def _cell(lookup: ReferenceLookup, blank: Blank, at: int) -> str:
    cell = f"s.{lookup.cells[0]}"
    nothing = _NULL if blank is Blank.CLEAR else "NULL"
    return f"CASE WHEN {is_given(cell)} THEN coalesce(k.id{at}, {nothing}) ELSE {cell} END"


def _failures(lookup: ReferenceLookup, at: int) -> Iterator[str]:
    wanted = lookup.wanted
    if wanted.missing is Missing.ERROR:
        yield _not_found(lookup, at, LOOKUP_NOT_FOUND)
    if wanted.many is Many.ERROR:
        several = literal(f" records of {wanted.said} have ")
        start = f"{literal(f'{wanted.field}: ')} || k.records{at} || {several}"
        rest = f"CASE WHEN k.records{at} > {_SHOWN_IDS} THEN ', …' ELSE '' END"
        message = f"{start} || {_values(lookup)} || ': ' || k.ids{at} || {rest}"
        found = problem(wanted.field, LOOKUP_IS_AMBIGUOUS, message)
        yield f"CASE WHEN k.records{at} > 1 THEN {found} END"


def _skip(lookup: ReferenceLookup, at: int) -> str:
    is_skipped = lookup.wanted.missing is Missing.SKIP
    return _not_found(lookup, at, NO_LOOKUP) if is_skipped else NO_PROBLEM


def _not_found(lookup: ReferenceLookup, at: int, code: str) -> str:
    wanted = lookup.wanted
    start = literal(f"{wanted.field}: no {wanted.said} has ")
    end = literal(" where the lookup's condition holds" if wanted.restricted else "")
    found = problem(wanted.field, code, f"{start} || {_values(lookup)} || {end}")
    return f"CASE WHEN k.given{at} AND k.records{at} IS NULL THEN {found} END"


def _values(lookup: ReferenceLookup) -> str:
    """SQL of what a row says of its record: `Name 'Acme' and BillingCity 'Bonn'`."""
    pairs = zip(lookup.wanted.keys, lookup.cells, strict=True)
    said = [
        f"{literal(f'{key.name} ')} || coalesce('''' || {shown(f's.{cell}')} || '''', 'blank')"
        for key, cell in pairs
    ]
    return " || ' and ' || ".join(said)

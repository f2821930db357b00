"""The rows that a task's result files list, and whether their Ids are as the org returned them.

The first step of a comparison. People open these files in Excel and save them again, so their bytes
are no proof of anything; Ids are checked one by one. Knows the files and the shape of an Id. Knows
nothing of what the org holds.

Source: an Id of 18 characters ends with three that say which of the other fifteen are upper case.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.job.model import Verb
from runner.tables.database import Database
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import literal, name
from runner.tables.staging.parts import read_header

_COLUMNS = ("sf__Row", "sf__Id", "sf__Created")
_CHECK = literal("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345")
_ID = literal("[0-9A-Za-z]{15}([A-Z0-5]{3})?")
_GROUP = 5
_ONCE = frozenset({Verb.CREATE, Verb.DELETE})
"""Verbs that write no record twice."""


def load_listed(database: Database, folder: Path, verb: Verb) -> None:
    """Make the table `results`: row, id, id15, created, doubt, and whether the Id is damaged.

    A damaged Id has no `id15`, so that it never stands for another record.
    """
    for table in ("succeeded", "in_doubt"):
        _load(database, table, folder / f"{table}.csv")
    cells = "CAST(sf__Row AS BIGINT) AS row, sf__Id AS id"
    listed = (
        f"SELECT {cells}, CAST(sf__Created AS BOOLEAN) AS created, false AS doubt FROM succeeded"
        f" UNION ALL SELECT {cells}, NULL, true FROM in_doubt"
    )
    _make(
        database,
        "results",
        f"SELECT row, id, CASE WHEN is_whole THEN left(id, 15) END AS id15, created, doubt,"
        " NOT doubt AND NOT is_whole AS damaged"
        f" FROM (SELECT *, coalesce({_is_whole('id')}, false) AS is_whole FROM ({listed}))",
    )
    if verb in _ONCE and has_repeats(database, "results WHERE id15 IS NOT NULL"):
        again = "row_number() OVER (PARTITION BY id15 ORDER BY row) > 1 AND id15 IS NOT NULL"
        cells = f"* REPLACE (NOT doubt AND (damaged OR {again}) AS damaged)"
        alone = "* REPLACE (CASE WHEN NOT damaged THEN id15 END AS id15)"
        _make(database, "results", f"SELECT {alone} FROM (SELECT {cells} FROM results)")


def mark_exchanged(database: Database, test: str) -> None:
    """Make those rows damaged whose Id is of another record of the run than they were sent for.

    Args:
        database: Has `results`, and what was sent and what was there before.
        test: The rule, as SQL.
    """
    tested = (
        f"SELECT r.*, NOT r.doubt AND r.id15 IS NOT NULL AND coalesce({test}, false) AS is_other"
        " FROM results r LEFT JOIN all_written w ON w.row = r.row"
        " LEFT JOIN all_before b ON b.id15 = r.id15"
    )
    whole = "CASE WHEN NOT is_other THEN id15 END AS id15, damaged OR is_other AS damaged"
    _make(database, "results", f"SELECT * EXCLUDE (is_other) REPLACE ({whole}) FROM ({tested})")


def has_repeats(database: Database, relation: str) -> bool:
    """Whether a record appears in several rows."""
    groups = f"SELECT id15 FROM {relation} GROUP BY id15 HAVING count(*) > 1 LIMIT 1"
    return bool(database.connection.execute(groups).fetchall())


def _is_whole(text: str) -> str:
    """SQL of whether a text is an Id whose check characters, if it has any, are right."""
    checks = " || ".join(_check_character(text, start) for start in range(1, 15, _GROUP))
    return f"regexp_full_match({text}, {_ID}) AND substr({text}, 16) IN ('', {checks})"


def _check_character(text: str, start: int) -> str:
    letters = (f"substr({text}, {start + bit}, 1) BETWEEN 'A' AND 'Z'" for bit in range(_GROUP))
    bits = " + ".join(f"{1 << bit} * ({each})::INT" for bit, each in enumerate(letters))
    return f"substr({_CHECK}, 1 + {bits}, 1)"


def _load(database: Database, table: str, file: Path) -> None:
    """Make a table of some columns of a result file; it is empty if there is no file."""
    nulls = ", ".join(f"CAST(NULL AS VARCHAR) AS {name(column)}" for column in _COLUMNS)
    _make(database, table, f"SELECT {nulls} WHERE false")
    if not file.exists():
        return
    header = read_header(file)
    names: Sequence[str] = tuple(f"r{place}" for place in range(len(header)))
    cell_of = dict(zip(header, names, strict=True))
    cells = ", ".join(cell_of.get(column, "NULL") for column in _COLUMNS)
    insert = f"INSERT INTO {table} SELECT {cells} FROM"
    with_rows(file, names, lambda rows: database.connection.execute(f"{insert} {rows}"))


def _make(database: Database, table: str, query: str) -> None:
    database.connection.execute(f"CREATE OR REPLACE TABLE {table} AS {query}")

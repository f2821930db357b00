"""Whether expressions without a column fit their fields, which is known before there are rows.

The rules are those of staging: one row is staged. Knows nothing of jobs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import gettempdir

from runner.errors import SourceError
from runner.job.choices import Blank
from runner.tables.database import Database
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.staging.as_is import CANONICAL_TEXT
from runner.tables.staging.canonical_values import open_database
from runner.tables.staging.expressions import parse
from runner.tables.staging.mapping import Pass, check_expressions, map_columns, staging_query
from runner.tables.staging.problems import (
    BETWEEN_MEMBERS,
    BETWEEN_PROBLEMS,
    UNCOMPUTABLE,
    label_of,
)

_LITERAL = re.compile(
    r"\s*(?:'(?P<text>(?:[^']|'')*)'|(?P<bare>-?\d+(?:\.\d+)?|true|false|null))\s*",
    re.ASCII | re.IGNORECASE,
)

_COLUMNS = ("nothing",)
_ROW = "(SELECT 'x' AS nothing)"
"""The source of a constant: one row."""


def constant_text(expression: str) -> str | None:
    """The text that an expression is, where it is nothing but a quoted text."""
    found = _LITERAL.fullmatch(expression)
    text = found["text"] if found else None
    return None if text is None else text.replace("''", "'")


def misfits(columns: Sequence[MappedColumn], timezone: str) -> Iterator[tuple[MappedColumn, str]]:
    """The columns whose expression is a constant that no row can send, and why.

    Args:
        columns: Those with an expression; one that names a column of the source always fits.
        timezone: Of datetimes without one.
    """
    left = [each for each in columns if _is_constant(each) and not _fits_as_written(each)]
    if not left:
        return
    database = open_database(Path(gettempdir()))  # one row: nothing is written there
    try:
        database.set_timezone(timezone)
        for each in left:
            why = _problem(database, each)
            if why:
                yield each, why
    finally:
        database.close()


def _is_constant(column: MappedColumn) -> bool:
    if column.expression is None or column.is_file:
        return False
    expression = parse(column.expression)
    return not (expression.columns or expression.is_volatile)


def _fits_as_written(column: MappedColumn) -> bool:
    """Whether it certainly fits, found without DuckDB, which takes long to load."""
    found = _LITERAL.fullmatch(column.expression or "")
    if found is None:
        return False
    bare = found["bare"]
    text = found["text"].replace("''", "'") if bare is None else bare.lower()
    if not text or text == "null":
        return True
    if column.kind is FieldKind.TEXT:
        most = column.max_length
        return "\0" not in text and (column.is_cut or most is None or len(text) <= most)
    if column.kind is FieldKind.BOOLEAN:
        return text in {"true", "false"}
    form = CANONICAL_TEXT.get(column.kind, "")
    # Whether the day of a moment exists, is left to DuckDB.
    return column.kind is not FieldKind.DATETIME and re.fullmatch(form, text) is not None


def _problem(database: Database, column: MappedColumn) -> str | None:
    mappings = map_columns([column], _COLUMNS, lambda _column: ())
    try:
        mappings = check_expressions(database.connection, mappings, _COLUMNS)
    except SourceError as error:
        return error.message
    query = staging_query(mappings, _COLUMNS, _ROW, Blank.KEEP, Pass())
    (found,) = database.connection.execute(f"SELECT problem FROM ({query})").fetchall()[0]
    if not found:
        return None
    code, _, message = str(found).split(BETWEEN_PROBLEMS, 1)[0].split(BETWEEN_MEMBERS, 2)
    if code == UNCOMPUTABLE:
        return "the expression fails for every row"
    return message.removeprefix(f"{label_of(column)}: ")

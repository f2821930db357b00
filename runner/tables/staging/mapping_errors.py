"""Columns that a mapping uses and the source lacks, and expressions that DuckDB refuses.

Knows the messages. Knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import SourceError, StorageError
from runner.suggest import did_you_mean, in_words, members_hint
from runner.tables.database import first_line
from runner.tables.field_types import MappedColumn
from runner.tables.sources.csv import load_error
from runner.tables.staging.expressions import parse

if TYPE_CHECKING:
    from runner.tables import duckdb
    from runner.tables.staging.mapping import ColumnMapping


def unbound_expression(
    column: MappedColumn, error: duckdb.Error, source_columns: Sequence[str]
) -> SourceError:
    """An expression that DuckDB refuses to look up."""
    known = {c.lower() for c in source_columns}
    expression = column.expression or ""
    for used in parse(expression).columns:
        if used.lower() not in known and used.lower() in str(error).lower():
            return missing_column(column, used, source_columns)
    return SourceError(
        f"`fields`: {column.field}: {first_line(error)}.",
        hint="Every source column is text; convert it, e.g. CAST(amount AS DECIMAL(18,2)).",
    )


def missing_column(column: MappedColumn, used: str, source_columns: Sequence[str]) -> SourceError:
    """A column that an expression uses, or that is named like the field, is not in the source."""
    expression = (column.expression or "").strip()
    hints = []
    if expression.lower() in {each.lower() for each in source_columns}:
        hints.append(f"Put the column's name in double quotes: {column.field}: '\"{expression}\"'.")
    elif hint := members_hint(used, source_columns):
        hints.append(hint)
    else:
        if expression == used:
            hints.append(f"Fixed text is in single quotes: {column.field}: \"'{used}'\".")
        if guess := did_you_mean(used, source_columns):
            hints.append(guess)
    hints.append(f"It has: {', '.join(source_columns)}.")
    return SourceError(f"{column.field}: the source has no column {used!r}.", hint=" ".join(hints))


def list_in_field(column: MappedColumn) -> SourceError:
    """A column with lists fills a field that is no multi-select picklist."""
    used = (column.expression or column.field).strip()
    return SourceError(
        f"{column.field}: the source's column {used!r} has lists, which only a multi-select"
        " picklist takes.",
        hint=f"Map one element, as in {column.field}: \"{used}->>'$[0]'\", or another column.",
    )


def object_in_field(column: MappedColumn) -> SourceError:
    """A column has single values in some rows and objects in others."""
    used = (column.expression or column.field).strip().strip('"')
    return SourceError(
        f"{column.field}: the source's column {used!r} is an object in some rows and"
        " one value in others.",
        hint=f"Say what to send: {column.field}: 'coalesce({used}, \"{used}.member\")'.",
    )


def nested_expression(column: MappedColumn, kind: str) -> SourceError:
    """An expression gives a list for a field that takes one value, or a structure."""
    if kind.endswith("]"):
        what, hint = "a list", "array_to_string(string_split(names, ','), ';')"
    else:
        what, hint = "a structure", "struct_extract(address, 'city')"
    return SourceError(
        f"`fields`: {column.field}: the expression gives {what} ({kind}), not one value.",
        hint=f"Make it one, as in {hint}.",
    )


def unmapped_rows(
    path: Path, mappings: Sequence[ColumnMapping], error: Exception
) -> SourceError | StorageError:
    """Rows that cannot be read, or an expression that fails and takes its task with it.

    Most expressions that fail for a row fail that row only. DuckDB cannot do that where it calls
    something volatile, as `error()` is, nor with a time zone that does not exist.
    """
    found = load_error(path, error)
    computed = [each for each in mappings if each.computed is not None]
    if not computed or isinstance(found, StorageError) or "CSV" in found.message:
        return found
    fields = [each.column.field for each in computed if each.is_volatile]
    fields = fields or [each.column.field for each in computed]
    return SourceError(
        f"`fields`: {in_words(fields, 'or')}: the expression fails for a row: {first_line(error)}.",
        hint="Nothing was sent. Let the expression give NULL for such a row, or leave the row out.",
    )

"""SQL text: quoted names and values, and CSV that DuckDB reads and writes without guessing.

Knows SQL. Knows nothing of what the columns mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LEAST_BUFFER_BYTES = 2_000_000
_ESCAPED = {"\n": r"\n", "\r\n": r"\r\n", "\r": r"\r"}


def name(text: str) -> str:
    """Quote an identifier."""
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a UTF-8 CSV file is written; all its columns are text."""

    columns: tuple[str, ...]
    """In the order of the file."""
    longest_row_bytes: int
    """No row has more; DuckDB allocates a buffer of this size."""
    delimiter: str = ","
    quote: str = '"'
    line_end: str = "\n"
    """LF, CRLF or CR: what ends a record; values may contain any of them."""
    ragged: bool = False
    """Rows may end early: missing values are blank."""


def read_csv(
    file: Path, dialect: CsvDialect, *, header: bool = False, empty_is_null: bool = True
) -> str:
    """Write the relation of a CSV file.

    Args:
        file: The file.
        dialect: Its columns and how it is written.
        header: Whether to skip the first record.
        empty_is_null: Whether two quotes are NULL, as an unquoted blank is, or an empty text.
    """
    types = ", ".join(f"{literal(c)}: 'VARCHAR'" for c in dialect.columns)
    size = max(dialect.longest_row_bytes + 2, _LEAST_BUFFER_BYTES)
    options = {
        "auto_detect": "false",
        "header": str(header).lower(),
        "delim": literal(dialect.delimiter),
        "quote": literal(dialect.quote),
        "escape": literal(dialect.quote),
        "new_line": literal(_ESCAPED[dialect.line_end]),
        "columns": f"{{{types}}}",
        "null_padding": str(dialect.ragged).lower(),
        "allow_quoted_nulls": str(empty_is_null).lower(),
        "max_line_size": str(size),
        "buffer_size": str(size),
    }
    if dialect.ragged:
        # Padding requires it; elsewhere it would let an unclosed quote pass.
        options["parallel"] = "false"
    arguments = ", ".join(f"{key} = {value}" for key, value in options.items())
    return f"read_csv({literal(str(file))}, {arguments})"


def read_records(file: Path, dialect: CsvDialect, columns: Sequence[str]) -> str:
    """Write the relation of a file's records without a header, in their order, blank being NULL.

    Args:
        file: The file.
        dialect: How it is written.
        columns: Its columns, in the order wanted.
    """
    own = dialect.columns
    if len(own) == 1 and not dialect.ragged:
        # With one column, an empty line is no row, and two quotes are a row of one blank.
        cell = name(own[0])
        read = read_csv(file, dialect, empty_is_null=False)
        return f"(SELECT nullif({cell}, '') AS {cell} FROM {read} WHERE {cell} IS NOT NULL)"
    read = read_csv(file, dialect)
    if own != tuple(columns):
        return f"(SELECT {', '.join(map(name, columns))} FROM {read})"
    return read


def copy_csv(query: str, file: Path, *, header: bool) -> str:
    """Write the statement that writes a query's rows as plain CSV: UTF-8, LF, quotes as needed."""
    return (
        f"COPY ({query}) TO {literal(str(file))}"
        f" (FORMAT csv, HEADER {str(header).lower()}, DELIMITER ',', QUOTE '\"', ESCAPE '\"')"
    )

"""How DuckDB is told to read and write CSV, with nothing left to guessing.

Knows SQL. Knows nothing of what the columns mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.job.endpoints import FileShape
from runner.tables.sql import literal

_LEAST_BUFFER_BYTES = 2_000_000
_ESCAPED = {"\n": r"\n", "\r\n": r"\r\n", "\r": r"\r"}


def read_csv(  # noqa: PLR0913 - how a file is spelled has as many sides
    file: Path,
    columns: Sequence[str],
    shape: FileShape,
    *,
    longest_row_bytes: int,
    line_end: str = "\n",
    header: bool = False,
    ragged: bool = False,
    tell_blank: bool = False,
) -> str:
    """Write the relation of a UTF-8 CSV file whose columns are all text, blank being NULL.

    Args:
        file: The file.
        columns: Their names, in order.
        shape: Delimiter and quote; the encoding is not looked at.
        longest_row_bytes: No row has more; memory of that size is taken.
        line_end: LF, CRLF or CR: what ends a record; values may hold any of them.
        header: Whether the first record is to be left out.
        ragged: Whether rows may end early.
        tell_blank: Whether two quotes are an empty text and not NULL.
    """
    types = ", ".join(f"{literal(c)}: 'VARCHAR'" for c in columns)
    size = max(longest_row_bytes + 2, _LEAST_BUFFER_BYTES)
    options = {
        "auto_detect": "false",
        "header": str(header).lower(),
        "delim": literal(shape.delimiter),
        "quote": literal(shape.quote),
        "escape": literal(shape.quote),
        "new_line": literal(_ESCAPED[line_end]),
        "columns": f"{{{types}}}",
        "null_padding": str(ragged).lower(),
        "allow_quoted_nulls": str(not tell_blank).lower(),
        "max_line_size": str(size),
        "buffer_size": str(size),
    }
    if ragged:
        # Padding takes no less; elsewhere it would let a quote that is never closed go by.
        options["parallel"] = "false"
    written = ", ".join(f"{key} = {value}" for key, value in options.items())
    return f"read_csv({literal(str(file))}, {written})"


def copy_csv(query: str, file: Path, *, header: bool) -> str:
    """Write the statement that writes a query's rows as plain CSV: UTF-8, LF, quotes as needed."""
    return (
        f"COPY ({query}) TO {literal(str(file))}"
        f" (FORMAT csv, HEADER {str(header).lower()}, DELIMITER ',', QUOTE '\"', ESCAPE '\"')"
    )

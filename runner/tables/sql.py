"""SQL text: quoted names and values, and CSV that DuckDB reads and writes without guessing.

Knows SQL. Knows nothing of what the columns mean.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

_LEAST_BUFFER_BYTES = 2_000_000
_CSV_OPTIONS = {
    "auto_detect": "false",
    "comment": "''",
    "compression": "'none'",
    "decimal_separator": "'.'",
    "encoding": "'utf-8'",
    "file_row_number": "false",
    "filename": "false",
    "header": "false",
    "hive_partitioning": "false",
    "ignore_errors": "false",
    "normalize_names": "false",
    "skip": "0",
    "store_rejects": "false",
    "union_by_name": "false",
}
"""The same for every file. `strict_mode` is left at its default, true: where it is written out,
DuckDB 2.0.1 joins the records of a file with CRLF, silently."""
BLANKS = " \t\n\r\f\v"
"""White space of which a value may consist and still be blank."""
_ESCAPED = {"\n": r"\n", "\r\n": r"\r\n", "\r": r"\r"}


def name(text: str) -> str:
    """Quote an identifier."""
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"


def utc_text(moment: str) -> str:
    """SQL of a moment as the org writes it, in UTC and milliseconds."""
    return f"strftime(timezone('UTC', {moment}), '%Y-%m-%dT%H:%M:%S.%gZ')"


def once(value: str, variable: str, expression: str) -> str:
    """Write the SQL of an expression that uses a value several times, as a variable.

    A value that is written out several times is planned as many times, for each statement, and may
    be computed for rows that do not need it.
    """
    return f"list_transform([{value}], lambda {variable}: {expression})[1]"


class CsvDialect(Struct, frozen=True):
    """How a UTF-8 CSV file is written; all its columns are text."""

    columns: tuple[str, ...]
    """In the order of the file."""
    longest_row_bytes: int
    """No row, and no file, has more; DuckDB allocates a buffer of this size."""
    delimiter: str = ","
    quote: str = '"'
    line_end: str = "\n"
    """LF, CRLF or CR: what ends a record; values may contain any of them."""
    ragged: bool = False
    """Rows may end early: missing values are blank."""
    nulls: tuple[str, ...] = ()
    """Values that mean a blank."""

    def is_plain(self, columns: Sequence[str]) -> bool:
        """Whether `copy_csv` writes the same one for these columns, in their order."""
        signs = (self.delimiter, self.quote, self.line_end)
        is_usual = signs == (",", '"', "\n") and not (self.ragged or self.nulls)
        return is_usual and self.columns == tuple(columns)


def read_csv(
    files: Path | Sequence[Path], dialect: CsvDialect, *, empty_is_null: bool = True
) -> str:
    """Write the relation of CSV files without a header; the only call of DuckDB's CSV reader.

    Every option is given, because a default may change values: a folder called `Name=x` above the
    file would fill the column `Name` (`hive_partitioning`). A file is read in one buffer: where it
    takes several, DuckDB refuses some valid files with long quoted texts. `parallel = false` reads
    those, but takes memory for the whole file, and drops a last value whose quote is never closed.

    Args:
        files: The files, none larger than the dialect's longest row; `csv_pieces` cuts larger ones.
        dialect: Their columns and how they are written.
        empty_is_null: Whether two quotes are NULL, as an unquoted blank is, or an empty text.
    """
    listed = [files] if isinstance(files, Path) else files
    types = ", ".join(f"{literal(c)}: 'VARCHAR'" for c in dialect.columns)
    size = max(dialect.longest_row_bytes + 2, _LEAST_BUFFER_BYTES)
    options = _CSV_OPTIONS | {
        "delim": literal(dialect.delimiter),
        "quote": literal(dialect.quote),
        "escape": literal(dialect.quote),
        "new_line": literal(_ESCAPED[dialect.line_end]),
        "columns": f"{{{types}}}",
        "nullstr": f"[{', '.join(map(literal, ('', *dialect.nulls)))}]",
        "null_padding": str(dialect.ragged).lower(),
        # Padding requires that it is off.
        "parallel": str(not dialect.ragged).lower(),
        "allow_quoted_nulls": str(empty_is_null).lower(),
        "max_line_size": str(size),
        "buffer_size": str(size),
    }
    arguments = ", ".join(f"{key} = {value}" for key, value in options.items())
    return f"read_csv([{', '.join(literal(str(file)) for file in listed)}], {arguments})"


def read_parquet(files: Sequence[Path], more: str = "") -> str:
    """Write the relation of Parquet files, whose columns are their own: no folder's name adds one.

    Args:
        files: At least one.
        more: Further options, each after a comma.
    """
    listed = ", ".join(literal(str(file)) for file in files)
    return f"read_parquet([{listed}], hive_partitioning = false{more})"


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
        read = read_csv(file, replace(dialect, nulls=()), empty_is_null=False)
        blanks = ", ".join(map(literal, ("", *dialect.nulls)))
        value = f"CASE WHEN {cell} IN ({blanks}) THEN NULL ELSE {cell} END"
        return f"(SELECT {value} AS {cell} FROM {read} WHERE {cell} IS NOT NULL)"
    # DuckDB's reader takes no value that would have to be in quotes.
    quoted = [each for each in dialect.nulls if {dialect.delimiter, dialect.quote} & {*each}]
    nulls = tuple(each for each in dialect.nulls if each not in quoted)
    read = read_csv(file, replace(dialect, nulls=nulls))
    if quoted:
        blanks = ", ".join(map(literal, quoted))
        cells = [f"CASE WHEN {c} NOT IN ({blanks}) THEN {c} END AS {c}" for c in map(name, columns)]
        return f"(SELECT {', '.join(cells)} FROM {read})"
    if own != tuple(columns):
        return f"(SELECT {', '.join(map(name, columns))} FROM {read})"
    return read


def all_blank(cells: Sequence[str]) -> str:
    """Write the SQL of whether a row has no value in any cell: then it is no row."""
    # Most rows have a letter or digit at the beginning: that is all that is looked at.
    return (
        f"CASE WHEN {cells[0]} >= '!' THEN false"
        f" ELSE trim(concat({', '.join(cells)}), {literal(BLANKS)}) = '' END"
    )


def without_mark(content: bytes) -> bytes:
    """Content for `read_csv`, which drops a byte order mark at the start, here part of a value."""
    return codecs.BOM_UTF8 + content if content.startswith(codecs.BOM_UTF8) else content


def quote_leading_mark(file: Path) -> None:
    """Quote the first value of a file by `copy_csv` if a byte order mark begins it.

    `read_csv` would drop the mark, which is part of the value; it leaves a quoted one alone.
    """
    with file.open("rb") as stream:
        if stream.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            return
    content = file.read_bytes()
    value = re.match(rb"[^,\n]*", content)
    end = value.end() if value else 0
    file.write_bytes(b'"' + content[:end] + b'"' + content[end:])


def copy_csv(query: str, file: Path, *, header: bool) -> str:
    """Write the statement that writes a query's rows as plain CSV: UTF-8, LF, quotes as needed."""
    return (
        f"COPY ({query}) TO {literal(str(file))}"
        f" (FORMAT csv, HEADER {str(header).lower()}, DELIMITER ',', QUOTE '\"', ESCAPE '\"')"
    )

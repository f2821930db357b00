"""CSV files as records: the form that every source is read in.

Records have named columns and come as UTF-8 CSV in chunks. The fast way only cuts bytes; records
that DuckDB rejects are normalized one by one (`csv_normalize`), which also finds the row of every
mistake.

The encoding is detected only from a byte order mark: guessing it from letters could change names
silently. The delimiter is the one that splits the header and the first rows into equally many
cells, unless the first line names it, as Excel writes it: `sep=;`.

Knows nothing of other formats (`open`) or of Salesforce fields.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from runner.csv_rows import csv_reader
from runner.errors import SourceError, StorageError
from runner.job.endpoints import FileFormat, FileShape, Written
from runner.tables.database import first_line
from runner.tables.sources.chunks import (
    Digest,
    UncutError,
    cut_chunks,
    decoded,
    encoding_hint,
    marked_encoding,
    text_blocks,
)
from runner.tables.sources.header import check_header, named_columns
from runner.tables.sql import CsvDialect
from runner.tables.unchanged import unreadable

if TYPE_CHECKING:
    from runner.tables.sources.partitions import AnyPartition

RESULT_PREFIX = "sf__"
"""How the columns that a result file adds to the source's own begin."""
CODE_COLUMN, MESSAGE_COLUMN = f"{RESULT_PREFIX}Code", f"{RESULT_PREFIX}Message"
REFERENCE_COLUMN = f"{RESULT_PREFIX}ReferenceId"
"""What a record of an exported tree is called by others: `@AccountRef1`. In result files, too."""
UNREADABLE = "UNREADABLE_ROW"
"""Code of a row that is not what its source says; such a row fails wherever it is read again."""
UNNAMED = "Name it in the first line, or check `delimiter` and `skip_rows` in `from`."
PLAIN_CSV = FileShape(FileFormat.CSV)
START_BYTES = 64_000
"""How much of a file is examined."""
_DELIMITERS = (",", ";", "\t", "|")
"""In order of preference: the default first."""
NAMED_DELIMITER = '(?i:"?sep=([^\r\n])"?(?:\r\n|\n|\r))'
"""Excel's first line."""
_SNIFFED_ROWS = 20
_NAMES = {"\t": "tab"}


def plain_csv(shape: FileShape) -> FileShape:
    """Plain CSV whose values are written as the source writes them."""
    return replace(
        PLAIN_CSV,
        decimal=shape.decimal,
        thousands=shape.thousands,
        strip=shape.strip,
        dates=shape.dates,
        datetimes=shape.datetimes,
        nulls=shape.nulls,
    )


class RowsSource(Struct, frozen=True):
    """Rows of another task: a query's records or a write's result file, as plain CSV.

    Unlike in a user's own file, columns such as `sf__Id` can be used in expressions.
    """

    path: Path
    written: Written = field(default_factory=dict)
    """Columns whose values are not written as SQL would."""


class Records(Struct):
    """CSV records after their header, which can be read once."""

    path: Path
    """Their name in messages."""
    columns: tuple[str, ...]
    """All of them, in order."""
    shape: FileShape
    blocks: Iterator[bytes]
    digest: Digest = field(default_factory=hashlib.sha256)
    line_end: str = "\n"
    ragged: bool = False
    """Rows may end early: missing values are blank."""
    normalize: Callable[[Path], Records] | None = None
    """Writes them as plain CSV, for when DuckDB cannot read them as they are."""
    only_normalized: bool = False
    """They are more than rows: columns without names, lines below the last row."""
    place: str | None = None
    """Where they were fetched from; messages name it instead of `path`."""
    files: tuple[tuple[int, Path], ...] = ()
    """The files that the records come from, if several: records before each, and its path."""
    notes: tuple[str, ...] = ()
    """What the user should know about how they were read."""
    written: Written = field(default_factory=dict)
    """Columns whose values are not written as `shape` says."""
    partitions: tuple[AnyPartition, ...] = ()
    """Where the records are, if they are not read here."""

    def shapes_of(self, column: str) -> tuple[FileShape, ...]:
        """How a column's values may be written."""
        return self.written.get(column, (self.shape,))

    def chunks(self) -> Iterator[bytes]:
        """Cut the records into chunks that can be read in parallel."""
        return cut_chunks(self.blocks, self.shape.quote.encode())

    def dialect(self, chunk: bytes) -> CsvDialect:
        """How a file of only this chunk is written."""
        shape = self.shape
        signs = shape.delimiter, shape.quote, self.line_end
        return CsvDialect(self.columns, len(chunk), *signs, ragged=self.ragged, nulls=shape.nulls)


STANDARD_INPUT = "standard input"
"""Its place in messages."""


@contextmanager
def shown_as(place: str | None, path: Path) -> Iterator[None]:
    """Make errors name the place a file was fetched from instead of its local copy."""
    try:
        yield
    except SourceError as error:
        if place is None:
            raise
        message = error.message.replace(str(path), place)
        written = "'-'" if place == STANDARD_INPUT else place
        hint = (error.hint or "").replace(f"{{file: {path.name},", f"{{file: {written},")
        raise SourceError(message, hint=hint or None) from error


def load_error(path: Path, error: Exception) -> SourceError | StorageError:
    """The error for records that cannot be read or stored."""
    from runner.tables import duckdb

    if isinstance(error, UncutError):
        return SourceError(
            f"{path}: {error}.",
            hint="Double each quote inside a quoted value.",
        )
    if isinstance(error, (duckdb.OutOfMemoryException, duckdb.IOException)):
        return StorageError(
            f"{path}: its rows cannot be stored: {first_line(error)}.",
            hint="Check that the disk of the state folder has room; then `runner resume`.",
        )
    return SourceError(f"{path}: {first_line(error)}.")


def size_of(path: Path) -> int:
    """The size of a source file, in bytes.

    Raises:
        SourceError: The file does not exist or cannot be read.
    """
    try:
        if path.is_dir():
            raise SourceError(f"{path} is a folder.", hint="Name one file in `from`.")
        found = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise SourceError(
            f"{path} is a pipe or a device, which can be read only once.",
            hint="Name a file, or write `from: -` and pipe the rows into the command.",
        )
    return found.st_size


def own_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that are a source's own, without those that a result file added."""
    return tuple(c for c in columns if not c.lower().startswith(RESULT_PREFIX))


def open_csv(path: Path, shape: FileShape) -> Records:
    """Open a CSV file and read its header.

    Raises:
        SourceError: The file cannot be read, or a column has no name or the name of another.
    """
    digest = hashlib.sha256()
    blocks: Iterator[bytes] = text_blocks(path, shape, digest)
    start = next(blocks, b"")
    note = None
    if shape.undeclared:
        shape, note = detect(shape, start)
    blocks = chain([start], blocks)
    # UTF-8 is passed through unchecked: DuckDB finds what cannot be decoded.
    if codecs.lookup(shape.encoding).name != "utf-8":
        blocks = decoded(blocks, path, shape.encoding)
    whole = next(blocks, b"").removeprefix(codecs.BOM_UTF8)
    first = whole[len(preamble(whole, shape.skip_rows)) :].lstrip(b"\r\n")
    if shape.skip_rows and whole.strip() and not first.strip():
        from runner.wording import counted

        raise SourceError(
            f"{path}: nothing follows the first {counted(shape.skip_rows, 'line')}.",
            hint="Check `skip_rows` in `from`: it counts the lines above the header.",
        )
    header = header_bytes(first, shape.quote)
    columns = shape.header
    if not columns and first.strip():
        columns = _header_names(path, header, shape)
        first = first[len(header) :]
    named = named_columns(columns)
    records = Records(
        path,
        check_header(path, columns[:named] or columns, hint=UNNAMED),
        shape,
        chain([first], blocks),
        digest,
        _line_end(header),
    )
    records.notes = (note,) if note else ()
    records.only_normalized = named < len(columns) or shape.skip_last > 0
    return records


def normalized(path: Path, shape: FileShape, to: Path) -> Records:
    """Open a CSV file through the slow, exact reader, which few files need."""
    from runner.tables.sources.csv_normalize import normalize_csv

    return normalize_csv(path, shape, to)


def preamble(start: bytes, skip_rows: int) -> bytes:
    """What comes before the header in UTF-8: Excel's line `sep=;`, and the lines to skip."""
    lines = rb"(?:[^\r\n]*(?:\r\n|\n|\r|\Z)){%d}" % skip_rows
    found = re.match(rb"(?:" + NAMED_DELIMITER.encode() + rb")?" + lines, start)
    return found.group() if found else b""


def _line_end(header: bytes) -> str:
    ends = (end for end in ("\r\n", "\n", "\r") if header.endswith(end.encode()))
    return next(ends, "\n")


def header_bytes(block: bytes, quote: str) -> bytes:
    """The first record of a block, with its line end; all of it if it ends inside the record."""
    marks = re.escape(quote.encode())
    record = rb"(?:[^\r\n%(q)s]|%(q)s[^%(q)s]*%(q)s)*(?:\r\n|\n|\r)?" % {b"q": marks}
    found = re.match(record, block)
    return found.group() if found else block


def _header_names(path: Path, header: bytes, shape: FileShape) -> tuple[str, ...]:
    try:
        lines = header.decode().splitlines(keepends=True)
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path}: the header is not {shape.encoding}: byte {error.start + 1:,}.",
            hint=encoding_hint(path),
        ) from error
    rows = list(csv_reader(lines, delimiter=shape.delimiter, quotechar=shape.quote or None))
    return tuple(rows[0]) if rows else ()


def detect(shape: FileShape, start: bytes) -> tuple[FileShape, str | None]:
    """Complete a shape from a file's first bytes.

    Args:
        shape: As the job declares it.
        start: The file's first START_BYTES or more, decompressed, or all of it.

    Returns:
        The shape, and a note of what was found if it is not the default.
    """
    start = start[:START_BYTES]
    found = replace(shape, undeclared=frozenset())
    if "encoding" in shape.undeclared:
        found = replace(found, encoding=marked_encoding(start) or shape.encoding)
    if "delimiter" in shape.undeclared:
        found = replace(found, delimiter=_delimiter(start, found))
    return found, _note_of(shape, found)


def _note_of(declared: FileShape, found: FileShape) -> str | None:
    news = []
    if found.delimiter != declared.delimiter:
        news.append(f"delimiter {_NAMES.get(found.delimiter, repr(found.delimiter))}")
    if found.encoding != declared.encoding:
        news.append(f"encoding {found.encoding}")
    return f"{' and '.join(news)} found" if news else None


def encoding_note(path: Path, shape: FileShape) -> str | None:
    """What was found of the encoding of a file that is not CSV, if it is not the default."""
    return detect(shape, next(text_blocks(path, shape), b""))[1] if shape.undeclared else None


def _delimiter(start: bytes, shape: FileShape) -> str:
    try:
        # Not final: a character cut in two by the limit is not an error.
        text = codecs.getincrementaldecoder(shape.encoding)("replace").decode(start)
    except (LookupError, UnicodeError):  # reading the file says what is wrong
        return shape.delimiter
    text = text.removeprefix("\ufeff")
    if named := re.match(NAMED_DELIMITER, text):
        if named[1] != shape.quote:
            return named[1]
        text = text[named.end() :]
    lines = text.splitlines(keepends=True)[shape.skip_rows :]
    is_cut = len(start) >= START_BYTES
    if shape.skip_last and not is_cut:
        from runner.tables.sources.footer import without_footer

        lines = list(without_footer(lines, shape.skip_last, blank_line(shape), []))
    text = "".join(lines).lstrip("\r\n")
    widths = {
        delimiter: width
        for delimiter in _DELIMITERS
        if delimiter != shape.quote and (width := _width(text, delimiter, shape, is_cut=is_cut)) > 1
    }
    return max(widths, key=lambda each: widths[each], default=shape.delimiter)


def _width(text: str, delimiter: str, shape: FileShape, *, is_cut: bool) -> int:
    """How many columns a delimiter gives; 0 if the header and the first rows differ."""
    if delimiter not in text:
        return 0
    rows = list(_first_rows(text, delimiter, shape))
    if is_cut and 1 < len(rows) <= _SNIFFED_ROWS:
        rows.pop()
    head = shape.header or (rows[0] if rows else ())
    least, most = named_columns(head), len(head)
    return least if all(_fits(row, least, most) for row in rows if row) else 0


def _fits(row: list[str], least: int, most: int) -> bool:
    """Whether a row has the header's cells; blank ones may follow."""
    return len(row) >= least and not any(map(str.strip, row[most:]))


def _first_rows(text: str, delimiter: str, shape: FileShape) -> Iterator[list[str]]:
    lines = io.StringIO(text, newline="")
    reader = csv_reader(lines, delimiter=delimiter, quotechar=shape.quote)
    try:
        for _ in range(_SNIFFED_ROWS + 1):
            yield next(reader)
    except (StopIteration, csv.Error):
        return


def blank_line(shape: FileShape) -> Callable[[str], bool]:
    """Give whether a line has no value: white space, delimiters and quotes at most."""
    signs = str.maketrans("", "", "".join(_DELIMITERS) + shape.delimiter + shape.quote)
    return lambda line: not line.translate(signs).strip()

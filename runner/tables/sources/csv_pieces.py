"""Whole CSV files of the runner and of the org, as relations.

DuckDB reads a file right if it fits one buffer (`sql.read_csv`), so a file is cut where records
end. If DuckDB refuses it all the same, the slow, exact reader rewrites it before the error is
believed. Knows UTF-8 files with commas. Knows nothing of what the columns mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from runner.errors import SourceError
from runner.files import unwritable
from runner.tables.database import UnreadableRowsError, duckdb_error
from runner.tables.sources.chunks import CHUNK_BYTES, UncutError, cut_chunks, file_blocks
from runner.tables.sources.csv import PLAIN_CSV, header_bytes
from runner.tables.sql import CsvDialect, literal, name, read_csv, without_mark

Result = TypeVar("Result")


def with_rows(
    file: Path, columns: Sequence[str], use: Callable[[str], Result], *, header: bool = True
) -> Result:
    """Call `use` with the relation of a file's rows, in their order.

    Args:
        file: UTF-8, with commas.
        columns: Names of the relation's columns, one for each of the file's; all are text.
        use: Runs one statement on the relation, in which a blank is NULL. It is called again if
            DuckDB cannot read the file as it is.
        header: Whether the first record is not a row.

    Raises:
        UnreadableRowsError: The file is not CSV of that many columns.
        StorageError: The disk is full.
    """
    return with_row_groups(file, columns, lambda groups: use(groups[0]), None, header=header)


def with_row_groups(
    file: Path,
    columns: Sequence[str],
    use: Callable[[Sequence[str]], Result],
    group_bytes: int | None,
    *,
    header: bool = True,
) -> Result:
    """Like `with_rows`, but with several relations of about so many bytes; None: with one.

    `use` gets at least one. If it is called again, it gets all rows again.
    """
    with scratch_beside(file) as scratch:
        try:
            return use(_relations(_pieces(file, scratch, header=header), columns, group_bytes))
        except (duckdb_error(), UncutError) as error:
            if not is_misread(error):
                raise
            refusal = error
        rewritten = _rewrite(file, columns, scratch, refusal, header=header)
        return use(_relations(_pieces(rewritten, scratch, header=True), columns, group_bytes))


@contextmanager
def pieces(file: Path, *, header: bool = True) -> Iterator[Iterator[Path]]:
    """Cut a file into pieces without a header for `with_rows`, each on demand.

    Raises:
        UnreadableRowsError: A quote is never closed.
    """
    with scratch_beside(file) as scratch:
        yield _pieces(file, scratch, header=header)


def contents(file: Path, *, header: bool = True) -> Iterator[bytes]:
    """Read a file in pieces that end where a record ends, without its header."""
    blocks = file_blocks(file)
    return whole_records(without_header(blocks) if header else blocks)


def without_header(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out the first record, which ends in the first block."""
    first = next(blocks, b"")
    return chain([first[len(header_bytes(first, PLAIN_CSV.quote)) :]], blocks)


def whole_records(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut blocks into pieces that end where a record ends."""
    return cut_chunks(blocks, PLAIN_CSV.quote.encode())


def write_piece(piece: Path, content: bytes) -> Path:
    """Write a piece as `with_rows` reads it.

    Raises:
        StateError: The disk is full.
    """
    try:
        piece.write_bytes(without_mark(content))
    except OSError as error:
        raise unwritable(piece, error) from error
    return piece


def is_misread(error: Exception) -> bool:
    """Whether DuckDB refuses the text of a CSV file, rather than what is done with its values."""
    from runner.tables import duckdb

    refusals = duckdb.InvalidInputException, duckdb.NotImplementedException
    return isinstance(error, UncutError) or (isinstance(error, refusals) and "CSV" in str(error))


@contextmanager
def scratch_beside(file: Path) -> Iterator[Path]:
    """A folder beside a file, until the block ends.

    Raises:
        StateError: It cannot be made.
    """
    import tempfile

    try:
        folder = tempfile.TemporaryDirectory(dir=file.parent, prefix=".pieces-")
    except OSError as error:
        raise unwritable(file.parent, error) from error
    with folder as scratch:
        yield Path(scratch)


def _pieces(file: Path, scratch: Path, *, header: bool) -> Iterator[Path]:
    if not header and file.stat().st_size <= CHUNK_BYTES:
        yield file
        return
    for number, content in enumerate(contents(file, header=header)):
        yield write_piece(scratch / f"{file.stem}-{number}.csv", content)


def _relations(
    files: Iterator[Path], columns: Sequence[str], group_bytes: int | None
) -> Sequence[str]:
    groups: list[list[Path]] = [[]]
    size = 0
    for file in files:
        if group_bytes is not None and size >= group_bytes:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.stat().st_size
    return [_relation(each, columns) for each in groups]


def _relation(found: Sequence[Path], columns: Sequence[str]) -> str:
    if not found or not columns:
        cells = ", ".join(f"CAST(NULL AS VARCHAR) AS {name(each)}" for each in columns)
        return f"(SELECT {cells or literal('')} WHERE false)"
    longest = max(each.stat().st_size for each in found)
    return read_csv(found, CsvDialect(tuple(columns), longest))


def _rewrite(
    file: Path, columns: Sequence[str], scratch: Path, refusal: Exception, *, header: bool
) -> Path:
    from runner.tables.sources.csv_normalize import rewrite_csv

    shape = PLAIN_CSV if header else replace(PLAIN_CSV, header=tuple(columns))
    rewritten = scratch / "rewritten.csv"
    try:
        rewrite_csv(file, shape, rewritten)
    except SourceError as error:
        reason = error.message.removeprefix(f"{file}: ").rstrip(".")
        raise UnreadableRowsError(reason) from refusal
    return rewritten

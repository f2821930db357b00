"""Files that rows name: looked for, measured and hashed before anything is sent.

In the rows to send, the path of a file becomes what identifies its content (`StagedFile`). Rows
whose file cannot be sent are rejected. Knows paths and staged rows. Knows nothing of requests.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.files import unwritable
from runner.job.endpoints import EXPLICIT_NULL
from runner.parallel import parallel_map
from runner.tables.database import storage_errors
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import literal
from runner.tables.staging.chunk import sent_between
from runner.tables.staging.mapping import ColumnMapping
from runner.tables.staging.problems import BETWEEN_MEMBERS
from runner.tables.staging.rewrite import rewrite_chunks

if TYPE_CHECKING:
    from runner.tables.staging.rows import StagedRows

NOT_FOUND = "FILE_NOT_FOUND"
UNREADABLE = "FILE_UNREADABLE"
TOO_LARGE = "FILE_TOO_LARGE"
OUTSIDE = "FILE_OUTSIDE_FOLDER"
_AT_ONCE = 1_000
"""Paths that are held in memory together."""
_FAILURE = "The files that rows name cannot be listed"
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR})


class StagedFile(Struct, frozen=True):
    """A file as it was when the rows were staged."""

    path: Path
    """Absolute, without symbolic links."""
    size: int
    """In bytes."""
    md5: str
    """In hexadecimal, as `ContentVersion.Checksum` has it."""

    @property
    def cell(self) -> str:
        """The cell that stands for it in rows to send."""
        return f"{self.md5} {self.size} {self.path}"

    @classmethod
    def read(cls, cell: str) -> StagedFile:
        """Read a cell back."""
        md5, size, path = cell.split(" ", 2)
        return cls(Path(path), int(size), md5)


_CELL = "^([0-9a-f]{32}) ([0-9]+) "


def checksum_of(cell: str) -> str:
    """SQL of the MD5 in a cell that stands for a file; NULL if it stands for none."""
    return f"nullif(regexp_extract({cell}, '{_CELL}', 1), '')"


def size_of(cell: str) -> str:
    """SQL of the size in a cell that stands for a file, in bytes; NULL if it stands for none."""
    return f"nullif(regexp_extract({cell}, '{_CELL}', 2), '')"


class FilePlaces(Struct, frozen=True):
    """Where the files of a write may be, and how large."""

    folder: Path
    """What paths are relative to. Files are in it or below it."""
    other: Path
    """Files may be in or below this folder, too."""
    most_bytes: int


def stage_files(staging: StagedRows, places: FilePlaces) -> None:
    """Replace the paths in the one column of files; reject rows whose file cannot be sent.

    Raises:
        StateError: The rows cannot be stored.
    """
    column = staging.file_column
    if column is None or staging.rows_total == staging.rejected_total:
        return
    file = staging.folder / "named_files.csv"
    try:
        with file.open("w", encoding="utf-8", newline="") as stream:
            rows = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
            rows.writerows(_looked_at(staging, column, places))
    except OSError as error:
        raise unwritable(file, error) from error
    sent = sent_between(staging.chunks, 1, staging.rows_total)
    known = "SELECT row, file_cell, nullif(file_problem, '') AS file_problem"

    def join_files(found: str) -> None:
        joined = f"{known} FROM {sent} s JOIN {found} ON path = s.{column.cell}"
        staging.database.connection.execute(f"CREATE TABLE file_of_row AS {joined}")

    with storage_errors(_FAILURE):
        with_rows(file, ("path", "file_cell", "file_problem"), join_files, header=False)
    file.unlink()
    cells = {column.cell: f"coalesce(file_cell, s.{column.cell})"}
    rewrite_chunks(staging, cells, "file_problem", known="file_of_row")


def _looked_at(
    staging: StagedRows, column: ColumnMapping, places: FilePlaces
) -> Iterator[tuple[str, str, str]]:
    """Each path, the cell that replaces it, and why it cannot be sent; each path once."""
    sent = sent_between(staging.chunks, 1, staging.rows_total)
    is_path = f"{column.cell} NOT IN ('', {literal(EXPLICIT_NULL)})"
    query = f"SELECT DISTINCT {column.cell} FROM {sent} WHERE {is_path}"

    def look_at(path: str) -> tuple[str, str, str]:
        found = look_up(path, places)
        if isinstance(found, StagedFile):
            return path, found.cell, ""
        code, message = found
        return path, path, BETWEEN_MEMBERS.join((code, column.column.field, message))

    with storage_errors(_FAILURE), staging.database.cursor() as cursor:
        cursor.execute(query)
        while some := cursor.fetchmany(_AT_ONCE):
            yield from parallel_map(look_at, [path for (path,) in some])


def look_up(text: str, places: FilePlaces) -> StagedFile | tuple[str, str]:
    """Find a file and hash it; or say why it cannot be sent, as code and message."""
    path = Path(os.path.abspath(places.folder / text))  # noqa: PTH100 - keeps symbolic links
    try:
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(os.path.realpath(f)) for f in (places.folder, places.other)):
            leads = f"'{text}'" if real == path else f"'{text}' leads to {real}, which"
            return OUTSIDE, f"{leads} is outside the folder {places.folder}"
        status = real.stat()
        reason = _unfit(status, places.most_bytes)
        if reason is not None:
            return reason[0], f"'{text}' {reason[1]}"
        size, md5 = _digest(real)
    except (OSError, ValueError) as error:
        return _failure(text, path, error)
    return StagedFile(real, size, md5)


def _unfit(status: os.stat_result, most_bytes: int) -> tuple[str, str] | None:
    if stat.S_ISDIR(status.st_mode):
        return UNREADABLE, "is a folder"
    if not stat.S_ISREG(status.st_mode):  # opening a pipe could wait for ever
        return UNREADABLE, "is a pipe or a device"
    if status.st_size > most_bytes:
        return (
            TOO_LARGE,
            f"has {status.st_size:,} bytes; Salesforce takes at most {most_bytes:,}",
        )
    return None


def _digest(file: Path) -> tuple[int, str]:
    with file.open("rb") as stream:
        md5 = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
        return stream.tell(), md5.hexdigest()


def _failure(text: str, path: Path, error: OSError | ValueError) -> tuple[str, str]:
    if isinstance(error, ValueError) or error.errno in _MISSING:
        return NOT_FOUND, f"there is no file '{text}' in {_existing(path.parents)}"
    return UNREADABLE, f"'{text}' cannot be read: {error.strerror}"


def _existing(folders: Sequence[Path]) -> Path:
    return next((each for each in folders if os.path.isdir(each)), folders[-1])  # noqa: PTH112 - a path may have a character that Path refuses

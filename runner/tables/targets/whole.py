"""Whether a target that keeps rows is all there, before a query is run for it.

A file that was cut off is found when its rows are read, too, but only once the query's rows have
been fetched; or not at all, where the last value is all that is missing. Knows the ends of files.
Knows nothing of what is written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from runner.errors import StateError
from runner.files import is_device
from runner.job.endpoints import (
    Compression,
    DatabaseTarget,
    FileFormat,
    FileTarget,
    TableMode,
    Target,
)

_PARQUET = b"PAR1"
_LEAST_PARQUET = 12


def check_whole(target: Target) -> None:
    """Refuse a target that is cut off, or a database that is only in memory.

    One that is replaced as a whole need not be whole.

    Raises:
        StateError: It is, or cannot be read.
    """
    if isinstance(target, DatabaseTarget):
        _check_sqlite(target)
    elif target.mode is TableMode.REPLACE:
        return
    elif isinstance(target, FileTarget):
        _check_file(target)
    elif target.shape.format is FileFormat.PARQUET:
        for each in sorted(target.path.rglob("*.parquet")):
            _check(each, _is_whole_parquet)


def _check_sqlite(target: DatabaseTarget) -> None:
    from runner.tables.sql_connection import check_is_kept, check_sqlite, connect, url_of

    if not url_of(target.url, StateError).startswith("sqlite"):
        return
    with connect(target.url, StateError) as link:
        check_is_kept(link)
        check_sqlite(link, StateError)


def _check_file(target: FileTarget) -> None:
    shape = target.shape
    if is_device(target.path):
        raise StateError(
            f"{target.path} is not a file, so it has no rows to keep.",
            hint="Remove `mode` from `to`, or name a file.",
        )
    if shape.format is FileFormat.PARQUET:
        _check(target.path, _is_whole_parquet)
    elif shape.compression is Compression.NONE:
        what = "may be cut off: its last line has no end"
        add = "If nothing is missing, end its last line. Otherwise put"
        _check(target.path, lambda end: _has_line_end(end, shape.encoding), what, add)


def _check(
    file: Path, is_whole: Callable[[bytes], bool], what: str = "is cut off", hint: str = "Put"
) -> None:
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            stream.seek(max(0, size - _LEAST_PARQUET))
            end = stream.read()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"{file} cannot be read: {error.strerror}.") from error
    if end and not is_whole(end):
        raise StateError(
            f"{file} {what}. The query was not run; nothing was written.",
            hint=f"{hint} back a whole copy of it, or move it away to begin a new one.",
        )


def _is_whole_parquet(end: bytes) -> bool:
    return len(end) == _LEAST_PARQUET and end.endswith(_PARQUET)


def _has_line_end(end: bytes, encoding: str) -> bool:
    mark = len("".encode(encoding))
    ends = [each.encode(encoding)[mark:] for each in "\n\r"]
    return any(end.endswith((each, each[::-1])) for each in ends)

"""Opens DuckDB and explains its errors.

Knows DuckDB's settings: nothing is fetched from the network, memory is bounded, and what does not
fit is spilled to a folder. Knows nothing of sources, mappings or results.

Each piece of work runs on one thread (`threads = 1`), so that rows keep their order and memory
stays flat; `parallel_map` runs several pieces at once. DuckDB's own parallel insertion preserves
order only by buffering batches in memory, and it rewrites an `IN` list of many values into a join
that does not preserve it; that rewriting is turned off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from runner.errors import AbortedError, StorageError
from runner.lanes import share_of
from runner.tables.sql import literal

if TYPE_CHECKING:
    from runner.tables import duckdb


MEMORY_MB = 150
"""Of a task's database; tasks that run side by side share it."""
LEAST_MEMORY_MB = 50
"""However many share it: with 10 MB a million keys cannot be grouped."""
COLUMN_MB = 1
"""Of each column: DuckDB holds buffers of it for 2,048 rows, also where there is only one row."""

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "preserve_insertion_order": "true",
    "threads": "1",
}
FIRST_STATEMENTS: list[str] = []
"""What every new database of this process executes first; only tests of jobs add some."""
_ROW_GROUPS = (122_880, 8_192, 512, 32)
"""Rows of a Parquet row group: DuckDB's default first."""
_JSON_MESSAGE = re.compile(r'\{"exception_type":.*\}')
_DISABLED = "in_clause,join_order,build_side_probe_side,common_subexpressions"
"""The first three change the order of rows. The time of the last grows with the square of a
statement's columns, and nothing that could be measured is faster with it."""
_OPTIMIZERS = f"SET disabled_optimizers = '{_DISABLED}'"
WITHOUT_STATISTICS = f"SET disabled_optimizers = '{_DISABLED},statistics_propagation'"
"""A statement for a database that reads files whose statistics may be wrong."""


class Database:
    """An in-memory DuckDB that spills into a folder; it is started when it is first used."""

    def __init__(
        self,
        folder: Path,
        *,
        timezone: str = "UTC",
        most_spilled_bytes: int | None = None,
        statements: Sequence[str] = (),
    ) -> None:
        self._timezone = timezone
        self._has_timezone = False
        self._memory_mb = max(share_of(MEMORY_MB), LEAST_MEMORY_MB)
        self._config = _SETTINGS | {
            "memory_limit": f"{self._memory_mb}MB",
            "temp_directory": str(folder / "spill"),
        }
        if most_spilled_bytes is not None:
            self._config["max_temp_directory_size"] = f"{most_spilled_bytes}B"
        self._statements = (_OPTIMIZERS, *FIRST_STATEMENTS, *statements)
        self._is_open = False
        # A connection rejects two calls at once; the root is only used to open others.
        self._lock = Lock()

    @cached_property
    def _root(self) -> duckdb.DuckDBPyConnection:
        """Asked for with the lock."""
        from runner.tables import duckdb

        with storage_errors("Rows cannot be stored on this machine"):
            root = duckdb.connect(":memory:", config=self._config)
            for statement in self._statements:
                root.execute(statement)
        self._is_open = True
        return root

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """For the thread that opened the database."""
        with self._lock:
            connection = self._root.cursor()
        if self._has_timezone:
            connection.execute("SET TimeZone = ?", [self._timezone])
        return connection

    @property
    def is_open(self) -> bool:
        """Whether it was used."""
        return self._is_open

    def make_room(self, columns: int) -> None:
        """Use more memory, if need be, for rows of so many columns; it need not be open."""
        needed = columns * COLUMN_MB
        if needed <= self._memory_mb:
            return
        self._memory_mb = needed
        self._config["memory_limit"] = f"{needed}MB"
        if self._is_open:
            with self._lock:
                self._root.execute(f"SET memory_limit = '{needed}MB'")

    def set_timezone(self, timezone: str) -> None:
        """Interpret datetimes without a zone in this one from now on; it need not be open."""
        self._timezone, self._has_timezone = timezone, True
        if self._is_open:
            self.connection.execute("SET TimeZone = ?", [timezone])

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one thread, with its own temporary tables."""
        cursor = self.open_cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def open_cursor(self) -> duckdb.DuckDBPyConnection:
        """Like `cursor`, but the caller closes it."""
        with self._lock:
            cursor = self._root.cursor()
        cursor.execute("SET TimeZone = ?", [self._timezone])
        return cursor

    def close(self) -> None:
        """Close, once no thread uses it any more."""
        if self._is_open:
            if "connection" in vars(self):
                self.connection.close()
            with self._lock:
                self._root.close()


IN_PLACE = ", USE_TMP_FILE false"
"""Of a COPY to a temporary file of ours: one of DuckDB's beside it would stay after a crash."""


def copy_parquet(
    connection: duckdb.DuckDBPyConnection, query: str, to: Path, options: str = ""
) -> None:
    """Write a query's rows as Parquet: a file, or with `options` a folder, which may be replaced.

    A row group is held in memory while it is written: one of long rows has fewer of them.
    """
    from runner.tables import duckdb

    wanted = f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1{options or IN_PLACE}"
    # A longer dictionary takes a tenth of the time, and saves a fifth of a column at most.
    wanted += ", DICTIONARY_SIZE_LIMIT 10000"
    for rows in _ROW_GROUPS:
        copy = f"COPY ({query}) TO {literal(str(to))} ({wanted}, ROW_GROUP_SIZE {rows})"
        try:
            connection.execute(copy)
        except duckdb.OutOfMemoryException:
            if rows == _ROW_GROUPS[-1]:
                raise
        else:
            return


class UnreadableRowsError(Exception):
    """A file does not contain the rows it should; the text says why. Never leaves this package."""


def duckdb_error() -> type[duckdb.Error]:
    """DuckDB's base error; an except clause asks for it only once something was raised."""
    from runner.tables import duckdb

    return duckdb.Error


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn DuckDB's errors, and UnreadableRowsError, into StorageError.

    Args:
        what: The beginning of the message, for example `Parts cannot be written`.
    """
    try:
        yield
    except UnreadableRowsError as error:
        raise StorageError(
            f"{what}: {error}.", hint="A file is damaged or incomplete; try `runner resume`."
        ) from error
    except RuntimeError as error:
        check_interrupted(error)
        raise
    except duckdb_error() as error:
        raise StorageError(f"{what}: {first_line(error)}.", hint=_hint_for(error)) from error


def check_interrupted(error: RuntimeError) -> None:
    """Raise what the handler of a signal has raised while DuckDB ran a query in the main thread.

    DuckDB puts an error of its own in its place.

    Raises:
        AbortedError: It did.
    """
    if "interrupted" in str(error).lower() and AbortedError.of_signal is not None:
        raise AbortedError(AbortedError.of_signal) from error


def _hint_for(error: Exception) -> str:
    from runner.tables import duckdb

    if isinstance(error, duckdb.IOException) or "Could not write file" in str(error):
        return "Check that the disk has room; then `runner resume`."
    if isinstance(error, duckdb.OutOfMemoryException):
        return "Some rows are too long for the memory that a run uses; shorten or split them."
    return "`runner resume` tries again; if it fails again, report it with this message."


def first_line(error: BaseException) -> str:
    """The first line of an error, without a full stop.

    An error from one of DuckDB's threads has its message as JSON.
    """
    text = str(error).strip()
    found = _JSON_MESSAGE.search(text)
    if found is not None:
        with suppress(ValueError):
            text = str(json.loads(found[0])["exception_message"])
    lines = text.splitlines() or [type(error).__name__]
    return lines[0].rstrip(" .")

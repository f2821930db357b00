"""The one place that opens DuckDB and says what its errors mean.

Knows DuckDB's settings: nothing is fetched from the network, memory is bounded, what does not fit
goes to the given folder. Knows nothing of sources, mappings or results.

Each piece of work runs on one thread (`threads = 1`), so that rows keep their order and memory
stays flat; several pieces run side by side through `parallel_map`. DuckDB's own parallel
insertion keeps the order only by holding batches in memory, and an `IN` list of many values turns
into a join that keeps none: that rewriting is off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from runner.errors import StorageError

if TYPE_CHECKING:
    import duckdb


MEMORY_LIMIT = "150MB"

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": MEMORY_LIMIT,
    "preserve_insertion_order": "true",
    "threads": "1",
}
_IN_A_THREAD = re.compile(r'\{"exception_type":.*\}')
_ORDER_KEEPING = "SET disabled_optimizers = 'in_clause,join_order,build_side_probe_side'"


class Database:
    """An in-memory DuckDB that spills into a folder."""

    def __init__(
        self, folder: Path, *, timezone: str = "UTC", most_spilled_bytes: int | None = None
    ) -> None:
        import duckdb

        self._timezone = timezone
        with state_errors("Rows cannot be kept on this machine"):
            config = _SETTINGS | {"temp_directory": str(folder / "spill")}
            if most_spilled_bytes is not None:
                config["max_temp_directory_size"] = f"{most_spilled_bytes}B"
            self._root = duckdb.connect(":memory:", config=config)
            self._root.execute(_ORDER_KEEPING)
            self._connection = self._root.cursor()
        # A connection refuses two calls at once; this one is only ever asked for others.
        self._asking = Lock()

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection of the thread that opened the database."""
        return self._connection

    def set_timezone(self, timezone: str) -> None:
        """Take datetimes without a zone to be of this one from now on."""
        self._timezone = timezone
        self._connection.execute("SET TimeZone = ?", [timezone])

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection of its own to one thread, with temporary tables of its own."""
        cursor = self.opened_cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def opened_cursor(self) -> duckdb.DuckDBPyConnection:
        """Like `cursor`, for whoever closes it."""
        with self._asking:
            cursor = self._root.cursor()
        cursor.execute("SET TimeZone = ?", [self._timezone])
        return cursor

    def close(self) -> None:
        """Give everything back, once no thread works with it any more."""
        self._connection.close()
        with self._asking:
            self._root.close()


def duckdb_error() -> type[duckdb.Error]:
    """DuckDB's base error; an except clause asks for it only once something was raised."""
    import duckdb

    return duckdb.Error


@contextmanager
def state_errors(what: str) -> Iterator[None]:
    """Turn DuckDB's errors into StorageError.

    Args:
        what: The beginning of the message, for example `Parts cannot be written`.
    """
    try:
        yield
    except duckdb_error() as error:
        raise StorageError(
            f"{what}: {first_line(error)}.",
            hint="Check that the disk has room; then `runner resume`.",
        ) from error


def first_line(error: BaseException) -> str:
    """Give the first line of an error, without a full stop.

    What went wrong with a file in a thread of DuckDB's stands as JSON in its message.
    """
    said = str(error).strip()
    within = _IN_A_THREAD.search(said)
    if within is not None:
        with suppress(ValueError):
            said = str(json.loads(within[0])["exception_message"])
    lines = said.splitlines() or [type(error).__name__]
    return lines[0].rstrip(" .")

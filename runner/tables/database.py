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
_JSON_MESSAGE = re.compile(r'\{"exception_type":.*\}')
_PRESERVE_ORDER = "SET disabled_optimizers = 'in_clause,join_order,build_side_probe_side'"


class Database:
    """An in-memory DuckDB that spills into a folder."""

    def __init__(
        self, folder: Path, *, timezone: str = "UTC", most_spilled_bytes: int | None = None
    ) -> None:
        import duckdb

        self._timezone = timezone
        with storage_errors("Rows cannot be stored on this machine"):
            config = _SETTINGS | {"temp_directory": str(folder / "spill")}
            if most_spilled_bytes is not None:
                config["max_temp_directory_size"] = f"{most_spilled_bytes}B"
            self._root = duckdb.connect(":memory:", config=config)
            self._root.execute(_PRESERVE_ORDER)
            self.connection = self._root.cursor()
            """For the thread that opened the database."""
        # A connection rejects two calls at once; the root is only used to open others.
        self._lock = Lock()

    def set_timezone(self, timezone: str) -> None:
        """Interpret datetimes without a zone in this one from now on."""
        self._timezone = timezone
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
        self.connection.close()
        with self._lock:
            self._root.close()


def duckdb_error() -> type[duckdb.Error]:
    """DuckDB's base error; an except clause asks for it only once something was raised."""
    import duckdb

    return duckdb.Error


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
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

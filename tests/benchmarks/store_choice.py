"""Which store the local org's records live in: SQLite or DuckDB, measured.

    python tests/benchmarks/store_choice.py

Does what the org does all day, in both: single creates, single updates, reads by Id, lookups of
200 external Ids, chunks of 200 rows from a Bulk job, and one aggregate. Prints a Markdown table
of median milliseconds an operation. Runs in seconds.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import duckdb

_CREATE = """
CREATE TABLE account (id TEXT PRIMARY KEY, name TEXT, ext TEXT, city TEXT, revenue DOUBLE,
employees INTEGER, created TEXT, stamp TEXT, deleted INTEGER)
"""
_INDEX = "CREATE INDEX account_ext ON account (ext)"
_INSERT = "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UPDATE = "UPDATE account SET city = ?, stamp = ? WHERE id = ?"
_READ = "SELECT * FROM account WHERE id = ?"
_CHUNK = 200
_STARTING_ROWS = 10_000
Row = tuple[object, ...]


class Connection(Protocol):
    """What both stores' connections have in common."""

    def execute(self, statement: str, values: Sequence[object] = ..., /) -> object:
        """Run one statement."""

    def executemany(self, statement: str, rows: Sequence[Sequence[object]], /) -> object:
        """Run one statement for many rows."""


def _row(number: int) -> Row:
    moment = "2024-05-06T07:08:09.000Z"
    return (
        f"001LO0{number:012d}", f"Account {number}", f"E{number}", "Rome", number * 1.5,
        number % 500, moment, moment, 0,
    )  # fmt: skip


def _sqlite(folder: Path) -> Connection:
    conn = sqlite3.connect(folder / "org.sqlite3", isolation_level=None)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = NORMAL")
    return conn


def _duckdb(folder: Path) -> Connection:
    return duckdb.connect(folder / "org.duckdb")


def _transaction(conn: Connection, work: Callable[[], object]) -> None:
    conn.execute("BEGIN")
    work()
    conn.execute("COMMIT")


def _fetched(conn: Connection, statement: str, values: Sequence[object] = ()) -> object:
    cursor = conn.execute(statement, values)
    return cursor.fetchall()  # type: ignore[attr-defined]


def _timed(repeats: int, work: Callable[[int], object]) -> float:
    """Median milliseconds of a repeated operation."""
    spans = []
    for number in range(repeats):
        start = time.perf_counter()
        work(number)
        spans.append((time.perf_counter() - start) * 1000)
    return statistics.median(spans)


def _bulk_in_columns(conn: Connection, rows: list[Row], folder: Path) -> None:
    """DuckDB's own way to take many rows: from a file."""
    path = folder / "rows.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in rows), encoding="utf-8")
    conn.execute(f"COPY account FROM '{path}' (HEADER false)")


def measure(open_store: Callable[[Path], Connection], *, in_columns: bool) -> dict[str, float]:
    """Median milliseconds by operation, in a store of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        conn = open_store(folder)
        conn.execute(_CREATE)
        conn.execute(_INDEX)
        rows = [_row(number) for number in range(_STARTING_ROWS)]
        if in_columns:
            _bulk_in_columns(conn, rows, folder)
        else:
            _transaction(conn, lambda: conn.executemany(_INSERT, rows))
        return _measured(conn, folder, in_columns=in_columns)


def _measured(conn: Connection, folder: Path, *, in_columns: bool) -> dict[str, float]:
    def chunk(number: int, base: int) -> list[Row]:
        return [_row(base + number * _CHUNK + each) for each in range(_CHUNK)]

    marks = ", ".join("?" * _CHUNK)
    results = {
        "create one record": _timed(
            200, lambda n: _transaction(conn, lambda: conn.execute(_INSERT, _row(10**6 + n)))
        ),
        "update one record": _timed(
            200,
            lambda n: _transaction(conn, lambda: conn.execute(_UPDATE, ["x", "y", _row(n)[0]])),
        ),
        "read one record": _timed(200, lambda n: _fetched(conn, _READ, [_row(n)[0]])),
        "find 200 external Ids": _timed(
            20,
            lambda n: _fetched(
                conn,
                f"SELECT ext, id FROM account WHERE ext IN ({marks})",
                [f"E{n * _CHUNK + each}" for each in range(_CHUNK)],
            ),
        ),
        "insert a chunk of 200 rows": _timed(
            5, lambda n: _transaction(conn, lambda: conn.executemany(_INSERT, chunk(n, 2 * 10**6)))
        ),
        "update a chunk of 200 rows": _timed(
            5,
            lambda n: _transaction(
                conn,
                lambda: conn.executemany(_UPDATE, [["z", "y", row[0]] for row in chunk(n, 0)]),
            ),
        ),
        "sum over all rows": _timed(
            20, lambda _: _fetched(conn, "SELECT SUM(revenue) FROM account")
        ),
    }
    if in_columns:
        results["insert a chunk of 200 rows, from a file"] = _timed(
            5, lambda n: _bulk_in_columns(conn, chunk(n, 3 * 10**6), folder)
        )
    return results


def table() -> str:
    """The measurement as a Markdown table."""
    of_sqlite = measure(_sqlite, in_columns=False)
    of_duckdb = measure(_duckdb, in_columns=True)
    lines = ["| operation, median ms | SQLite | DuckDB |", "|---|---:|---:|"]
    for name, span in of_duckdb.items():
        other = f"{of_sqlite[name]:.2f}" if name in of_sqlite else "-"
        lines.append(f"| {name} | {other} | {span:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")

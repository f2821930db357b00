"""Watermarks: how far each incremental query has been extracted, and which rows are near that end.

Knows the ledger's tables of them. Knows nothing of how a query is bounded.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from runner.csv_rows import csv_reader
from runner.state.ledger_database import Columns, LedgerDatabase, Row
from runner.state.run_records import moment_text

WATERMARK_KEY = ("job_file", "task", "org_id")
_OF_ONE = "WHERE job_file = :job_file AND task = :task AND org_id = :org_id"
_FIND = f"SELECT * FROM watermarks {_OF_ONE}"  # noqa: S608 - own names
_OTHERS = (
    "FROM watermarks WHERE job_file = :job_file AND task = :task AND org_id <> :org_id"
    " AND query_sha256 = :query_sha256"
)
_DELIVERED = f"SELECT id, stamp FROM delivered {_OF_ONE}"  # noqa: S608 - own names
_FORGET = f"DELETE FROM delivered {_OF_ONE}"  # noqa: S608 - own names


class Watermark(Struct, frozen=True):
    """How far one query of one job was extracted from one org."""

    job: str
    """Its name."""
    job_file: Path
    task: str
    org_id: str
    query_sha256: str
    """Of the query's text with its values, and of what else decides which rows it brings."""
    field: str
    until: datetime
    """What changed before this is in the target."""
    known_from: datetime
    """From here on it is known which rows are."""
    full_at: datetime
    """When all records were extracted for the last time."""
    run_id: str


class Extracted(Struct, frozen=True):
    """A watermark that an extract earns, once its rows are in the target."""

    watermark: Watermark
    delivered: Path
    """CSV without a header: Id and stamp of each row since `known_from`."""


class Watermarks:
    """The watermarks in a ledger."""

    def __init__(self, database: LedgerDatabase) -> None:
        self._database = database

    def find(self, job_file: Path, task: str, org_id: str) -> Watermark | None:
        """The watermark of a task with an org; None before its first extract."""
        key = {"job_file": str(job_file), "task": task, "org_id": org_id}
        with self._database.reading() as connection:
            row = connection.execute(_FIND, key).fetchone()
        return None if row is None else _watermark(row)

    def of_other_org(
        self, job_file: Path, task: str, org_id: str, query_sha256: str
    ) -> Watermark | None:
        """The watermark that a task has of another org with the same query and target."""
        key = {"job_file": str(job_file), "task": task, "org_id": org_id}
        with self._database.reading() as connection:
            row = connection.execute(
                f"SELECT * {_OTHERS}", {**key, "query_sha256": query_sha256}
            ).fetchone()
        return None if row is None else _watermark(row)

    def all(self, job: str | None = None) -> list[Watermark]:
        """All watermarks, or those of the jobs of one name, in the order of job and task."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM watermarks WHERE CAST(:job AS TEXT) IS NULL OR job = :job "
                "ORDER BY job, job_file, task, org_id",
                {"job": job},
            ).fetchall()
        return [_watermark(row) for row in rows]

    def write_delivered(self, watermark: Watermark, to: Path) -> None:
        """Write the rows near a watermark's end as CSV without a header: Id and stamp."""
        with (
            self._database.reading() as connection,
            to.open("w", encoding="utf-8", newline="") as stream,
        ):
            rows = connection.execute(_DELIVERED, _key(watermark))
            csv.writer(stream).writerows((row["id"], row["stamp"]) for row in rows)

    def move(self, extracted: Extracted) -> None:
        """Put a watermark in place of the one before it, with its rows.

        Those of other orgs with the same query and target are over: it has the rows of this one.
        """
        watermark = extracted.watermark
        key = _key(watermark)
        columns: Columns = {
            **key,
            "job": watermark.job,
            "query_sha256": watermark.query_sha256,
            "field": watermark.field,
            "until": moment_text(watermark.until),
            "known_from": moment_text(watermark.known_from),
            "full_at": moment_text(watermark.full_at),
            "run_id": watermark.run_id,
        }
        with self._database.writing() as connection:
            connection.execute(f"DELETE {_OTHERS}", columns)
            connection.execute(_FORGET, key)
            self._database.insert("watermarks", columns, replacing=WATERMARK_KEY)
            connection.executemany(
                "INSERT INTO delivered (job_file, task, org_id, id, stamp) "
                "VALUES (:job_file, :task, :org_id, :id, :stamp) ON CONFLICT DO NOTHING",
                ({**key, "id": of, "stamp": stamp} for of, stamp in _rows(extracted.delivered)),
            )


def _rows(file: Path) -> Iterator[list[str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        yield from csv_reader(stream)


def _key(watermark: Watermark) -> dict[str, str]:
    return {
        "job_file": str(watermark.job_file),
        "task": watermark.task,
        "org_id": watermark.org_id,
    }


def _watermark(row: Row) -> Watermark:
    return Watermark(
        row["job"],
        Path(row["job_file"]),
        row["task"],
        row["org_id"],
        row["query_sha256"],
        row["field"],
        datetime.fromisoformat(row["until"]),
        datetime.fromisoformat(row["known_from"]),
        datetime.fromisoformat(row["full_at"]),
        row["run_id"],
    )

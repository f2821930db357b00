"""Runs one ingest job in chunks of 200 rows, one transaction each.

Each chunk's rows, its part of the result files and the job's progress are committed together, so
that a job continues after a crash where it was, and no row is written twice. Results are
shuffled within a chunk: Salesforce does not promise the order of the input, so clients that rely on
it fail here.

Knows jobs, their files and `records.write`. Knows no HTTP and no threads.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from msgspec.structs import replace

from runner.local_org import exact_numbers, records
from runner.local_org.bulk.csv_reading import Chunk, Upload
from runner.local_org.bulk.csv_writing import csv_bytes
from runner.local_org.bulk.failure import JobFailure
from runner.local_org.bulk.jobs import DELIMITERS, LINE_ENDINGS, Job, Jobs, JobState
from runner.local_org.catalog.model import SObject
from runner.local_org.oauth.users import user_of_id
from runner.local_org.org import Org
from runner.local_org.records import WriteCall
from runner.local_org.records.columns import column_of
from runner.local_org.records.csv_rows import CsvRows
from runner.local_org.records.outcome import RowOutcome, refused
from runner.local_org.records.refusals import too_many_values

UPLOAD = "upload.csv"
SUCCEEDED = "succeeded.csv"
FAILED = "failed.csv"
CHUNK_ROWS = 200
_ID_IN_FAILURES_SINCE = 53.0
_ECHOED_AS_DOUBLES = frozenset({"double", "currency", "percent"})
NEEDS_ID = frozenset({"update", "delete", "hardDelete"})

ShouldContinue = Callable[[Job], bool]
"""Called before each chunk, in its transaction: whether to continue."""


def run_ingest(org: Org, job: Job, should_continue: ShouldContinue) -> Job | None:
    """Process the rest of a job; returns the finished job, or None if it was stopped.

    Raises:
        JobFailure: the job ends as Failed; rows already committed stay.
    """
    sobject = org.catalog.sobject(job.object)
    if sobject is None:
        raise JobFailure(f"InvalidEntity : {job.object} is not supported by the Bulk API")
    upload = _upload(org.part(Jobs).folder(job), job)
    try:
        return _Run(org, job, sobject, upload, should_continue).run()
    finally:
        upload.close()


class _Run:
    """One job in progress, in its current version."""

    def __init__(
        self, org: Org, job: Job, sobject: SObject, upload: Upload, should_continue: ShouldContinue
    ) -> None:
        self._org = org
        self._jobs = org.part(Jobs)
        self._job = job
        self._sobject = sobject
        self._upload = upload
        self._should_continue = should_continue
        self._call = WriteCall(
            job.operation,
            sobject,
            (),
            user_of_id(org, job.user_id) or org.user,
            external_id=job.external_id,
            from_text=True,
        )
        self._doubles: list[int] = []

    def run(self) -> Job | None:
        if not self._upload.read_header():
            return self._job
        start = self._job.upload_done_bytes or self._upload.rows_start
        if self._job.upload_done_bytes == 0:
            # Saved before anything can fail: if the job fails now, all rows are unprocessed.
            self._job = self._jobs.change(self._job, upload_done_bytes=start)
        self._upload.check_line_endings()
        self._check_columns()
        folder = self._jobs.folder(self._job)
        with (
            _appending(folder / SUCCEEDED, self._job.succeeded_bytes) as succeeded,
            _appending(folder / FAILED, self._job.failed_bytes) as failed,
        ):
            for chunk in self._upload.chunks(start, CHUNK_ROWS):
                if not self._process(chunk, succeeded, failed):
                    return None
        return self._job

    def _check_columns(self) -> None:
        header = self._upload.header
        for place, name in enumerate(header):
            column = column_of(self._org.catalog, self._sobject, name)
            if column is None:
                raise _not_found(name)
            if column.key is None and column.field.type == "base64":
                raise JobFailure("FeatureNotEnabled : Binary field not supported")
            if column.key is None and column.field.type in _ECHOED_AS_DOUBLES:
                self._doubles.append(place)
        names = {name.lower() for name in header}
        if len(names) < len(header):
            raise JobFailure.invalid_batch("Field name is given more than once")
        key = "Id" if self._job.operation in NEEDS_ID else self._job.external_id
        creates = self._job.operation == "upsert" and key == "Id"
        if key is not None and key.lower() not in names and not creates:
            raise _not_found(key)

    def _process(self, chunk: Chunk, succeeded: BinaryIO, failed: BinaryIO) -> bool:
        started = monotonic()
        with self._org.store.writing() as conn:
            if not self._should_continue(self._job):
                return False
            outcomes = write_rows(self._org, conn, self._call, self._upload.header, chunk.rows)
            good, bad = self._result_rows(chunk.rows, outcomes)
            elapsed_ms = int((monotonic() - started) * 1000)
            self._job = self._jobs.change(
                self._job,
                rows_done=self._job.rows_done + len(chunk.rows),
                rows_failed=self._job.rows_failed + len(bad),
                upload_done_bytes=chunk.end_byte,
                succeeded_bytes=self._job.succeeded_bytes + self._write(succeeded, good),
                failed_bytes=self._job.failed_bytes + self._write(failed, bad),
                active_ms=self._job.active_ms + elapsed_ms,
                total_ms=self._job.total_ms + elapsed_ms,
            )
        return True

    def _result_rows(
        self, rows: Sequence[list[str]], outcomes: Sequence[RowOutcome]
    ) -> tuple[list[list[str]], list[list[str]]]:
        pairs = list(zip(rows, outcomes, strict=True))
        chance = random.Random(  # noqa: S311 - an order, not a secret
            f"{self._org.settings.seed} {self._job.id} {self._job.rows_done}"
        )
        chance.shuffle(pairs)
        good = [
            [outcome.id or "", "true" if outcome.created else "false", *self._echo(row)]
            for row, outcome in pairs
            if outcome.success
        ]
        shows_id = self._job.api_version >= _ID_IN_FAILURES_SINCE
        bad = [
            [
                (outcome.id or "") if shows_id else "",
                error_text(outcome),
                *row[: len(self._upload.header)],
            ]
            for row, outcome in pairs
            if not outcome.success
        ]
        return good, bad

    def _echo(self, values: list[str]) -> list[str]:
        if not self._doubles:
            return values
        echoed = list(values)
        for place in self._doubles:
            echoed[place] = exact_numbers.java_double(echoed[place])
        return echoed

    def _write(self, file: BinaryIO, rows: list[list[str]]) -> int:
        text = csv_bytes(rows, DELIMITERS[self._job.delimiter], LINE_ENDINGS[self._job.line_ending])
        file.write(text)
        # Before the commit that records how much of the file is valid.
        file.flush()
        return len(text)


def write_rows(
    org: Org,
    conn: sqlite3.Connection,
    call: WriteCall,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> list[RowOutcome]:
    """Write rows of a CSV; `call` says how. A row with more values than the header fails alone."""
    wide = {place: len(row) for place, row in enumerate(rows) if len(row) > len(header)}
    sound = [row for place, row in enumerate(rows) if place not in wide] if wide else rows
    outcomes = records.write(org, conn, replace(call, rows=CsvRows(header, sound)))
    for place, width in wide.items():
        outcomes.insert(place, refused(too_many_values(width, len(header))))
    return outcomes


def _upload(folder: Path, job: Job) -> Upload:
    return Upload(folder / UPLOAD, delimiter=DELIMITERS[job.delimiter], line_ending=job.line_ending)


def result_header(job: Job, folder: Path, *names: str) -> bytes:
    """The header of a result file: the `sf__` columns, quoted, then the header as sent."""
    upload = _upload(folder, job)
    try:
        known = upload.read_header()
    except JobFailure:
        known = bool(upload.raw_header)
    finally:
        upload.close()
    own = [f'"{name}"' for name in names]
    sent = [upload.raw_header] if known else []
    return (DELIMITERS[job.delimiter].join([*own, *sent]) + LINE_ENDINGS[job.line_ending]).encode()


def rows_left(job: Job, folder: Path) -> tuple[int, int]:
    """Byte range of the unprocessed rows in the upload: start and end."""
    path = folder / UPLOAD
    size = path.stat().st_size if path.exists() else 0
    if job.state is JobState.JOB_COMPLETE:
        return size, size
    return (job.upload_done_bytes or _header_end(job, folder)), size


def _header_end(job: Job, folder: Path) -> int:
    """Where the rows start in the upload of a job that never started."""
    upload = _upload(folder, job)
    try:
        upload.read_header()
    except JobFailure:
        pass
    finally:
        upload.close()
    return upload.rows_start


def _appending(path: Path, true_bytes: int) -> BinaryIO:
    """A result file, truncated to what was committed."""
    file = path.open("r+b" if path.exists() else "w+b")
    file.truncate(true_bytes)
    file.seek(true_bytes)
    return file


def error_text(outcome: RowOutcome) -> str:
    """A failed row's first error: `CODE:message:field1 field2 --`; no fields: `CODE:message:--`."""
    error = outcome.errors[0]
    fields = " ".join(error.fields)
    return (
        f"{error.code}:{error.message}:{fields} --"
        if fields
        else f"{error.code}:{error.message}:--"
    )


def _not_found(name: str) -> JobFailure:
    return JobFailure.invalid_batch(f"Field name not found : {name}")

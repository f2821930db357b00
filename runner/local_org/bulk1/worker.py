"""Works on batches of Bulk API 1.0 and writes their result files.

Knows batches, `records.write` and `soql.prepare`. Knows no HTTP. Unlike Bulk API 2.0, results
are in the order of the rows that were sent.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TypeVar

from msgspec.structs import replace

from runner.local_org import exact_numbers, soql
from runner.local_org.api_errors import ApiRefusal
from runner.local_org.bulk.csv_reading import Upload
from runner.local_org.bulk.csv_writing import csv_bytes
from runner.local_org.bulk.failure import JobFailure
from runner.local_org.bulk.ingest import CHUNK_ROWS, NEEDS_ID, error_text, write_rows
from runner.local_org.bulk.threads import JobThreads
from runner.local_org.bulk1.chunks import queries_of
from runner.local_org.bulk1.jobs import Batch, BatchState, Bulk1Job, Bulk1Jobs
from runner.local_org.bulk1.transformation import Transformation
from runner.local_org.oauth.users import user_of_id
from runner.local_org.org import Org
from runner.local_org.records import WriteCall, write
from runner.local_org.records.columns import column_of
from runner.local_org.records.outcome import RowOutcome

MAX_BATCH_ROWS = 10_000
_Row = TypeVar("_Row")
_NOTHING_FOUND = b"Records not found for this query\n"
_WRITTEN_AT_ONCE = 2_000
_log = logging.getLogger(__name__)


class Bulk1Worker:
    """Works on an org's batches of Bulk API 1.0."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._threads = org.part(JobThreads)

    def resume(self) -> None:
        """Continue the batches that an earlier server did not finish."""
        for batch in self._org.part(Bulk1Jobs).unfinished():
            self.start(batch)

    def start(self, batch: Batch) -> None:
        """Work on a batch."""
        self._threads.spawn(batch.id, lambda: self._work(batch))

    def _work(self, batch: Batch) -> None:
        if self._threads.wait(self._org.settings.bulk_pace_seconds):
            return
        try:
            with self._threads.slot:
                _run_batch(self._org, batch)
        except Exception:  # noqa: BLE001 - a defect ends the batch, not the server
            _log.exception("batch %s", batch.id)
            self._org.part(Bulk1Jobs).change(
                batch, state=BatchState.FAILED, message="UnknownException"
            )


def _run_batch(org: Org, batch: Batch) -> None:
    """Move a batch from Queued to Completed or Failed."""
    jobs = org.part(Bulk1Jobs)
    with org.store.writing():
        current = jobs.batch(batch.job_id, batch.id)
        job = jobs.find(batch.job_id)
        if current is None or job is None or current.state is BatchState.NOT_PROCESSED:
            return
        current = jobs.change(current, state=BatchState.IN_PROGRESS)
    try:
        if job.queries and job.chunk_rows and not current.is_chunk:
            _cut(org, job, current)
        elif job.queries:
            _finish(jobs, current, lambda: _query(org, job, current))
        else:
            # The rows and the batch's new state are one transaction, so a crash repeats neither.
            with org.store.writing():
                _finish(jobs, current, lambda: _ingest(org, job, current))
    except JobFailure as failure:
        jobs.change(current, state=BatchState.FAILED, message=str(failure))
    except ApiRefusal as fault:
        words = f"InvalidBatch : Failed to process query: {fault.errors[0].code}: "
        jobs.change(current, state=BatchState.FAILED, message=words + fault.errors[0].message)


def _cut(org: Org, job: Bulk1Job, batch: Batch) -> None:
    """Add a batch for each chunk; the batch itself ends NotProcessed, as on Salesforce."""
    jobs = org.part(Bulk1Jobs)
    every = soql.prepare(
        org,
        f"SELECT Id FROM {job.object} ORDER BY Id",  # noqa: S608 - SOQL, of a known object
        user=user_of_id(org, job.user_id) or org.user,
        version=job.api_version,
        all_rows=True,
    )
    with org.store.writing() as conn:
        ids = [str(record["Id"]) for record in every.execute(conn)]
        text = jobs.request_path(batch).read_text("utf-8").strip()
        added = [
            jobs.add(job, each.encode(), is_chunk=True)
            for each in queries_of(text, ids, job.chunk_rows)
        ]
        jobs.change(batch, state=BatchState.NOT_PROCESSED)
    for chunk in added:
        org.part(Bulk1Worker).start(chunk)


def _finish(jobs: Bulk1Jobs, batch: Batch, work: Callable[[], tuple[int, int]]) -> None:
    begun = monotonic()
    done, failed = work()
    jobs.change(
        batch,
        state=BatchState.COMPLETED,
        rows_done=done,
        rows_failed=failed,
        total_ms=int((monotonic() - begun) * 1000),
    )


def _ingest(org: Org, job: Bulk1Job, batch: Batch) -> tuple[int, int]:
    sobject = org.catalog.sobject(job.object)
    if sobject is None:
        raise JobFailure(f"InvalidEntity : {job.object} is not supported by the Bulk API")
    call = WriteCall(
        job.operation,
        sobject,
        (),
        user_of_id(org, job.user_id) or org.user,
        external_id=job.external_id,
        from_text=job.content_type == "CSV",
    )
    path = org.part(Bulk1Jobs).request_path(batch)
    outcomes = (
        _ingest_csv(org, call, path, job.spec) if call.from_text else _ingest_json(org, call, path)
    )
    results = _csv_results(outcomes) if call.from_text else _json_results(outcomes)
    org.part(Bulk1Jobs).result_path(batch).write_bytes(results)
    return len(outcomes), sum(not outcome.success for outcome in outcomes)


def _ingest_csv(org: Org, call: WriteCall, path: Path, spec: str) -> list[RowOutcome]:
    upload = Upload(path)
    try:
        if not upload.read_header():
            raise JobFailure.invalid_batch("Records not found")
        header = upload.header
        rows = _at_most(upload.rows())
    finally:
        upload.close()
    if spec:
        transformation = Transformation(spec, call.sobject)
        header, rows = transformation.header, transformation.rows(header, rows)
    _check_columns(org, call, header)
    with org.store.writing() as conn:
        return [
            outcome
            for chunk in _chunks(rows)
            for outcome in write_rows(org, conn, call, header, chunk)
        ]


def _check_columns(org: Org, call: WriteCall, header: Sequence[str]) -> None:
    key = "Id" if call.operation in NEEDS_ID else call.external_id
    missing = [name for name in header if column_of(org.catalog, call.sobject, name) is None]
    if key is not None and key.lower() not in {name.lower() for name in header}:
        missing.append(key)
    if missing:
        raise JobFailure.invalid_batch(f"Field name not found : {missing[0]}")


def _ingest_json(org: Org, call: WriteCall, path: Path) -> list[RowOutcome]:
    rows = _at_most(_json_rows(path.read_bytes()))
    with org.store.writing() as conn:
        return [
            outcome
            for chunk in _chunks(rows)
            for outcome in write(org, conn, replace(call, rows=chunk))
        ]


def _at_most(rows: Iterable[_Row]) -> list[_Row]:
    listed = list(islice(rows, MAX_BATCH_ROWS + 1))
    if len(listed) > MAX_BATCH_ROWS:
        raise JobFailure.invalid_batch(f"Too many rows in a batch: at most {MAX_BATCH_ROWS}")
    return listed


def _chunks(rows: list[_Row]) -> Iterator[list[_Row]]:
    return (rows[start : start + CHUNK_ROWS] for start in range(0, len(rows), CHUNK_ROWS))


def _json_rows(content: bytes) -> Iterator[Mapping[str, object]]:
    try:
        rows = exact_numbers.loads(content)
    except ValueError:
        raise JobFailure.invalid_batch("Content is not valid JSON") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise JobFailure.invalid_batch("Content is not a list of records")
    for row in rows:
        yield {name: value for name, value in row.items() if name != "attributes"}


def _csv_results(outcomes: Sequence[RowOutcome]) -> bytes:
    rows = [
        [
            outcome.id or "" if outcome.success else "",
            "true" if outcome.success else "false",
            "true" if outcome.created else "false",
            "" if outcome.success else error_text(outcome),
        ]
        for outcome in outcomes
    ]
    return csv_bytes([["Id", "Success", "Created", "Error"], *rows], ",", "\n")


def _json_results(outcomes: Sequence[RowOutcome]) -> bytes:
    return json.dumps(
        [
            {
                "success": outcome.success,
                "created": outcome.created,
                "id": outcome.id if outcome.success else None,
                "errors": [
                    {**error.as_collection(), "extendedErrorDetails": None}
                    for error in outcome.errors
                ],
            }
            for outcome in outcomes
        ]
    ).encode()


def _query(org: Org, job: Bulk1Job, batch: Batch) -> tuple[int, int]:
    jobs = org.part(Bulk1Jobs)
    query = soql.prepare(
        org,
        jobs.request_path(batch).read_text("utf-8").strip(),
        user=user_of_id(org, job.user_id) or org.user,
        version=job.api_version,
        all_rows=job.operation == "queryAll",
    )
    refusal = query.json_refusal if job.content_type == "JSON" else query.bulk_refusal
    if refusal is not None:
        raise JobFailure(f"FeatureNotEnabled : {refusal}")
    with org.store.reading() as conn, jobs.result_path(batch).open("wb") as file:
        if job.content_type == "JSON":
            found = [_in_epoch(record) for record in query.execute(conn)]
            file.write(exact_numbers.dumps(found).encode())
            return len(found), 0
        count, rows = 0, query.flat(conn)
        while block := list(islice(rows, _WRITTEN_AT_ONCE)):
            file.write(csv_bytes([query.columns, *block] if count == 0 else block, ",", "\n"))
            count += len(block)
        if count == 0:
            file.write(_NOTHING_FOUND)
    return count, 0


def _in_epoch(value: object) -> object:
    """A record with its datetimes as milliseconds since the epoch, as JSON batches have them."""
    if isinstance(value, dict):
        return {name: _in_epoch(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_in_epoch(each) for each in value]
    if isinstance(value, str) and value.endswith("+0000") and len(value) == len(_A_DATETIME):
        try:
            return int(datetime.fromisoformat(value).timestamp() * 1000)
        except ValueError:
            return value
    return value


_A_DATETIME = "2011-07-07T00:37:00.000+0000"

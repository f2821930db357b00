"""Jobs and batches of Bulk API 1.0 in the store.

Knows their settings, states and files. Knows no HTTP and does none of their work.
"""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from runner.local_org.bulk.jobs import MOST_OPEN, RETENTION
from runner.local_org.ids import make_id, normalise
from runner.local_org.org import Org
from runner.local_org.store import reserve

_SCHEMA = (
    'CREATE TABLE IF NOT EXISTS "_classic_jobs" (id TEXT PRIMARY KEY, body TEXT)',
    """CREATE TABLE IF NOT EXISTS "_classic_batches" (
         id TEXT PRIMARY KEY, job_id TEXT, place INTEGER, body TEXT)""",
)
QUERIES = frozenset({"query", "queryAll"})


class Bulk1JobState(StrEnum):
    """The state of a job: it accepts batches only while open."""

    OPEN = "Open"
    CLOSED = "Closed"
    ABORTED = "Aborted"


class BatchState(StrEnum):
    """The state of a batch."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    NOT_PROCESSED = "NotProcessed"


class Bulk1Job(Struct, frozen=True):
    """One job of Bulk API 1.0."""

    id: str
    operation: str
    object: str
    user_id: str
    api_version: float
    made: str
    """ISO 8601, UTC; so is `modstamp`."""
    modstamp: str
    content_type: str
    """CSV or JSON."""
    concurrency: str = "Parallel"
    external_id: str | None = None
    state: Bulk1JobState = Bulk1JobState.OPEN
    spec: str = ""
    """The transformation spec of its CSV batches."""
    chunk_rows: int = 0
    """How many Ids a chunk of its queries has; 0 if they are not cut."""

    @property
    def queries(self) -> bool:
        """Whether its batches are queries."""
        return self.operation in QUERIES


class Batch(Struct, frozen=True):
    """One batch of a job."""

    id: str
    job_id: str
    made: str
    modstamp: str
    state: BatchState = BatchState.QUEUED
    message: str | None = None
    """Salesforce's `stateMessage`."""
    rows_done: int = 0
    rows_failed: int = 0
    total_ms: int = 0
    is_chunk: bool = False

    @property
    def result_id(self) -> str:
        """The Id of a query batch's only result."""
        return "752" + self.id[3:]


class Bulk1Jobs:
    """All jobs of Bulk API 1.0 of an org; safe to use from many threads."""

    def __init__(self, org: Org) -> None:
        self._org = org
        with org.store.writing() as conn:
            for statement in _SCHEMA:
                conn.execute(statement)

    def create(self, draft: Bulk1Job) -> Bulk1Job:
        """Save a new job under a new Id."""
        now = self._org.clock().isoformat()
        with self._org.store.writing() as conn:
            job_id = make_id("750", reserve(conn, "_jobs", 1) + 1)
            job = replace(draft, id=job_id, made=now, modstamp=now)
            conn.execute('INSERT INTO "_classic_jobs" VALUES (?, ?)', (job_id, _packed(job)))
        self._folder(job_id).mkdir(parents=True, exist_ok=True)
        return job

    def add(self, job: Bulk1Job, content: bytes, *, is_chunk: bool = False) -> Batch:
        """Save a new batch and its content."""
        now = self._org.clock().isoformat()
        with self._org.store.writing() as conn:
            place = reserve(conn, "_batches", 1) + 1
            batch = Batch(make_id("751", place), job.id, now, now, is_chunk=is_chunk)
            self.request_path(batch).write_bytes(content)
            conn.execute(
                'INSERT INTO "_classic_batches" VALUES (?, ?, ?, ?)',
                (batch.id, job.id, place, _packed(batch)),
            )
        return batch

    def find(self, job_id: str) -> Bulk1Job | None:
        """A job by its 15- or 18-character Id."""
        with self._org.store.reading() as conn:
            row = conn.execute(
                'SELECT body FROM "_classic_jobs" WHERE id = ?', (normalise(job_id),)
            ).fetchone()
        job = _unpacked(row[0]) if row else None
        return job if job is not None and self._is_kept(job) else None

    def takes_batches(self, job: Bulk1Job) -> bool:
        """Whether it is young enough for new batches."""
        return job.made >= (self._org.clock() - MOST_OPEN).isoformat()

    def _is_kept(self, job: Bulk1Job) -> bool:
        """Whether it, or its youngest batch, is not older than seven days."""
        oldest = (self._org.clock() - RETENTION).isoformat()
        return max([job.made, *(each.made for each in self.batches(job.id))]) >= oldest

    def recent(self, most: int) -> list[Bulk1Job]:
        """The latest jobs, newest first."""
        with self._org.store.reading() as conn:
            rows = conn.execute(
                'SELECT body FROM "_classic_jobs" ORDER BY rowid DESC LIMIT ?', (most,)
            ).fetchall()
        return [_unpacked(row[0]) for row in rows]

    def batches(self, job_id: str) -> list[Batch]:
        """The batches of a job, in the order they were added."""
        return self._batches("WHERE job_id = ? ORDER BY place", job_id)

    def batch(self, job_id: str, batch_id: str) -> Batch | None:
        """One batch by its 15- or 18-character Id."""
        found = self._batches("WHERE id = ?", normalise(batch_id) or "")
        return next((batch for batch in found if batch.job_id == job_id), None)

    def unfinished(self) -> list[Batch]:
        """Batches that wait for work or were in progress."""
        under_way = {BatchState.QUEUED, BatchState.IN_PROGRESS}
        return [each for each in self._batches("WHERE ? = ''", "") if each.state in under_way]

    def change_job(self, job: Bulk1Job, state: Bulk1JobState) -> Bulk1Job:
        """Close or abort a job; an abort leaves queued batches unprocessed."""
        now = self._org.clock().isoformat()
        changed = replace(job, state=state, modstamp=now)
        with self._org.store.writing() as conn:
            conn.execute(
                'UPDATE "_classic_jobs" SET body = ? WHERE id = ?', (_packed(changed), job.id)
            )
            if state is Bulk1JobState.ABORTED:
                for batch in self.batches(job.id):
                    if batch.state is BatchState.QUEUED:
                        self.change(batch, state=BatchState.NOT_PROCESSED)
        return changed

    def set_spec(self, job: Bulk1Job, spec: str) -> Bulk1Job:
        """Save the transformation spec of a job."""
        changed = replace(job, spec=spec, modstamp=self._org.clock().isoformat())
        with self._org.store.writing() as conn:
            conn.execute(
                'UPDATE "_classic_jobs" SET body = ? WHERE id = ?', (_packed(changed), job.id)
            )
        return changed

    def change(self, batch: Batch, **changes: object) -> Batch:
        """Save a changed version, in the caller's transaction if there is one."""
        now = self._org.clock().isoformat()
        changed = replace(batch, modstamp=now, **changes)
        with self._org.store.writing() as conn:
            conn.execute(
                'UPDATE "_classic_batches" SET body = ? WHERE id = ?', (_packed(changed), batch.id)
            )
        return changed

    def delete_all(self) -> None:
        """Delete every job, its batches and their files."""
        for job_id in self._ids():
            shutil.rmtree(self._folder(job_id), ignore_errors=True)
        with self._org.store.writing() as conn:
            conn.execute('DELETE FROM "_classic_jobs"')
            conn.execute('DELETE FROM "_classic_batches"')

    def request_path(self, batch: Batch) -> Path:
        """The file of a batch's content."""
        return self._folder(batch.job_id) / f"{batch.id}.request"

    def result_path(self, batch: Batch) -> Path:
        """The file of a batch's result."""
        return self._folder(batch.job_id) / f"{batch.id}.result"

    def _ids(self) -> list[str]:
        with self._org.store.reading() as conn:
            return [row[0] for row in conn.execute('SELECT id FROM "_classic_jobs"')]

    def _folder(self, job_id: str) -> Path:
        return self._org.store.folder / "jobs" / job_id

    def _batches(self, where: str, argument: str) -> list[Batch]:
        with self._org.store.reading() as conn:
            rows = conn.execute(
                f'SELECT body FROM "_classic_batches" {where}',  # noqa: S608 - constants above
                (argument,),
            ).fetchall()
        return [msgspec.json.decode(row[0], type=Batch) for row in rows]


def _packed(value: Bulk1Job | Batch) -> str:
    return msgspec.json.encode(value).decode()


def _unpacked(body: str) -> Bulk1Job:
    return msgspec.json.decode(body, type=Bulk1Job)

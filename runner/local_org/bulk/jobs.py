"""Bulk jobs in the store: their settings, state and progress.

Knows jobs and where their files are. Knows no HTTP and does none of their work. Jobs outlive the
server; as at Salesforce, they are deleted after seven days.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.ids import make_id, normalise
from runner.local_org.org import Org
from runner.local_org.store import reserve

RETENTION = timedelta(days=7)
MOST_OPEN = timedelta(hours=24)
"""After that a job takes no more content."""
DELIMITERS = {
    "COMMA": ",",
    "BACKQUOTE": "`",
    "CARET": "^",
    "PIPE": "|",
    "SEMICOLON": ";",
    "TAB": "\t",
}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
_KEY_PREFIX = "750"
_SCHEMA = (
    'CREATE TABLE IF NOT EXISTS "_jobs" (id TEXT PRIMARY KEY, kind TEXT, made TEXT, body TEXT)'
)


class JobKind(StrEnum):
    """The `jobType` of a job."""

    INGEST = "V2Ingest"
    QUERY = "V2Query"


class JobState(StrEnum):
    """The state of a job."""

    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    JOB_COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"


TERMINAL = frozenset({JobState.JOB_COMPLETE, JobState.FAILED, JobState.ABORTED})
UNDER_WAY = frozenset({JobState.UPLOAD_COMPLETE, JobState.IN_PROGRESS})


class Job(Struct, frozen=True):
    """One job; `Jobs.change` saves a new version of it."""

    id: str
    kind: JobKind
    operation: str
    object: str
    user_id: str
    api_version: float
    made: str
    """ISO 8601, UTC; so is `modstamp`."""
    modstamp: str
    state: JobState
    line_ending: str = "LF"
    delimiter: str = "COMMA"
    external_id: str | None = None
    assignment_rule: str | None = None
    query: str = ""
    uploads: int = 0
    """How many times content was uploaded; more than once invalidates the job."""
    failure: str | None = None
    """Salesforce's `errorMessage`."""
    rows_done: int = 0
    rows_failed: int = 0
    upload_done_bytes: int = 0
    """Byte offset of the first unprocessed row in the upload."""
    succeeded_bytes: int = 0
    """How much of each result file is valid; anything beyond was not committed."""
    failed_bytes: int = 0
    total_ms: int = 0
    active_ms: int = 0

    @property
    def number(self) -> str:
        """The 15-character Id, which some messages show."""
        return self.id[:15]


class Jobs:
    """All Bulk jobs of an org; safe to use from many threads."""

    def __init__(self, org: Org) -> None:
        self._org = org
        with org.store.writing() as conn:
            conn.execute(_SCHEMA)
        self._delete_old()

    def create(self, kind: JobKind, draft: Job) -> Job:
        """Save a new job under a new Id."""
        self._delete_old()
        now = self._org.clock().isoformat()
        with self._org.store.writing() as conn:
            job_id = make_id(_KEY_PREFIX, reserve(conn, "_jobs", 1) + 1)
            job = replace(draft, id=job_id, kind=kind, made=now, modstamp=now)
            conn.execute(
                'INSERT INTO "_jobs" VALUES (?, ?, ?, ?)', (job_id, kind, now, _packed(job))
            )
        self.folder(job).mkdir(parents=True, exist_ok=True)
        return job

    def find(self, job_id: str) -> Job | None:
        """A job by its 15- or 18-character Id; None if it does not exist (any more)."""
        with self._org.store.reading() as conn:
            row = conn.execute(
                'SELECT body FROM "_jobs" WHERE id = ? AND made >= ?',
                (normalise(job_id), self._oldest()),
            ).fetchone()
        return _unpacked(row[0]) if row else None

    def get(self, job_id: str, kind: JobKind) -> Job:
        """A job of one kind.

        Raises:
            ApiRefusal: 404, it does not exist (any more).
        """
        job = self.find(job_id)
        if job is None or job.kind is not kind:
            raise ApiRefusal(404, "NOT_FOUND", "The requested resource does not exist")
        return job

    def takes_data(self, job: Job) -> bool:
        """Whether it is young enough for an upload."""
        return job.made >= (self._org.clock() - MOST_OPEN).isoformat()

    def page(self, kind: JobKind, start: int, most: int) -> list[Job]:
        """Jobs of one kind, oldest first."""
        with self._org.store.reading() as conn:
            rows = conn.execute(
                'SELECT body FROM "_jobs" WHERE kind = ? AND made >= ? ORDER BY made, id '
                "LIMIT ? OFFSET ?",
                (kind, self._oldest(), most, start),
            ).fetchall()
        return [_unpacked(row[0]) for row in rows]

    def recent(self, most: int) -> list[Job]:
        """Jobs of every kind, newest first."""
        with self._org.store.reading() as conn:
            rows = conn.execute(
                'SELECT body FROM "_jobs" ORDER BY made DESC, id DESC LIMIT ?', (most,)
            ).fetchall()
        return [_unpacked(row[0]) for row in rows]

    def unfinished(self) -> list[Job]:
        """Jobs that wait for work or were in progress."""
        with self._org.store.reading() as conn:
            rows = conn.execute('SELECT body FROM "_jobs" ORDER BY made, id').fetchall()
        jobs = (_unpacked(row[0]) for row in rows)
        return [job for job in jobs if job.state in UNDER_WAY]

    def change(self, job: Job, **changes: object) -> Job:
        """Save a changed version, in the caller's transaction if there is one."""
        changed = replace(job, modstamp=self._org.clock().isoformat(), **changes)
        with self._org.store.writing() as conn:
            conn.execute('UPDATE "_jobs" SET body = ? WHERE id = ?', (_packed(changed), job.id))
        return changed

    def move(self, job_id: str, state: JobState, *, out_of: frozenset[JobState]) -> Job | None:
        """Move a job to another state if it is in one of `out_of`; None if it is not."""
        with self._org.store.writing():
            job = self.find(job_id)
            if job is None or job.state not in out_of:
                return None
            return self.change(job, state=state)

    def delete(self, job: Job) -> None:
        """Delete a job and its files."""
        with self._org.store.writing() as conn:
            conn.execute('DELETE FROM "_jobs" WHERE id = ?', (job.id,))
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def delete_all(self) -> None:
        """Delete every job and its files."""
        with self._org.store.writing() as conn:
            conn.execute('DELETE FROM "_jobs"')
        shutil.rmtree(self._org.store.folder / "jobs", ignore_errors=True)

    def folder(self, job: Job) -> Path:
        """The folder of a job's files."""
        return self._org.store.folder / "jobs" / job.id

    def _oldest(self) -> str:
        """When the oldest job that is kept was made."""
        return (self._org.clock() - RETENTION).isoformat()

    def _delete_old(self) -> None:
        with self._org.store.reading() as conn:
            rows = conn.execute(
                'SELECT body FROM "_jobs" WHERE made < ?', (self._oldest(),)
            ).fetchall()
        for row in rows:
            self.delete(_unpacked(row[0]))


def _packed(job: Job) -> str:
    return msgspec.json.encode(job).decode()


def _unpacked(body: str) -> Job:
    return msgspec.json.decode(body, type=Job)


def stamp(moment: str) -> str:
    """A moment in job JSON: whole seconds, `2022-01-02T21:33:43.000+0000`."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000+0000"

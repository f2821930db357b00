"""What the ledger remembers of a run, as values, and how they stand in its rows.

Pure. Knows the columns. Knows nothing of connections or transactions.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from runner.errors import ExitCode
from runner.outcome import Counts, RunOutcome, TaskOutcome, TaskStatus
from runner.state.locks import ProcessIdentity

UNDO = "undo"
"""Verb of a run that takes another back."""

Columns = dict[str, str | int | float | None]


def new_run_id(started: datetime) -> str:
    """Name a run: `20261123-130501-7f3a` started on 23 November 2026 at 13:05:01 UTC.

    Names sort by time; of two runs that start in the same second the last four digits differ.
    """
    return f"{started.astimezone(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class RunState(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    FINISHED = "finished"
    ABORTED = "aborted"
    """A signal ended it; it had the time to say so."""
    DIED = "died"
    """It never said that it ended, and its process is gone."""


@dataclass(frozen=True, slots=True)
class PartRecord:
    """One slice of a task's rows: one request or one Bulk job."""

    part: int
    """Its number in the task, from 0."""
    state: str
    """In the words of whoever carries it out."""
    attempt: int = 0
    """Above 0: what the attempt before left of the part's rows."""
    first_row: int | None = None
    last_row: int | None = None
    """Source rows between these, both included, unless they were rejected."""
    rows: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    file: Path | None = None
    bulk_job_id: str | None = None
    results: str | None = None
    """What became of its rows, in the words of whoever carries it out; kept until the task is
    accounted for."""
    began: datetime | None = None
    """When it was first recorded, which is before anything of it was sent."""
    updated: datetime | None = None
    """When it was last recorded; the ledger's own to fill in."""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task of a run."""

    name: str
    position: int
    verb: str
    sobject: str
    outcome: TaskOutcome | None = None
    """None while it has not ended."""
    parts: tuple[PartRecord, ...] = ()
    plan: str | None = None
    """What it set out to do, in the words of whoever carries it out."""
    settled: bool = False
    """Whether its end is final: nothing of it is left to be done or found out."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asked of a run, so that it can be finished as it was begun."""

    verb: str = "run"
    """`run`, `retry` or `undo`."""
    only: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    """`name=value` each."""

    def text(self) -> str:
        """Write it down as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Asked:
        """Read it back; a run of an earlier release asked for nothing in particular."""
        found = json.loads(text)
        return cls(
            found.get("verb", "run"), tuple(found.get("only", ())), tuple(found.get("params", ()))
        )


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run."""

    run_id: str
    job: str
    job_file: Path
    job_sha256: str
    started: datetime
    process: ProcessIdentity
    state: RunState = RunState.RUNNING
    finished: datetime | None = None
    org_id: str | None = None
    instance_url: str | None = None
    username: str | None = None
    api_version: str | None = None
    folder: Path | None = None
    exit_code: ExitCode | None = None
    tasks: tuple[TaskRecord, ...] = ()
    asked: Asked = field(default_factory=Asked)
    settled: bool = False
    """Whether there is nothing to resume: it came to its end, or was given up."""
    after: str | None = None
    """The run whose failed rows it sent again, or that it undid."""

    @property
    def is_unfinished(self) -> bool:
        """Whether `runner resume` has something to do."""
        return not self.settled and self.state is not RunState.RUNNING

    @property
    def has_begun(self) -> bool:
        """Whether anything was done for a task."""
        return any(task.plan or task.outcome for task in self.tasks)

    @property
    def has_sent(self) -> bool:
        """Whether it came as far as writing to the org, or was about to."""
        return any(task.plan for task in self.tasks)

    def task(self, name: str) -> TaskRecord | None:
        """Find a task by name."""
        return next((task for task in self.tasks if task.name == name), None)

    @property
    def outcome(self) -> RunOutcome | None:
        """The run's end with the tasks that ended; None while it has not."""
        if self.finished is None or self.exit_code is None:
            return None
        return RunOutcome(
            run_id=self.run_id,
            job=self.job,
            job_file=self.job_file,
            started=self.started,
            finished=self.finished,
            tasks=tuple(task.outcome for task in self.tasks if task.outcome),
            org_id=self.org_id,
            instance_url=self.instance_url,
            username=self.username,
            api_version=self.api_version,
            folder=self.folder,
            exit_code=self.exit_code,
        )


def run_of(row: sqlite3.Row, tasks: tuple[TaskRecord, ...] = ()) -> RunRecord:
    """Make a run of its row; one that never ended and whose process is gone has died."""
    process = ProcessIdentity(row["pid"], row["host"], row["began"])
    state = RunState(row["state"])
    if state is RunState.RUNNING and process.has_ended():
        state = RunState.DIED
    return RunRecord(
        run_id=row["run_id"],
        job=row["job"],
        job_file=Path(row["job_file"]),
        job_sha256=row["job_sha256"],
        started=datetime.fromisoformat(row["started"]),
        process=process,
        state=state,
        finished=_moment(row["finished"]),
        org_id=row["org_id"],
        instance_url=row["instance_url"],
        username=row["username"],
        api_version=row["api_version"],
        folder=_path(row["folder"]),
        exit_code=None if row["exit_code"] is None else ExitCode(row["exit_code"]),
        tasks=tasks,
        asked=Asked.read(row["asked"]),
        settled=bool(row["settled"]),
        after=row["after"],
    )


def task_of(row: sqlite3.Row, parts: tuple[PartRecord, ...]) -> TaskRecord:
    """Make a task of its row."""
    task = TaskRecord(
        row["name"],
        row["position"],
        row["verb"],
        row["sobject"],
        parts=parts,
        plan=row["plan"],
        settled=bool(row["settled"]),
    )
    if row["status"] is None:
        return task
    outcome = TaskOutcome(
        name=task.name,
        verb=task.verb,
        sobject=task.sobject,
        status=TaskStatus(row["status"]),
        counts=Counts(**json.loads(row["counts"])),
        api=row["api"],
        api_calls=row["api_calls"],
        seconds=row["seconds"],
        message=row["message"],
        code=row["code"],
        hint=row["hint"],
        exit_code=ExitCode(row["exit_code"]),
        results=_path(row["results"]),
        target=row["target"],
        bulk_job_ids=tuple(json.loads(row["bulk_job_ids"])),
        top_errors=tuple(
            (code, text, rows, first[0] if first else 0)
            for code, text, rows, *first in json.loads(row["top_errors"])
        ),
        notes=tuple(json.loads(row["notes"])),
    )
    return replace(task, outcome=outcome)


def part_of(row: sqlite3.Row) -> PartRecord:
    """Make a part of its row."""
    return PartRecord(
        part=row["part"],
        state=row["state"],
        attempt=row["attempt"],
        first_row=row["first_row"],
        last_row=row["last_row"],
        rows=row["rows"],
        bytes=row["bytes"],
        sha256=row["sha256"],
        file=_path(row["file"]),
        bulk_job_id=row["bulk_job_id"],
        results=row["results"],
        began=_moment(row["began"]),
        updated=_moment(row["updated"]),
    )


def outcome_columns(outcome: TaskOutcome) -> Columns:
    """Lay a task's end out in columns; counts and lists are JSON."""
    return {
        "status": outcome.status.value,
        "counts": json.dumps(asdict(outcome.counts)),
        "api": outcome.api,
        "api_calls": outcome.api_calls,
        "seconds": outcome.seconds,
        "message": outcome.message,
        "code": outcome.code,
        "hint": outcome.hint,
        "exit_code": outcome.exit_code.value,
        "results": path_text(outcome.results),
        "target": outcome.target,
        "bulk_job_ids": json.dumps(outcome.bulk_job_ids),
        "top_errors": json.dumps(outcome.top_errors),
        "notes": json.dumps(outcome.notes),
    }


def part_columns(part: PartRecord, updated: datetime) -> Columns:
    """Lay a part out in columns."""
    return {
        "part": part.part,
        "attempt": part.attempt,
        "state": part.state,
        "first_row": part.first_row,
        "last_row": part.last_row,
        "rows": part.rows,
        "bytes": part.bytes,
        "sha256": part.sha256,
        "file": path_text(part.file),
        "bulk_job_id": part.bulk_job_id,
        "results": part.results,
        "began": moment_text(part.began or updated),
        "updated": moment_text(updated),
    }


def moment_text(moment: datetime) -> str:
    """Write a moment down in UTC, at one length, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def path_text(path: Path | None) -> str | None:
    """Write a path down."""
    return None if path is None else str(path)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def insert_statement(table: str, columns: Iterable[str], *, replacing: bool) -> str:
    """Make the SQL that adds a row, or puts it in place of the one with its key."""
    verb = "INSERT OR REPLACE" if replacing else "INSERT"
    names = list(columns)
    values = ", ".join(f":{name}" for name in names)
    return f"{verb} INTO {table} ({', '.join(names)}) VALUES ({values})"


def update_statement(table: str, columns: Iterable[str], key: Iterable[str]) -> str:
    """Make the SQL that changes columns of the row with a key."""
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    where = " AND ".join(f"{name} = :{name}" for name in key)
    return f"UPDATE {table} SET {assignments} WHERE {where}"  # noqa: S608 - own names

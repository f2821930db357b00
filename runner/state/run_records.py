"""Runs, tasks and parts as the ledger records them: values, and their rows.

Knows the columns. Knows nothing of connections or transactions.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from msgspec import Struct, convert, field
from msgspec.structs import asdict, replace

from runner.diagnostics import Diagnostic, Position, Severity
from runner.errors import ExitCode
from runner.outcome import Counts, RunOutcome, TaskOutcome, TaskStatus
from runner.redaction import redacted
from runner.state.ledger_database import Columns, Row
from runner.state.process import ProcessIdentity

APPLY = "apply"
UNDO = "undo"
"""Verb of a run that undoes another."""


def new_run_id(started: datetime) -> str:
    """Name a run: `20261123-130501-7f3a9c04` started on 23 November 2026 at 13:05:01 UTC.

    Names sort by time; of runs that start in the same second the last digits differ.
    """
    return f"{started.astimezone(UTC):%Y%m%d-%H%M%S}-{os.urandom(4).hex()}"


class RunState(StrEnum):
    """Where a run is."""

    RUNNING = "running"
    FINISHED = "finished"
    ABORTED = "aborted"
    """A signal ended it, and it recorded its end."""
    DIED = "died"
    """It recorded no end, and its process has ended."""


class PartRecord(Struct, frozen=True):
    """One slice of a task's rows: one request or one Bulk job."""

    part: int
    """Its number in the task, from 0."""
    state: str
    """Defined by what sends the part."""
    attempt: int = 0
    """Above 0: rows of the part that the attempt before left over."""
    first_row: int | None = None
    last_row: int | None = None
    """Its source rows are those from first to last that were not rejected."""
    rows: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    bulk_job_id: str | None = None
    results: str | None = None
    """Those of its rows, in the form of what sends the part; until the task's end is final."""
    began: datetime | None = None
    """When it was first recorded, before any of it was sent."""
    updated: datetime | None = None
    """When it was last recorded; the ledger fills this in."""


class TaskRecord(Struct, frozen=True):
    """One task of a run."""

    name: str
    position: int
    """Its place in the job."""
    verb: str
    sobject: str
    number: int = 0
    """Grows in the order in which tasks started, which may be another."""
    outcome: TaskOutcome | None = None
    """None while it runs."""
    parts: tuple[PartRecord, ...] = ()
    plan: str | None = None
    """What it was going to do, in the form of what runs the task."""
    final: bool = False
    """Whether nothing of it is left to be done or found out."""


class RunRequest(Struct, frozen=True):
    """What the command line asked for, so that a run is resumed as it was started."""

    verb: str = "run"
    """`run`, `retry`, `apply` or `undo`."""
    only: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    """`name=value` each."""
    full: bool = False
    """Whether incremental queries extract all records."""
    since: str | None = None
    """Where incremental queries begin, in ISO 8601; None: at their watermark."""
    target: str | None = None
    """Which of the job's targets; None: its default, or its only connection."""
    reconcile: bool = False
    """Whether incremental queries compare their targets with the org."""
    planned: tuple[str, ...] = ()
    """The tasks whose rows a plan has kept: these are sent, and nothing else."""

    @property
    def begins(self) -> datetime | None:
        """Where incremental queries begin."""
        return datetime.fromisoformat(self.since) if self.since else None

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> RunRequest:
        """Read it back; runs of earlier releases have none."""
        return convert(json.loads(text), cls)


class RunRecord(Struct, frozen=True):
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
    request: RunRequest = field(default_factory=RunRequest)
    final: bool = False
    """Whether there is nothing to resume: it is complete, or was abandoned."""
    after: str | None = None
    """The run that it retries or undoes."""
    message: str | None = None
    """What ended it before its tasks."""
    hint: str | None = None
    problems: tuple[Diagnostic, ...] = ()

    @property
    def is_unfinished(self) -> bool:
        """Whether `runner resume` has something to do."""
        return not self.final and self.state is not RunState.RUNNING

    @property
    def has_begun(self) -> bool:
        """Whether it has started on a task."""
        return any(task.plan or task.outcome for task in self.tasks)

    @property
    def has_sent(self) -> bool:
        """Whether it has written to the org, or was about to."""
        return any(task.plan for task in self.tasks)

    def task(self, name: str) -> TaskRecord | None:
        """Find a task by name."""
        return next((task for task in self.tasks if task.name == name), None)

    @property
    def outcome(self) -> RunOutcome | None:
        """The run's end, with the tasks that ended; None while it runs."""
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
            message=self.message,
            hint=self.hint,
            problems=self.problems,
        )


def run_of(
    row: Row, tasks: tuple[TaskRecord, ...], has_ended: Callable[[str, ProcessIdentity], bool]
) -> RunRecord:
    """Read a run from its row; without an end and without its process, it has died."""
    process = ProcessIdentity(row["pid"], row["host"], row["began"])
    state = RunState(row["state"])
    if state is RunState.RUNNING and has_ended(row["run_id"], process):
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
        request=RunRequest.read(row["asked"]),
        final=bool(row["settled"]),
        after=row["after"],
        message=row["message"],
        hint=row["hint"],
        problems=_problems_of(row["problems"]),
    )


def task_of(row: Row, parts: tuple[PartRecord, ...]) -> TaskRecord:
    """Read a task from its row."""
    task = TaskRecord(
        row["name"],
        row["position"],
        row["verb"],
        row["sobject"],
        number=row["number"],
        parts=parts,
        plan=row["plan"],
        final=bool(row["settled"]),
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
        problems=_problems_of(row["problems"]),
    )
    return replace(task, outcome=outcome)


def _problems_of(text: str) -> tuple[Diagnostic, ...]:
    return tuple(map(_problem, json.loads(text)))


def _problem(members: dict[str, Any]) -> Diagnostic:
    at = members["position"]
    return Diagnostic(
        **{
            **members,
            "file": Path(members["file"]),
            "position": Position(**at) if at else None,
            "severity": Severity(members["severity"]),
            "path": tuple(members["path"]),
        }
    )


def part_of(row: Row) -> PartRecord:
    """Read a part from its row."""
    return PartRecord(
        part=row["part"],
        state=row["state"],
        attempt=row["attempt"],
        first_row=row["first_row"],
        last_row=row["last_row"],
        rows=row["rows"],
        bytes=row["bytes"],
        sha256=row["sha256"],
        bulk_job_id=row["bulk_job_id"],
        results=row["results"],
        began=_moment(row["began"]),
        updated=_moment(row["updated"]),
    )


def outcome_columns(outcome: TaskOutcome) -> Columns:
    """A task's end as columns; counts and lists are JSON. No text contains a known secret."""
    columns: Columns = {
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
        "problems": _problems_text(outcome.problems),
    }
    return _without_secrets(columns)


def end_columns(outcome: RunOutcome) -> Columns:
    """What ended a run before its tasks, as columns. No text contains a known secret."""
    return _without_secrets(
        {
            "message": outcome.message,
            "hint": outcome.hint,
            "problems": _problems_text(outcome.problems),
        }
    )


def _problems_text(problems: tuple[Diagnostic, ...]) -> str:
    return json.dumps([_problem_members(each) for each in problems], default=str)


def _problem_members(problem: Diagnostic) -> dict[str, object]:
    at = problem.position
    return asdict(problem) | {"position": asdict(at) if at else None}


def _without_secrets(columns: Columns) -> Columns:
    return {
        name: redacted(value) if name in _QUOTES_OTHERS and isinstance(value, str) else value
        for name, value in columns.items()
    }


_QUOTES_OTHERS = frozenset({"message", "code", "hint", "top_errors", "notes", "problems"})


def part_columns(part: PartRecord, updated: datetime) -> Columns:
    """A part as columns."""
    return {
        "part": part.part,
        "attempt": part.attempt,
        "state": part.state,
        "first_row": part.first_row,
        "last_row": part.last_row,
        "rows": part.rows,
        "bytes": part.bytes,
        "sha256": part.sha256,
        "bulk_job_id": part.bulk_job_id,
        "results": part.results,
        "began": moment_text(part.began or updated),
        "updated": moment_text(updated),
    }


def moment_text(moment: datetime) -> str:
    """A time in UTC, always of one length, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def path_text(path: Path | None) -> str | None:
    """A path, or null."""
    return None if path is None else str(path)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)

"""An event as one plain object, as `schemas/event.schema.json` describes it.

Pure. Knows the names, which never change. No value of a row is in an object, except where a message
quotes one, and no secret that this process has seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from msgspec.structs import asdict

from runner import events
from runner.errors import ExitCode
from runner.outcome import RunOutcome, TaskOutcome, TaskStatus
from runner.redaction import redacted
from runner.telemetry.lines import log_line

Members = dict[str, object]


class Level(StrEnum):
    """How much an event matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def event_document(event: events.Event, time: datetime, run_id: str | None) -> Members:
    """The object of an event: when, how much it matters, what, of which run, and its own members.

    Args:
        event: What happened.
        time: When, with its zone.
        run_id: Of the run in progress; None before there is one.
    """
    name, level, members = _own(event)
    return document(name, level, log_line(event), time, {"run_id": run_id, **members})


def document(
    name: str, level: Level, message: str, time: datetime, members: Mapping[str, object]
) -> Members:
    """An object of any name; members without a value are left out."""
    moment = time.astimezone(UTC).isoformat(timespec="milliseconds")
    known = {key: value for key, value in members.items() if value is not None}
    return {"time": moment, "level": level.value, "event": name, "message": message, **known}


def line(found: Members) -> str:
    """An object as one line of JSON, with its end; every text in it is redacted."""
    return json.dumps(redacted_value(found), ensure_ascii=False) + "\n"


def redacted_value(value: object) -> object:
    """Redact every text in plain values.

    Before they are JSON: what looks like a secret must not end where a text ends in JSON.
    """
    if isinstance(value, str):
        return redacted(value, shapes=True)
    if isinstance(value, Mapping):
        return {key: redacted_value(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted_value(each) for each in value]
    return value


_AS_THEY_ARE = {
    events.RunStarted: ("run.started", Level.INFO),
    events.Connected: ("org.connected", Level.INFO),
    events.ApiCallsCounted: ("org.api_calls", Level.INFO),
    events.TaskStarted: ("task.started", Level.INFO),
    events.Retrying: ("request.retrying", Level.WARNING),
}
"""Events whose members are those of the object."""


def _own(event: events.Event) -> tuple[str, Level, Members]:
    match event:
        case events.Progress():
            return "task.progress", Level.DEBUG, {**asdict(event), "note": event.note or None}
        case events.Warned(message, task):
            return "warning", Level.WARNING, {"text": message, "task": task}
        case events.Noticed(message, task):
            return "notice", Level.INFO, {"text": message, "task": task}
        case events.TaskFinished(outcome):
            return "task.finished", _level(outcome.status), _task(outcome)
        case events.RunFinished(outcome):
            return "run.finished", _LEVELS.get(outcome.exit_code, Level.ERROR), _run(outcome)
        case _:
            return *_AS_THEY_ARE[type(event)], asdict(event)


_LEVELS = {ExitCode.DONE: Level.INFO, ExitCode.PARTIAL: Level.WARNING}
"""Of the end of a run; any other is an error."""


def _level(status: TaskStatus) -> Level:
    if status in {TaskStatus.FAILED, TaskStatus.ABORTED}:
        return Level.ERROR
    return Level.WARNING if status is TaskStatus.PARTIAL else Level.INFO


def _task(task: TaskOutcome) -> Members:
    return {
        "task": task.name,
        "verb": task.verb,
        "sobject": task.sobject,
        "status": task.status.value,
        "exit_code": int(task.exit_code),
        "api": task.api,
        "api_calls": task.api_calls,
        "seconds": round(task.seconds, 3),
        "counts": asdict(task.counts),
        "code": task.code,
        "text": task.message,
        "bulk_job_ids": list(task.bulk_job_ids),
        # Without the messages of rows, which quote their values.
        "top_errors": [
            {"code": code, "rows": rows, "first_row": first or None}
            for code, _, rows, first in task.top_errors
        ],
    }


def _run(run: RunOutcome) -> Members:
    return {
        "run_id": run.run_id,
        "job": run.job,
        "exit_code": int(run.exit_code),
        "seconds": round((run.finished - run.started).total_seconds(), 3),
        "org_id": run.org_id,
        "text": run.message,
    }

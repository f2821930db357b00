"""The line of an event, for people.

Pure: from an event to text. Knows nothing of streams, terminals or files.
"""

from __future__ import annotations

from msgspec.structs import asdict

from runner import events
from runner.outcome import RunOutcome, TaskOutcome
from runner.wording import counted


def line_of(event: events.Event) -> str | None:
    """The log line of an event; None for those that only move a progress bar."""
    match event:
        case events.RunStarted(run_id, job, tasks):
            return f"run {run_id}: {job}, {counted(tasks, 'task')}"
        case events.Connected():
            who = f" as {event.username}" if event.username else ""
            version = f"API version {event.api_version}"
            return f"connected to {event.instance_url}{who}, {version}"
        case events.TaskStarted(task, verb, sobject):
            return f"{task}: {verb} {sobject}"
        case events.Retrying(reason, wait_seconds, attempt):
            return f"retrying in {wait_seconds:.1f} s (attempt {attempt}): {reason}"
        case events.Warned(message, task) | events.Noticed(message, task):
            warning = "warning: " if isinstance(event, events.Warned) else ""
            return f"{warning}{task + ': ' if task else ''}{message}"
        case _:
            return None


def progress_line(event: events.Progress) -> str:
    """Progress of a task, on one line."""
    total = f" of {event.rows_total:,}" if event.rows_total is not None else ""
    parts = f", part {event.parts_done} of {event.parts_total}" if event.parts_total else ""
    note = f", {event.note}" if event.note else ""
    return f"{event.task}: {event.rows_done:,}{total} rows{parts}{note}"


def log_line(event: events.Event) -> str:
    """Any event on one line, also those for which the recap stands on a terminal."""
    match event:
        case events.Progress():
            return progress_line(event)
        case events.TaskFinished(outcome):
            return _task_end(outcome)
        case events.RunFinished(outcome):
            return _run_end(outcome)
        case events.ApiCallsCounted(used, maximum):
            return f"the org has used {used:,} of its {maximum:,} API calls of a day"
        case _:
            return line_of(event) or ""


def _task_end(task: TaskOutcome) -> str:
    counts = [f"{name} {number:,}" for name, number in asdict(task.counts).items() if number]
    figures = ", ".join([*counts, f"API calls {task.api_calls:,}", f"{task.seconds:.1f} s"])
    why = f": {task.message}" if task.message else ""
    return f"{task.name}: {task.status.value} ({figures}){why}"


def _run_end(run: RunOutcome) -> str:
    why = f": {run.message}" if run.message else ""
    return f"run {run.run_id}: exit {int(run.exit_code)}{why}"

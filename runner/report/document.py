"""A run as one JSON document, as `schemas/run.schema.json` describes it.

Pure: from an outcome to plain values. Knows nothing of where it is printed.
"""

from __future__ import annotations

from msgspec.structs import asdict

from runner.outcome import RunOutcome, TaskOutcome
from runner.report.diagnostics import diagnostic_document

FORMAT_VERSION = 1


def run_document(outcome: RunOutcome) -> dict[str, object]:
    """A run with its tasks."""
    return {
        "format_version": FORMAT_VERSION,
        "run_id": outcome.run_id,
        "job": outcome.job,
        "job_file": str(outcome.job_file),
        "started": outcome.started.isoformat(),
        "finished": outcome.finished.isoformat(),
        "exit_code": int(outcome.worst_exit_code),
        "org_id": outcome.org_id,
        "instance_url": outcome.instance_url,
        "username": outcome.username,
        "api_version": outcome.api_version,
        "folder": str(outcome.folder) if outcome.folder else None,
        "tasks": [task_document(task) for task in outcome.tasks],
        "resumed": run_document(outcome.resumed) if outcome.resumed else None,
        "not_started": outcome.not_started,
    }


def task_document(task: TaskOutcome) -> dict[str, object]:
    """One task of a run."""
    return {
        "name": task.name,
        "verb": task.verb,
        "sobject": task.sobject,
        "status": task.status.value,
        "exit_code": int(task.exit_code),
        "api": task.api,
        "api_calls": task.api_calls,
        "seconds": round(task.seconds, 3),
        "counts": asdict(task.counts),
        "code": task.code,
        "message": task.message,
        "hint": task.hint,
        "results": str(task.results) if task.results else None,
        "target": task.target,
        "bulk_job_ids": list(task.bulk_job_ids),
        "top_errors": [
            {"code": code, "message": message, "rows": rows, "first_row": first or None}
            for code, message, rows, first in task.top_errors
        ],
        "other_errors": task.other_errors,
        "notes": list(task.notes),
        "problems": [diagnostic_document(each) for each in task.problems],
    }

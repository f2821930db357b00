"""`runner fleet`: which runs are under way where, and the workers of a Dask scheduler."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Option
from runner.cli.options import Output, OutputOption, StateDir
from runner.cli.settings import state_folder
from runner.cli.terminal import echo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.runs.fleet.messages import Report
    from runner.state.run_records import RunRecord

EXAMPLES = """\
runner fleet
runner fleet --on tcp://scheduler:8786 -o json
"""


def fleet(
    on: Annotated[
        str | None,
        Option(
            "--on",
            envvar="SFRUNNER_ON",
            help="Also list the workers of this Dask scheduler, e.g. tcp://scheduler:8786.",
            metavar="ADDRESS",
            show_default=False,
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """List the runs in progress: which job, where, how far.

    With --on, also the workers of a Dask scheduler and what each runs.
    """
    from runner.state.store import open_ledger

    workers = _workers(on) if on is not None else None
    with open_ledger(state_folder(state_dir)) as ledger:
        runs = ledger.under_way()
    if output is Output.JSON:
        document: dict[str, object] = {"runs": [_run_document(run) for run in runs]}
        if workers is not None:
            document["workers"] = [_worker_document(*each) for each in workers.items()]
        echo(json.dumps(document, indent=2))
        return
    from runner.report.sinks import printable

    lines = [_run_line(run) for run in runs] or ["No run is in progress."]
    if workers is not None:
        lines += [_worker_line(*each) for each in workers.items()] or [
            "The cluster has no workers."
        ]
    echo(printable("\n".join(lines)))


def _workers(on: str) -> Mapping[str, Report | Exception]:
    from runner.runs.fleet.checks import read_reports
    from runner.runs.fleet.cluster import workers_of
    from runner.runs.fleet.messages import Places, Question
    from runner.state.paths import project_folder

    places = Places(project_folder())
    return read_reports(workers_of(on, places.encoded(Question("")), _warn), places)


def _warn(text: str) -> None:
    echo(f"warning: {text}", err=True)


def _run_line(run: RunRecord) -> str:
    of_target = f" on {run.request.target}" if run.request.target else ""
    where = f"pid {run.process.pid} on {run.process.host}"
    parts = [f"{run.run_id}  {run.job}{of_target}", where, f"since {_text(run.started)}"]
    tasks = _open_tasks(run)
    if tasks:
        parts.append(f"at {', '.join(tasks)}")
    progress = _last_progress(run)
    if progress is not None:
        parts.append(f"last progress {_text(progress)}")
    if run.is_unfinished:
        parts.append(f"died: `runner resume {run.run_id}`")
    return "  ".join(parts)


def _worker_line(address: str, report: Report | Exception) -> str:
    if isinstance(report, Exception):
        return f"worker {address}  does not have this runner"
    where = f"pid {report.process.pid} on {report.process.host}"
    jobs = ", ".join(report.jobs) or "idle"
    return f"worker {address}  {where}  runner {report.version}  {jobs}"


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _open_tasks(run: RunRecord) -> list[str]:
    return [task.name for task in run.tasks if task.outcome is None]


def _last_progress(run: RunRecord) -> datetime | None:
    """When a part of it was last recorded."""
    moments = (part.updated for task in run.tasks for part in task.parts)
    return max((moment for moment in moments if moment is not None), default=None)


def _run_document(run: RunRecord) -> dict[str, object]:
    progress = _last_progress(run)
    return {
        "run_id": run.run_id,
        "job": run.job,
        "job_file": str(run.job_file),
        "target": run.request.target,
        "state": run.state.value,
        "host": run.process.host,
        "pid": run.process.pid,
        "started": run.started.isoformat(),
        "org_id": run.org_id,
        "tasks": _open_tasks(run),
        "last_progress": None if progress is None else progress.isoformat(),
    }


def _worker_document(address: str, report: Report | Exception) -> dict[str, object]:
    if isinstance(report, Exception):
        return {"address": address, "error": type(report).__name__}
    return {
        "address": address,
        "host": report.process.host,
        "pid": report.process.pid,
        "version": report.version,
        "python": report.python,
        "project": report.project,
        "jobs": list(report.jobs),
    }

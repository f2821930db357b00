"""`runner show RUN`: show one run with its tasks, parts and Bulk jobs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runner.cli.options import Output, OutputOption, RunId, StateDir
from runner.cli.settings import state_folder
from runner.cli.terminal import echo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.state.run_records import PartRecord, RunRecord

EXAMPLES = """\
runner show last
runner show 20261123 -o json
"""


def show(
    run: RunId = "last",
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """Show one run with its tasks, parts and Bulk jobs."""
    from runner.state.store import open_ledger

    with open_ledger(state_folder(state_dir)) as ledger:
        found = ledger.run(run)
        ledger.files.fetch(found.run_id)
        undone_by = ledger.undone_by(found.run_id)
    if output is Output.JSON:
        document = {**_document(found), "undone_by": list(undone_by)}
        echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        echo(_text(found, undone_by))


def _document(run: RunRecord) -> dict[str, object]:
    from runner.report.diagnostics import diagnostic_document
    from runner.report.document import task_document

    return {
        "run_id": run.run_id,
        "verb": run.request.verb,
        "target": run.request.target,
        "after": run.after,
        "job": run.job,
        "job_file": str(run.job_file),
        "state": run.state.value,
        "started": run.started.isoformat(),
        "finished": run.finished.isoformat() if run.finished else None,
        "exit_code": None if run.exit_code is None else int(run.exit_code),
        "org_id": run.org_id,
        "instance_url": run.instance_url,
        "username": run.username,
        "api_version": run.api_version,
        "folder": str(run.folder) if run.folder else None,
        "message": run.message,
        "hint": run.hint,
        "problems": [diagnostic_document(each) for each in run.problems],
        "tasks": [
            {
                "name": task.name,
                "outcome": task_document(task.outcome) if task.outcome else None,
                "parts": [_part(part) for part in task.parts],
            }
            for task in run.tasks
        ],
    }


def _part(part: PartRecord) -> dict[str, object]:
    return {
        "part": part.part,
        "state": part.state,
        "rows": part.rows,
        "bytes": part.bytes,
        "sha256": part.sha256,
        "bulk_job_id": part.bulk_job_id,
    }


def _text(run: RunRecord, undone_by: Sequence[str]) -> str:
    from runner.report.diagnostics import render_diagnostic
    from runner.report.sinks import printable
    from runner.report.text import recap
    from runner.state.run_records import RunState

    lines = [
        f"run {run.run_id}: {run.job} ({run.job_file})",
        f"state {run.state.value}, started {run.started:%Y-%m-%d %H:%M:%S} UTC",
    ]
    if run.request.target is not None:
        lines.append(f"target {run.request.target}")
    if run.instance_url:
        who = f" as {run.username}" if run.username else ""
        lines.append(f"org {run.org_id} at {run.instance_url}{who}, API version {run.api_version}")
    if run.after is not None:
        lines.append(f"{run.request.verb} of {run.after}")
    if run.folder:
        lines.append(f"files {run.folder}")
    lines += [f"undone by {each}" for each in undone_by]
    lines += ["\n" + render_diagnostic(each) for each in run.problems]
    if run.message is not None:
        lines += ["", f"error: {run.message}"]
    if run.hint is not None:
        lines.append(f"help: {run.hint}")
    open_tasks = [task.name for task in run.tasks if task.outcome is None]
    if open_tasks:
        word = "under way" if run.state is RunState.RUNNING else "not finished"
        lines.append(f"{word}: {', '.join(open_tasks)}")
    if run.outcome and run.outcome.tasks:
        lines += ["", recap(run.outcome)]
    jobs = [(task.name, part) for task in run.tasks for part in task.parts]
    if jobs:
        lines += ["", "parts"]
    lines += [
        f"  {name} {part.part}: {part.state}, {part.rows or 0:,} rows"
        + (f", Bulk job {part.bulk_job_id}" if part.bulk_job_id else "")
        for name, part in jobs
    ]
    return printable("\n".join(lines))

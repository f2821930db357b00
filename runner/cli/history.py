"""`runner history`: the runs that were, newest first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.options import Output, OutputOption, StateDir

if TYPE_CHECKING:
    from runner.state.run_records import RunRecord


def history(
    job: Annotated[
        str | None, typer.Option("--job", help="Only runs of the job of this name.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs.")] = 20,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """List the runs, newest first."""
    from runner.cli.compose import state_folder
    from runner.state.ledger import Ledger

    with Ledger(state_folder(state_dir).ledger) as ledger:
        runs = ledger.runs(limit=limit, job=job)
    if output is Output.JSON:
        typer.echo(json.dumps({"runs": [_document(run) for run in runs]}, indent=2))
    elif runs:
        typer.echo("\n".join(map(_line, runs)))
    else:
        typer.echo("No run has been recorded yet.")


def _document(run: RunRecord) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "job": run.job,
        "job_file": str(run.job_file),
        "state": run.state.value,
        "started": run.started.isoformat(),
        "finished": run.finished.isoformat() if run.finished else None,
        "exit_code": None if run.exit_code is None else int(run.exit_code),
        "org_id": run.org_id,
        "username": run.username,
    }


def _line(run: RunRecord) -> str:
    took = f"{(run.finished - run.started).total_seconds():8.1f} s" if run.finished else " " * 10
    code = "" if run.exit_code is None else f"exit {int(run.exit_code)}"
    return (
        f"{run.run_id}  {run.started:%Y-%m-%d %H:%M:%S}  {took}  {run.state.value:<8}  {code:<8}"
        f"  {run.job}"
    )

"""`runner history`: the runs that were, newest first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.options import Output, OutputOption, StateDir
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.state.ledger import Ledger
    from runner.state.paths import StateFolder
    from runner.state.run_records import RunRecord


def history(
    job: Annotated[
        str | None, typer.Option("--job", help="Only runs of the job of this name.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs.")] = 20,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Delete runs older than 90 days, with their files; unfinished ones stay.",
        ),
    ] = False,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", min=0, help="With --prune: keep so many instead, the newest.", metavar="N"
        ),
    ] = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """List the runs, newest first; or delete old ones."""
    from runner.runs.retention import lost_ledger
    from runner.runs.wiring import state_folder
    from runner.state.ledger import Ledger

    if keep is not None and not prune:
        raise UsageError("--keep says what --prune leaves.", hint="Add --prune.")
    with Ledger(state_folder(state_dir).ledger) as ledger:
        if prune:
            _prune(ledger, state_folder(state_dir), keep, output)
            return
        runs = ledger.runs(limit=limit, job=job)
        lost = lost_ledger(ledger, state_folder(state_dir))
    if output is Output.JSON:
        typer.echo(json.dumps({"runs": [_document(run) for run in runs]}, indent=2))
    elif runs:
        typer.echo("\n".join(map(_line, runs)))
    else:
        typer.echo("No run has been recorded yet.")
    if lost is not None:
        typer.echo(f"warning: {lost}", err=True)


def _prune(ledger: Ledger, state: StateFolder, keep: int | None, output: Output) -> None:
    from runner.runs.retention import prune

    gone = prune(ledger, state, keep=keep)
    if output is Output.JSON:
        typer.echo(json.dumps({"pruned": gone.runs, "unfinished": gone.unfinished}))
        return
    typer.echo(f"{len(gone.runs):,} run{'' if len(gone.runs) == 1 else 's'} deleted")
    for run_id in gone.unfinished:
        typer.echo(f"{run_id} stays: it is unfinished; `runner resume {run_id}`")


def _document(run: RunRecord) -> dict[str, object]:
    return {
        "run_id": run.run_id,
        "job": run.job,
        "job_file": str(run.job_file),
        "state": run.state.value,
        "unfinished": run.is_unfinished,
        "started": run.started.isoformat(),
        "finished": run.finished.isoformat() if run.finished else None,
        "exit_code": None if run.exit_code is None else int(run.exit_code),
        "org_id": run.org_id,
        "username": run.username,
        "verb": run.request.verb,
        "after": run.after,
    }


def _line(run: RunRecord) -> str:
    took = f"{(run.finished - run.started).total_seconds():8.1f} s" if run.finished else " " * 10
    code = "" if run.exit_code is None else f"exit {int(run.exit_code)}"
    left = "  unfinished: `runner resume`" if run.is_unfinished and run.has_begun else ""
    if run.after is not None:
        left += f"  {run.request.verb} of {run.after}"
    return (
        f"{run.run_id}  {run.started:%Y-%m-%d %H:%M:%S}  {took}  {run.state.value:<8}  {code:<8}"
        f"  {run.job}{left}"
    )

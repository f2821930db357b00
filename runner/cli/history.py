"""`runner history`: list runs, newest first; delete old ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Option
from runner.cli.options import Output, OutputOption, StateDir
from runner.cli.settings import state_folder
from runner.cli.terminal import echo
from runner.errors import UsageError
from runner.wording import counted

if TYPE_CHECKING:
    from runner.state.ledger import Ledger
    from runner.state.notifications import Notification
    from runner.state.run_records import RunRecord
    from runner.state.watermarks import Watermark

EXAMPLES = """\
runner history
runner history --job accounts --limit 5
runner history --watermarks
"""


def history(
    job: Annotated[
        str | None, Option("--job", help="Only runs of this job.", metavar="NAME")
    ] = None,
    limit: Annotated[
        int, Option("--limit", "-n", min=1, help="Show at most N runs.", metavar="N")
    ] = 20,
    prune: Annotated[
        bool,
        Option(
            "--prune",
            help="Delete runs older than 90 days and their files, except unfinished ones.",
        ),
    ] = False,
    keep: Annotated[
        int | None,
        Option("--keep", min=0, help="With --prune: keep only the newest N.", metavar="N"),
    ] = None,
    watermarks: Annotated[
        bool,
        Option("--watermarks", help="List how far each incremental query has been extracted."),
    ] = False,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
) -> None:
    """List runs, newest first; or delete old ones."""
    from runner.state.store import lost_ledger, open_ledger

    if keep is not None and not prune:
        raise UsageError("--keep needs --prune.", hint="Add `--prune`.")
    state = state_folder(state_dir)
    with open_ledger(state) as ledger:
        if prune:
            _prune(ledger, keep, output)
            return
        if watermarks:
            _print_watermarks(ledger.watermarks.all(job), output)
            return
        runs = ledger.runs(limit=limit, job=job)
        notified = ledger.notifications.of_runs([run.run_id for run in runs])
        never_began = [each for each in ledger.notifications.waiting() if each.run_id is None]
        lost = lost_ledger(ledger, state)
    if output is Output.JSON:
        listed = [_document(run) | {"notifications": _of_run(run, notified)} for run in runs]
        echo(json.dumps({"runs": listed}, indent=2))
    elif runs:
        echo("\n".join(f"{_line(run)}{_not_notified(run, notified)}" for run in runs))
    else:
        where = state.shared.label if state.shared else state.root  # it may be another than meant
        echo(f"No runs of a job {job!r} in {where}." if job else f"No runs yet in {where}.")
    for each in never_began:
        echo(f"warning: {each.job_file} was not started: {_waits(each)}", err=True)
    if lost is not None:
        echo(f"warning: {lost}", err=True)


def _prune(ledger: Ledger, keep: int | None, output: Output) -> None:
    from runner.runs.retention import prune

    pruned = prune(ledger, keep=keep)
    if output is Output.JSON:
        echo(json.dumps({"pruned": pruned.runs, "unfinished": pruned.unfinished}))
        return
    echo(f"{counted(len(pruned.runs), 'run')} deleted")
    for run_id in pruned.unfinished:
        echo(f"{run_id} is unfinished and was not deleted; `runner resume {run_id}`")


def _print_watermarks(found: list[Watermark], output: Output) -> None:
    if output is Output.JSON:
        listed = [_watermark_document(each) for each in found]
        echo(json.dumps({"watermarks": listed}, indent=2))
        return
    for each in found:
        until, full = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (each.until, each.full_at))
        echo(
            f"{each.job}  {each.task}  {each.org_id}  {each.field} until {until}  full {full}"
            f"  run {each.run_id}"
        )
    if not found:
        echo("No watermarks yet.")


def _watermark_document(watermark: Watermark) -> dict[str, str]:
    return {
        "job": watermark.job,
        "job_file": str(watermark.job_file),
        "task": watermark.task,
        "org_id": watermark.org_id,
        "field": watermark.field,
        "until": watermark.until.isoformat(),
        "full_at": watermark.full_at.isoformat(),
        "run_id": watermark.run_id,
    }


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
        "target": run.request.target,
        "after": run.after,
    }


def _of_run(run: RunRecord, notified: list[Notification]) -> list[dict[str, object]]:
    return [
        {
            "event": each.event,
            "to": _called(each),
            "state": each.state.value,
            "tries": each.tries,
            "error": each.error,
        }
        for each in notified
        if each.run_id == run.run_id
    ]


def _not_notified(run: RunRecord, notified: list[Notification]) -> str:
    """Who has not been notified of a run."""
    own = (each for each in notified if each.run_id == run.run_id and each.state != "sent")
    return "".join(f"  {_waits(each)}" for each in own)


def _waits(notification: Notification) -> str:
    return f"{notification.event} {notification.state.value} for {_called(notification)}"


def _called(notification: Notification) -> str:
    from runner.job.build_notices import recipient

    return str(recipient(json.loads(notification.recipient)))


def _line(run: RunRecord) -> str:
    took = f"{(run.finished - run.started).total_seconds():8.1f} s" if run.finished else " " * 10
    code = "" if run.exit_code is None else f"exit {int(run.exit_code)}"
    left = "  unfinished: `runner resume`" if run.is_unfinished and run.has_begun else ""
    of_target = f" on {run.request.target}" if run.request.target else ""
    if run.after is not None:
        left += f"  {run.request.verb} of {run.after}"
    return (
        f"{run.run_id}  {run.started:%Y-%m-%d %H:%M:%S}  {took}  {run.state.value:<8}  {code:<8}"
        f"  {run.job}{of_target}{left}"
    )

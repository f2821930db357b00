"""`runner overdue [JOB…]`: jobs that have not succeeded in time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Argument
from runner.cli.job_files import Tags, job_files
from runner.cli.options import Output, OutputOption, Quiet, StateDir, Target
from runner.cli.settings import state_folder
from runner.cli.terminal import Exit, echo
from runner.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from runner.runs.overdue import Expectation

EXAMPLES = """\
runner overdue jobs/
runner overdue jobs/accounts.yaml --target prod --quiet
"""


def overdue(
    jobs: Annotated[
        list[Path] | None,
        Argument(
            help="Job files, folders or patterns. Default: every job that has run.",
            metavar="JOB…",
            show_default=False,
        ),
    ] = None,
    tag: Tags = None,
    target: Target = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    quiet: Quiet = False,
) -> None:
    """List the jobs that have not succeeded in time.

    `expect` in a job says how often it must succeed. A job that never ran is overdue. Exits with
    12 if any job is overdue.
    """
    from runner.runs.overdue import expectations_of, expectations_of_known
    from runner.state.store import open_ledger

    if not jobs and (tag or target):
        raise UsageError(
            "--tag and --target need jobs.", hint="Name the jobs: `runner overdue jobs/`."
        )
    state, now = state_folder(state_dir), datetime.now(UTC)
    gone: list[Path] = []
    with open_ledger(state) as ledger:
        if jobs:
            found = list(expectations_of(job_files(jobs, tag), target, ledger, now))
        else:
            found = list(expectations_of_known(ledger, now, gone))
    for file in dict.fromkeys(gone):
        echo(f"warning: {file} has run here and no longer exists; it was not checked", err=True)
    if not found:
        raise UsageError(
            "None of these jobs has `expect`."
            if jobs
            else "No job that has run here has `expect`.",
            hint="Add `expect: every 1d` to a job"
            + ("." if jobs else ", and name the jobs: `runner overdue jobs/`."),
        )
    late = [each for each in found if each.is_overdue]
    if output is Output.JSON:
        echo(json.dumps({"jobs": [_document(each) for each in found]}, indent=2))
    else:
        for each in late if quiet else found:
            echo(_line(each, now))
    if late:
        raise Exit(ExitCode.OVERDUE)


def _line(each: Expectation, now: datetime) -> str:
    from runner.report.sinks import printable

    of_target = f" on {each.target}" if each.target else ""
    word = "OVERDUE" if each.is_overdue else "in time"
    success, last = each.success, each.last
    if success is None:
        done = "never done"
    else:
        end = success.finished or success.started
        done = f"done {_in_words(now - end)} ago ({end:%Y-%m-%d %H:%M} UTC)"
    parts = [f"{each.file}{of_target}: {word}", done, f"expected every {_in_words(each.every)}"]
    if last is not None and (success is None or last.run_id != success.run_id):
        code = "" if last.exit_code is None else f", exit {int(last.exit_code)}"
        parts.append(f"last run {last.run_id} {last.state.value}{code}")
    return printable("; ".join(parts))


def _in_words(time: timedelta) -> str:
    minutes = int(time.total_seconds()) // 60
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    units = [(days, "d"), (hours, "h"), (minutes, "min")]
    shown = [f"{number} {unit}" for number, unit in units if number]
    return " ".join(shown[:2]) or "0 min"


def _document(each: Expectation) -> dict[str, object]:
    success, last = each.success, each.last
    return {
        "job": each.job,
        "job_file": str(each.file),
        "target": each.target,
        "overdue": each.is_overdue,
        "expected_seconds": int(each.every.total_seconds()),
        "last_success": None
        if success is None
        else {
            "run_id": success.run_id,
            "finished": (success.finished or success.started).isoformat(),
        },
        "last_run": None
        if last is None
        else {
            "run_id": last.run_id,
            "state": last.state.value,
            "exit_code": None if last.exit_code is None else int(last.exit_code),
            "started": last.started.isoformat(),
        },
    }

"""`runner resume`: finish a run that died or was interrupted, or abandon it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from runner.cli import completion
from runner.cli.declare import Argument, Option
from runner.cli.options import (
    AllowRail,
    Confirm,
    FindingsOption,
    FindingsOutput,
    MaxDisk,
    NoInput,
    Parallel,
    Quiet,
    StateDir,
    Timeout,
    Verbose,
    WaitLock,
)
from runner.cli.settings import AllowHost, AllowOutside, user_settings
from runner.cli.terminal import echo

if TYPE_CHECKING:
    from runner.state.run_records import PartRecord, RunRecord

EXAMPLES = """\
runner resume
runner resume 20261123-130501-7f3a9c04 --abandon
"""


def resume(
    run: Annotated[
        str | None,
        Argument(
            help="A run id, or the start of one. Default: the newest unfinished run.",
            metavar="RUN",
            autocompletion=completion.runs,
            show_default=False,
        ),
    ] = None,
    abandon: Annotated[
        bool,
        Option(
            "--abandon", help="Send nothing and close the run, so that the job can start a new one."
        ),
    ] = False,
    timeout: Timeout = None,
    wait_lock: WaitLock = None,
    max_disk: MaxDisk = None,
    parallel: Parallel = 4,
    allow: AllowRail = None,
    confirm: Confirm = None,
    output: FindingsOption = FindingsOutput.TEXT,
    state_dir: StateDir = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    _no_input: NoInput = False,  # a run never prompts; scripts may pass it to every verb
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Finish a run that died or was interrupted, or abandon it.

    Results of rows already sent are collected; the other rows are sent, once.
    """
    from runner.cli.run_output import run_options, run_output
    from runner.runs import resume as runs

    if abandon:
        from runner.wording import command_for

        closed = runs.abandon(run, user_settings(state_dir, allow_host, allow_outside))
        again = command_for(closed.job_file, "run", target=closed.request.target)
        echo(f"run {closed.run_id} abandoned; `{again}` starts a new one")
        for task, part in _sent_parts(closed):
            echo(f"  {task}: {_fate(part)}")
        return
    with run_output(output, verbose=verbose, quiet=quiet) as (sink, outcomes):
        options = run_options(
            sink,
            state_dir,
            allow_host,
            allow_outside,
            timeout=timeout,
            wait_lock=wait_lock,
            max_disk=max_disk,
            parallel=parallel,
            allow=allow,
            confirm=confirm,
        )
        outcomes.append(runs.resume(run, options))


def _sent_parts(run: RunRecord) -> Iterator[tuple[str, PartRecord]]:
    """Parts that were sent, or about to be, of tasks that did not end."""
    for task in run.tasks:
        for part in task.parts:
            if not task.final and part.first_row and part.last_row:
                yield task.name, part


def _fate(part: PartRecord) -> str:
    """What is known of a part's rows."""
    from runner.engine.task_ledger import known_results

    bulk = f", Bulk job {part.bulk_job_id}" if part.bulk_job_id else ""
    rows = f"rows {part.first_row:,} to {part.last_row:,}"
    known = known_results(part)
    if known is None:
        return f"{rows} may have reached the org{bulk}"
    return f"{rows} were sent: {known[0]:,} succeeded, {known[1]:,} failed{bulk}"

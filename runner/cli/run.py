"""`runner run`: carry jobs out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.allowed_hosts import AllowHost
from runner.cli.allowed_places import AllowOutside
from runner.cli.options import (
    JobFiles,
    MaxDisk,
    NoInput,
    Output,
    OutputOption,
    Quiet,
    StateDir,
    Timeout,
    Verbose,
    WaitLock,
)

if TYPE_CHECKING:
    from runner.outcome import RunOutcome


def run(
    jobs: JobFiles,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--task",
            "-t",
            envvar="SFRUNNER_TASK",
            help="Only this task; may be given again.",
            metavar="NAME",
        ),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            envvar="SFRUNNER_PARAM",
            help="A parameter's value; may be given again.",
            metavar="K=V",
        ),
    ] = None,
    afresh: Annotated[
        bool,
        typer.Option(
            "--anew",
            help="Give an unfinished run of the job up and begin a new one; rows that it sent "
            "may be sent again.",
        ),
    ] = False,
    timeout: Timeout = None,
    wait_lock: WaitLock = None,
    max_disk: MaxDisk = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_input: NoInput = False,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
    excel_safe: Annotated[
        bool,
        typer.Option(
            "--excel-safe",
            envvar="SFRUNNER_EXCEL_SAFE",
            help="Besides each result file a copy in which no cell is a formula, `*.excel.csv`.",
        ),
    ] = False,
) -> None:
    """Carry jobs out, one after the other; every row is accounted for.

    A run of the job that died or was interrupted is brought to its end instead of a new one.
    """
    del allow_host, allow_outside  # remembered where they were read
    del no_input  # a run never asks; the option is there so that scripts may say so everywhere
    from runner.cli.run_output import carrying, manner_of
    from runner.runs.execute import carry_out
    from runner.state.run_records import RunRequest

    asked = RunRequest(only=tuple(task or ()), params=tuple(param or ()))
    with carrying(output, verbose=verbose, quiet=quiet) as (sink, outcomes):
        manner = manner_of(sink, state_dir, timeout, wait_lock, max_disk)
        for file in jobs:
            outcomes.append(carry_out(file, asked, manner, afresh=afresh))
            if excel_safe:
                _copy_for_spreadsheets(outcomes[-1])


def _copy_for_spreadsheets(outcome: RunOutcome) -> None:
    from runner.tables.results.excel_safe import copies_in

    for folder in {task.results for task in outcome.tasks if task.results is not None}:
        copies_in(folder)

"""`runner resume`: bring a run to its end that died or was interrupted."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli.allowed_hosts import AllowHost
from runner.cli.allowed_places import AllowOutside
from runner.cli.options import (
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


def resume(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run's id or the beginning of one; else the last that is unfinished.",
            metavar="RUN",
            show_default=False,
        ),
    ] = None,
    abandon: Annotated[
        bool,
        typer.Option(
            "--abandon", help="Give the run up: send nothing, and let the job begin a new run."
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
) -> None:
    """Bring a run to its end: rows that were sent are collected, the others are sent, once."""
    # Said everywhere alike; what is allowed is remembered where it was read.
    del no_input, allow_host, allow_outside
    from runner.cli.run_output import carrying, manner_of

    if abandon:
        from runner.cli.abandon import give_up

        typer.echo(give_up(run, state_dir))
        return
    from runner.runs.execute import resume as bring_to_its_end

    with carrying(output, verbose=verbose, quiet=quiet) as (sink, outcomes):
        outcomes.append(
            bring_to_its_end(run, manner_of(sink, state_dir, timeout, wait_lock, max_disk))
        )

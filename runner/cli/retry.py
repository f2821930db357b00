"""`runner retry RUN`: send the failed rows of a run again."""

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


def retry(
    run: Annotated[
        str, typer.Argument(help="A run's id, the beginning of one, or `last`.", metavar="RUN")
    ] = "last",
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
    """Send the rows that failed in a run again, and nothing else, as a run of its own.

    They are taken from the run's failed.csv files, so values can be mended there before.
    """
    # Said everywhere alike; what is allowed is remembered where it was read.
    del no_input, allow_host, allow_outside
    from runner.cli.run_output import carrying, manner_of
    from runner.runs.execute import retry as send_failed_rows

    with carrying(output, verbose=verbose, quiet=quiet) as (sink, outcomes):
        outcomes.append(
            send_failed_rows(run, manner_of(sink, state_dir, timeout, wait_lock, max_disk))
        )

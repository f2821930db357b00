"""`runner retry RUN`: send the failed rows of a run again."""

from __future__ import annotations

from runner.cli.options import (
    AllowRail,
    Confirm,
    FindingsOption,
    FindingsOutput,
    MaxDisk,
    NoInput,
    Quiet,
    RunId,
    StateDir,
    Timeout,
    Verbose,
    WaitLock,
)
from runner.cli.settings import AllowHost, AllowOutside

EXAMPLES = """\
runner retry last
"""


def retry(
    run: RunId = "last",
    timeout: Timeout = None,
    wait_lock: WaitLock = None,
    max_disk: MaxDisk = None,
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
    """Send only the failed rows of a run again, as a new run.

    The rows are read from the run's failed.csv files, so you can fix values there first.
    """
    from runner.cli.run_output import run_options, run_output
    from runner.runs import resume

    with run_output(output, verbose=verbose, quiet=quiet) as (sink, outcomes):
        options = run_options(
            sink,
            state_dir,
            allow_host,
            allow_outside,
            timeout=timeout,
            wait_lock=wait_lock,
            max_disk=max_disk,
            allow=allow,
            confirm=confirm,
        )
        outcomes.append(resume.retry(run, options))

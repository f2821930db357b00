"""A declarative sync runner for Salesforce.

Python programs run a job with `run_job`. Nothing is imported before it is called, so that the
command answers fast.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.version import __version__

if TYPE_CHECKING:
    from runner.events import Event
    from runner.outcome import RunOutcome

__all__ = ["__version__", "run_job"]


def run_job(  # noqa: PLR0913 - the options of `runner run`
    file: str | Path,
    *,
    state_dir: str | Path,
    tasks: Sequence[str] = (),
    params: Mapping[str, str] | None = None,
    start_over: bool = False,
    wait_lock_seconds: float = 0.0,
    timeout_seconds: float | None = None,
    parallel: int = 4,
    on_event: Callable[[Event], None] | None = None,
) -> RunOutcome:
    """Run a job and return its outcome; resume an unfinished run of it instead, if there is one.

    Prints nothing and reads none of the `SFRUNNER_` variables. The job may write to its own folder
    and send tokens to Salesforce only.

    Args:
        file: The job file.
        state_dir: The state folder: ledger, locks, files of the runs. Created if missing.
        tasks: Names of the tasks to run; all when empty.
        params: Values of the job's params, written as for `--param`.
        start_over: Abandon an unfinished run and start a new one, as `--anew` does.
        wait_lock_seconds: How long to wait for another run of the job.
        timeout_seconds: Stop cleanly after this long; None: no limit.
        parallel: How many tasks may run at once, where `needs` allows it.
        on_event: Called with each event of `runner.events`, perhaps from other threads.

    Returns:
        How the run and each task ended. Failed tasks and rows are in there, not raised. An
        unfinished run with other params or tasks is finished first and is its `resumed`.

    Raises:
        runner.errors.RunnerError: The run could not start; nothing was sent. `exit_code` and
            `hint` say more.
    """
    from runner import events  # noqa: PLC0415 - see the module's docstring
    from runner.runs import execute  # noqa: PLC0415
    from runner.runs.prepare import RunOptions, prepare  # noqa: PLC0415
    from runner.runs.wiring import UserSettings  # noqa: PLC0415
    from runner.state.paths import StateFolder  # noqa: PLC0415
    from runner.state.run_records import RunRequest  # noqa: PLC0415

    state = StateFolder(Path(state_dir).absolute())
    options = RunOptions(
        UserSettings(state, keyring_locks=state.locks),
        on_event or events.ignore,
        wait_lock_seconds=wait_lock_seconds,
        ends_at=None if timeout_seconds is None else time.monotonic() + timeout_seconds,
        parallel=parallel,
    )
    values = tuple(f"{name}={value}" for name, value in (params or {}).items())
    request = RunRequest(only=tuple(tasks), params=values)
    (prepared,) = prepare([Path(file)], request, options)
    return execute.run(prepared, options, start_over=start_over)

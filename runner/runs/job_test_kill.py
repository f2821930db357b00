"""A run of a test in a process of its own, which is killed in the middle.

Knows when it is killed. Knows nothing of how the run is resumed, or of what a test expects.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import JobError
from runner.job.job_tests import JobTest
from runner.runs.job_test_org import FreshOrg
from runner.runs.prepare import PreparedRun, RunOptions
from runner.runs.wiring import UserSettings
from runner.state.paths import StateFolder
from runner.verdict import Difference, Status, Verdict
from runner.wording import counted

NOT_KILLED = "test/not-killed"
_MOST_KILLS = 1_000
_RUN = "from runner.runs.job_test_kill import run_doomed; run_doomed"


class Doomed(Struct, frozen=True):
    """What the process gets to do."""

    prepared: PreparedRun
    state: Path
    now: datetime | None
    seconds: float
    """How long it may take."""


def run_killed(test: JobTest, prepared: PreparedRun, org: FreshOrg, options: RunOptions) -> None:
    """Run a job in a new process, and kill it once the org has answered some API requests.

    Raises:
        JobError: The run ended before that.
    """
    after, answered, lock = test.killed_after or 1, 0, threading.Lock()
    seconds = max((options.ends_at or time.monotonic()) - time.monotonic(), 0.0)
    told = Doomed(prepared, options.settings.state.root, test.given.now, seconds)
    file = options.settings.state.root.with_name("killed-run")
    file.write_bytes(pickle.dumps(told))
    # -P: a `runner.py` in the current folder is not this program.
    process = subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-P", "-c", f"{_RUN}({str(file)!r})"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def count() -> None:
        nonlocal answered
        with lock:
            answered += 1
            if answered == after:
                process.kill()
                process.wait()  # the answer is sent to a process that is no more

    org.on_answer(count)
    try:
        process.wait()
    finally:
        org.on_answer(None)
        process.kill()
        process.wait()
    if answered < after:
        path = (*test.path, "when", "killed_after_requests")
        times = counted(answered, "API request")
        message = f"the run was not killed: it ended after {times}"
        hint = "write a smaller number" if answered else "without `when` the test says why"
        raise JobError((test.origin.diagnose(path, NOT_KILLED, message, help=hint),))


def after_each(test: JobTest, run: Callable[[JobTest], Verdict]) -> Verdict:
    """Repeat a test, its run killed after one more request each time, until the run ends before.

    The verdict is the first that is not passed, or that did something else than the one before.
    """
    ended = _killed_after(1, test, run)
    seconds = ended.seconds
    for after in range(2, _MOST_KILLS + 1):
        if ended.status is not Status.PASSED:
            return replace(ended, seconds=seconds)
        found = _killed_after(after, test, run)
        seconds += found.seconds
        if [each.code for each in found.problems] == [NOT_KILLED]:
            return replace(ended, seconds=seconds)
        if found.status is Status.PASSED and found.picture != ended.picture:
            what, expected = f"killed after request {after}", f"as after request {after - 1}"
            other = Difference(what, found.file, found.line, expected, "other results")
            return replace(found, status=Status.FAILED, differences=(other,), seconds=seconds)
        ended = found
    message = f"the run has more than {_MOST_KILLS:,} API requests"
    hint = "test fewer rows, or name a number of requests"
    return replace(ended, status=Status.BROKEN, message=message, hint=hint, seconds=seconds)


def _killed_after(after: int, test: JobTest, run: Callable[[JobTest], Verdict]) -> Verdict:
    found = run(replace(test, killed_after=after, killed_after_each=False))
    differences = tuple(
        replace(each, what=f"killed after request {after}: {each.what}")
        for each in found.differences
    )
    return replace(found, differences=differences)


def run_doomed(file: str) -> None:
    """Run what a file says, in a new process; nobody hears how it ends."""
    from runner.runs import execute
    from runner.tables.sql_clock import standing_at

    told: Doomed = pickle.loads(Path(file).read_bytes())  # noqa: S301 - of the parent process
    options = RunOptions(
        UserSettings(StateFolder(told.state)), ends_at=time.monotonic() + told.seconds
    )
    with standing_at(told.now):
        execute.run(told.prepared, options)

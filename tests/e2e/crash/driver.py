"""Runs the command in forks of one warm process, and kills a fork at the point it is told.

A point is a moment at which another state of ledger, org or files has just been reached or is
about to be: before and after each commit of the ledger, each request, each file that takes its
place. They are found here, from outside: the product knows nothing of it.

One JSON object a line on stdin: `argv`, `cwd`, `env`, `kill_at` (null: never), `out` (a folder).
One a line on stdout: `code` (-9 for a kill), `points`.
"""

import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import duckdb  # noqa: F401 - loaded once, for all forks

import runner.cli.app
import runner.cli.carrying
import runner.engine.bulk
import runner.engine.query
import runner.state.ledger
import runner.state.ledger_file
from runner.__main__ import main
from runner.job import schema  # noqa: F401
from runner.salesforce import ingest
from runner.salesforce.retry import Retrier
from runner.salesforce.transport import Transport

SMALL_PART_BYTES = 6_000
FIRST_WAIT_SECONDS = 0.02
"""Between two tries, instead of a second: what is waited for here comes at once or never."""


class Points:
    """Counts the points that the run passes, and ends the process at one of them."""

    def __init__(self, kill_at):
        self.passed = 0
        self._kill_at = kill_at
        self._lock = threading.Lock()

    def pass_one(self):
        with self._lock:
            self.passed += 1
            if self.passed == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


def watch(points):
    """Put a point around everything that changes what outlives the process."""
    transaction = runner.state.ledger_file.transaction

    @contextmanager
    def watched(connection):
        with transaction(connection):
            yield
            points.pass_one()
        points.pass_one()

    runner.state.ledger.transaction = watched
    for owner, name in ((Transport, "send"), (Path, "replace")):
        setattr(owner, name, around(getattr(owner, name), points))


def around(action, points):
    def watched(*args, **named):
        points.pass_one()
        try:
            return action(*args, **named)
        finally:
            points.pass_one()

    return watched


def carry_out(asked):
    """In a fork: be the command."""
    out = Path(asked["out"])
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    for name, number in (("stdin", 0), ("out", 1), ("err", 2)):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(os.devnull if number == 0 else out / name, flags, 0o600), number)
    sys.argv = ["runner", *asked["argv"]]
    ingest.MOST_BYTES = SMALL_PART_BYTES
    Retrier.__init__.__kwdefaults__["first_wait_seconds"] = FIRST_WAIT_SECONDS
    points = Points(asked["kill_at"])
    watch(points)
    code = 0
    try:
        main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        (out / "points").write_text(str(points.passed))
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def serve():
    """Answer each line of stdin."""
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            carry_out(asked)
        _, status = os.waitpid(child, 0)
        counted = Path(asked["out"]) / "points"
        points = int(counted.read_text()) if counted.exists() else None
        answer = {"code": os.waitstatus_to_exitcode(status), "points": points}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()

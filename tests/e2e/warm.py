"""Runs the command in forks of one warm process: a start costs a fork, not a second of imports.

Each fork is a process of its own, with its own folder, environment and streams. One JSON object a
line on stdin: `argv`, `cwd`, `env`, `streams` (what to open as the three). The exit code, or
the negative signal, is one line on stdout. Nothing is opened before a fork: DuckDB has threads.
"""

import json
import os
import sys
from contextlib import nullcontext

import duckdb  # noqa: F401 - loaded once, for all forks

import runner.cli.app
import runner.runs.execute  # noqa: F401
from runner.__main__ import main
from runner.job.schema import validate  # noqa: F401


def be_the_command(asked, within):
    """In a fork: never comes back."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    for number, file in enumerate(asked["streams"]):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY
        os.dup2(os.open(file, flags, 0o600), number)
    sys.argv = ["runner", *asked["argv"]]
    code = 0
    with within:
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
    os._exit(code)


def serve(within=lambda _asked: nullcontext(), answer=lambda _asked, code: code):
    """Answer each line of stdin.

    `within` gives what a fork runs in, `answer` what is said of its end.
    """
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            be_the_command(asked, within(asked))
        _, status = os.waitpid(child, 0)
        told = answer(asked, os.waitstatus_to_exitcode(status))
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()

"""Runs the command in forks of one warm process: a start costs a fork, not a second of imports.

Each fork is a process of its own, with its own folder, environment and streams. One JSON object a
line on stdin: `argv`, `cwd`, `env`, `streams` (what to open as the three; null: the same as here).
The exit code, or the negative signal, is one line on stdout. With `wait` false it is the process
id instead, at once; the object `{"ended": ID}` asks for the exit code of such a process later.
Nothing is opened before a fork: DuckDB has threads.
"""

import gc
import json
import os
import sys
from contextlib import nullcontext
from functools import cache
from importlib import import_module

import typer.main

from runner.__main__ import main
from runner.cli.app import app
from runner.salesforce.http.retry import Retrier

LOADED = (
    "encodings.idna",
    "rich.console",
    "runner.cli.error_output",
    "runner.cli.run_output",
    "runner.job.load",
    "runner.job.schema.validate",
    "runner.local_org.app",
    "runner.local_org.error_log",
    "runner.local_org.seeding",
    "runner.report.diagnostics",
    "runner.report.document",
    "runner.report.sinks",
    "runner.runs.execute",
    "runner.runs.local_org_process",
    "runner.state.tokens.parsing",
    "runner.tables.duckdb",
)
"""What most commands import."""
FIRST_WAIT_SECONDS = 0.02
"""Between two tries, instead of a second: what is waited for here comes at once or never."""


def be_the_command(asked, within):
    """In a fork: never comes back."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    for number, file in enumerate(asked["streams"]):
        if file is None:
            continue
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


def load():
    """What most commands do first, done once for all forks."""
    for name in LOADED:
        import_module(name)
    typer.main.get_command = cache(typer.main.get_command)
    dict(typer.main.get_command(app).commands)  # builds each
    Retrier.__init__.__kwdefaults__["first_wait_seconds"] = FIRST_WAIT_SECONDS
    gc.freeze()  # a fork that collects garbage copies no memory of this process


def serve(within=lambda _asked: nullcontext(), answer=lambda _asked, code: code):
    """Answer each line of stdin.

    `within` gives what a fork runs in, `answer` what is said of its end.
    """
    load()
    for line in sys.stdin:
        asked = json.loads(line)
        child = asked.get("ended") or os.fork()
        if child == 0:
            be_the_command(asked, within(asked))
        if asked.get("wait", True):
            _, status = os.waitpid(child, 0)
            told = answer(asked, os.waitstatus_to_exitcode(status))
        else:
            told = child
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()

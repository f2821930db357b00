"""`runner run`: carry jobs out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.allowed_hosts import AllowHost
from runner.cli.options import (
    JobFiles,
    NoInput,
    Output,
    OutputOption,
    Quiet,
    StateDir,
    Verbose,
)

if TYPE_CHECKING:
    from runner.events import Sink
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
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_input: NoInput = False,
    allow_host: AllowHost = None,
) -> None:
    """Carry jobs out, one after the other; every row is accounted for."""
    del allow_host  # remembered where it was read
    del no_input  # a run never asks; the option is there so that scripts may say so everywhere
    from runner.cli.carry_out import RunRequest, carry_out
    from runner.cli.signals import signals_end_the_run
    from runner.outcome import exit_code_of

    outcomes: list[RunOutcome] = []
    try:
        with signals_end_the_run(), _sink(output, verbose=verbose, quiet=quiet) as sink:
            for file in jobs:
                request = RunRequest(file, tuple(task or ()), tuple(param or ()), state_dir)
                outcomes.append(carry_out(request, sink))
    finally:
        # Also where a later job cannot begin: what the earlier ones did is told all the same.
        _print(outcomes, output, quiet=quiet)
    _leave(exit_code_of(outcome.exit_code for outcome in outcomes))


@contextmanager
def _sink(output: Output, *, verbose: int, quiet: bool) -> Iterator[Sink]:
    """Bars on a terminal, plain lines elsewhere; both on stderr."""
    import time

    from runner.events import ignore
    from runner.report.sinks import PlainSink, live_sink

    if quiet:
        yield ignore
    elif sys.stderr.isatty() and output is Output.TEXT and not verbose:
        with live_sink(sys.stderr) as sink:
            yield sink
    else:
        yield PlainSink(sys.stderr, time.monotonic, verbose=verbose > 0)


def _print(outcomes: list[RunOutcome], output: Output, *, quiet: bool) -> None:
    from runner.report.document import run_document
    from runner.report.sinks import printable
    from runner.report.text import recap

    if output is Output.TEXT:
        shown = [each for each in outcomes if each.exit_code or not quiet]
        if shown:
            typer.echo(printable("\n\n".join(map(recap, shown))))
        return
    if not outcomes:
        return
    documents = [run_document(outcome) for outcome in outcomes]
    typer.echo(json.dumps(documents[0] if len(documents) == 1 else documents, ensure_ascii=False))


def _leave(code: int) -> None:
    """Leave with the run's code.

    A request that a signal left on the wire may still hold a thread; waiting for it would make
    the end take minutes, and nothing is lost: the ledger and the files are written.
    """
    import os

    sys.stdout.flush()
    sys.stderr.flush()
    if code in {130, 143}:
        os._exit(code)
    raise typer.Exit(code)

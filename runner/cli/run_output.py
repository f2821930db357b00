"""What `run`, `resume` and `retry` share: signals, progress, the recap, the exit code.

Knows streams and exit codes. Knows nothing of what is carried out.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from runner.cli.options import Output
from runner.cli.signals import signals_end_the_run
from runner.errors import UsageError
from runner.events import Sink
from runner.outcome import RunOutcome, exit_code_of
from runner.runs.execute import Manner


@contextmanager
def carrying(
    output: Output, *, verbose: int, quiet: bool
) -> Iterator[tuple[Sink, list[RunOutcome]]]:
    """Give a sink and a list for outcomes; print these and leave with their exit code."""
    outcomes: list[RunOutcome] = []
    try:
        with signals_end_the_run(), _sink(output, verbose=verbose, quiet=quiet) as sink:
            yield sink, outcomes
    finally:
        # Also where a later job cannot begin: what the earlier ones did is told all the same.
        _print(outcomes, output, quiet=quiet)
    _leave(exit_code_of(outcome.exit_code for outcome in outcomes))


def manner_of(
    sink: Sink,
    state_dir: Path | None,
    timeout: str | None,
    wait_lock: str | None,
    max_disk: str | None = None,
) -> Manner:
    """How a run is to be carried out, by the options.

    Raises:
        UsageError: A duration or a size is none.
    """
    return Manner(
        sink,
        state_dir,
        wait_lock_seconds=_seconds(wait_lock, "--wait-lock") or 0.0,
        timeout_seconds=_seconds(timeout, "--timeout"),
        max_disk_bytes=_bytes(max_disk),
    )


def _bytes(text: str | None) -> int | None:
    from runner.job.notation import size_bytes

    if text is None:
        return None
    plain = text.replace(" ", "").upper()
    if re.fullmatch(r"[1-9][0-9]{0,6}(KB|MB|GB)", plain) is None:
        raise UsageError(f"--max-disk {text} is no size.", hint="Write one like 500MB or 20GB.")
    return size_bytes(plain)


def _seconds(text: str | None, option: str) -> float | None:
    from runner.job.notation import duration_seconds

    if text is None:
        return None
    try:
        return duration_seconds(text)
    except (ValueError, KeyError, IndexError):
        raise UsageError(
            f"{option} {text} is no duration.", hint="Write one like 90s, 10m or 2h."
        ) from None


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
    sys.stdout.flush()
    sys.stderr.flush()
    if code in {130, 143}:
        os._exit(code)
    raise typer.Exit(code)

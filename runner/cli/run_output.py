"""What `run`, `apply`, `resume`, `retry` and `undo` share: progress, recap and exit code.

Knows streams and exit codes. Knows nothing of what is executed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NoReturn

from msgspec.structs import replace

from runner.cli.log_format import json_lines
from runner.cli.options import DOCUMENTS, Output, found_ci, seconds, size_bytes
from runner.cli.settings import user_settings
from runner.cli.signals import RESUMED, signals_stop_the_run
from runner.cli.terminal import Exit, echo
from runner.cli.tracing import traced
from runner.errors import ExitCode, JobError, RunnerError
from runner.events import Event, Observer, Sink, Warned
from runner.job.endpoints import STANDARD_STREAM, FileTarget
from runner.job.model import Job, QueryTask
from runner.job.rails import Rail
from runner.outcome import RunOutcome, exit_code_of
from runner.runs.prepare import RunOptions

End = RunOutcome | RunnerError
"""How a job ended: its run, or why there is none."""
Ends = list[End]


@contextmanager
def run_output(
    output: str, *, verbose: int, quiet: bool, traces: bool = True, then: str = RESUMED
) -> Iterator[tuple[Sink, Ends]]:
    """Give a sink and a list for ends; print the ends, tell the CI, and exit with their code.

    If a later job cannot start, the earlier ones are reported all the same, in one document.
    Without `traces` the sink may get the events of several runs at once. `then` says how to go on
    after a second signal.
    """
    ends: Ends = []
    try:
        with (
            signals_stop_the_run(then),
            progress(output == Output.TEXT, verbose=verbose, quiet=quiet) as printing,
            traced(printing) if traces else nullcontext(printing) as sink,
        ):
            yield sink, ends
    except RunnerError as error:
        if not ends and error.resumed is None:
            raise
        ends.append(error)
    except BaseException:
        _print(ends, output, quiet=quiet)
        raise
    _print(ends, output, quiet=quiet)
    code = exit_code_of([code_of(end) for end in _with_resumed(ends)])
    if found_ci() is not None:
        from runner.cli.ci import tell_ci_ends

        tell_ci_ends(_with_resumed(ends), output, code)
    exit_with(code)


def code_of(end: End) -> ExitCode:
    """The exit code that one job would end the command with."""
    return end.exit_code if isinstance(end, RunnerError) else end.worst_exit_code


def not_started(jobs: Sequence[Path]) -> str | None:
    """Say which jobs were not started; None if all were."""
    return f"Not started: {', '.join(map(str, jobs))}." if jobs else None


def name_not_started(ends: Ends, jobs: Sequence[Path]) -> None:
    """Say with the last end which jobs were not started."""
    if not jobs:
        return
    said = "\n".join(filter(None, (ends[-1].not_started, not_started(jobs))))
    if isinstance(ends[-1], RunnerError):
        ends[-1].not_started = said
    else:
        ends[-1] = replace(ends[-1], not_started=said)


def run_options(
    sink: Sink,
    state_dir: str | None,
    allow_host: list[str] | None,
    allow_outside: list[Path] | None,
    *,
    timeout: str | None,
    wait_lock: str | None,
    max_disk: str | None = None,
    parallel: int = 1,
    allow: list[Rail] | None = None,
    confirm: list[str] | None = None,
) -> RunOptions:
    """How to run, from the options of the command line.

    Raises:
        UsageError: A duration or a size is not one.
    """
    return RunOptions(
        user_settings(state_dir, allow_host, allow_outside),
        sink,
        observer=sink if isinstance(sink, Observer) else None,
        wait_lock_seconds=seconds(wait_lock, "--wait-lock") if wait_lock else 0.0,
        ends_at=time.monotonic() + seconds(timeout, "--timeout") if timeout else None,
        max_disk_bytes=size_bytes(max_disk, "--max-disk") if max_disk else None,
        parallel=parallel,
        allowed=frozenset(allow or ()),
        confirmed=frozenset(confirm or ()),
        on_job=_leave_stdout_to_rows,
    )


def _leave_stdout_to_rows(job: Job) -> None:
    """If a query writes its rows to stdout, print recaps and documents to stderr."""
    queries = (task for task in job.tasks if isinstance(task, QueryTask))
    targets = (target for task in queries for target in task.targets)
    if any(isinstance(each, FileTarget) and each.path == STANDARD_STREAM for each in targets):
        sys.stdout = sys.stderr


@contextmanager
def progress(bars: bool, *, verbose: int, quiet: bool) -> Iterator[Sink]:
    """Progress bars on a terminal if they are wanted, otherwise lines or JSON; all on stderr."""
    from runner.report.sinks import JsonSink, PlainSink, live_sink

    lines = json_lines()
    sink: Sink
    if lines is not None:
        sink = JsonSink(lines.emit, time.monotonic, verbose=verbose > 0)
        yield _only_warnings(sink) if quiet else sink
    elif quiet:
        yield _only_warnings(PlainSink(sys.stderr, time.monotonic))
    elif bars and sys.stderr.isatty() and not verbose:
        with live_sink(sys.stderr) as sink:
            yield sink
    else:
        yield PlainSink(sys.stderr, time.monotonic, verbose=verbose > 0)


def _only_warnings(sink: Sink) -> Sink:
    def warn(event: Event) -> None:
        if isinstance(event, Warned):
            sink(event)

    return warn


def _print(ends: Ends, output: str, *, quiet: bool) -> None:
    from runner.cli.error_output import error_document, print_error
    from runner.report.document import run_document
    from runner.report.sinks import printable
    from runner.report.text import aligned, recap, summary_rows

    several = len(ends) > 1
    ends = _with_resumed(ends)
    for end in ends:
        if isinstance(end, JobError):
            end.message = f"{end.count}; this job was not started."
    if output == Output.JSON:
        documents = [
            error_document(end) if isinstance(end, RunnerError) else run_document(end)
            for end in ends
        ]
        if documents:
            found = documents[0] if len(documents) == 1 else documents
            echo(json.dumps(found, ensure_ascii=False))
        return
    if output != Output.TEXT:
        from runner.cli.ci import print_ends

        print_ends(ends, output)
    to = sys.stderr if output in DOCUMENTS else sys.stdout
    shown = [end for end in ends if code_of(end) or not quiet]
    recaps = [recap(end) for end in shown if not isinstance(end, RunnerError)]
    if shown and several:
        lines = aligned(summary_rows(ends))
        recaps.append("\n".join([f"{len(ends)} jobs:", *(f"  {line}" for line in lines)]))
    if recaps:
        echo(printable("\n\n".join(recaps)), file=to)
    for end in shown:
        if isinstance(end, RunnerError):
            print_error(end)


def _with_resumed(ends: Ends) -> Ends:
    """Also the unfinished runs that were finished before runs that could not start."""
    return [
        each
        for end in ends
        for each in ([end.resumed] if isinstance(end, RunnerError) and end.resumed else []) + [end]
    ]


def exit_with(code: ExitCode) -> NoReturn:
    """Exit with the run's code.

    After a signal, a request in flight may still block a thread for minutes. Nothing is lost by
    not waiting for it: the ledger and the files are written.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if code.is_by_signal:
        os._exit(code)
    raise Exit(code)

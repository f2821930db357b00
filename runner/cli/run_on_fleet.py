"""`runner run --on`: runs jobs on a Dask cluster, and shows them as jobs of this machine.

Knows which sink gets the events of which job. Knows nothing of the cluster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from runner import events
from runner.cli.error_output import save_report
from runner.cli.log_format import json_lines
from runner.cli.run_output import code_of, name_not_started, not_started, run_output
from runner.errors import RunnerError, UsageError
from runner.events import Sink
from runner.job.model import Job

if TYPE_CHECKING:
    from runner.runs.fleet.run import Fleet
    from runner.runs.prepare import RunOptions
    from runner.state.run_records import RunRequest


def run_on_fleet(
    files: Sequence[Path],
    request: RunRequest,
    options_of: Callable[[Sink], RunOptions],
    fleet: Fleet,
    *,
    output: str,
    verbose: int,
    quiet: bool,
) -> None:
    """Run jobs on a cluster, print how each ended, and exit with the code of all.

    Raises:
        RunnerError: Nothing was started.
    """
    from runner.runs import execute
    from runner.runs.fleet import run

    with run_output(output, verbose=verbose, quiet=quiet, traces=False) as (sink, ends):
        options = replace(options_of(sink), on_job=lambda _: None)
        prepared = execute.prepare_runs(files, request, options)
        is_alone = len(prepared) == 1

        def sink_of(job: Job) -> Sink:
            lines = json_lines()
            if lines is None:
                return sink if is_alone else _named(sink, job.name)
            from runner.report.sinks import JsonSink  # an object tells its run

            own = JsonSink(lines.emit, time.monotonic, verbose=verbose > 0)
            return _warnings_of(own) if quiet else own

        try:
            end = run.run_on_fleet(prepared, options, fleet, sink_of)
        except UsageError as error:
            from runner.runs.notifying import notify_of_not_started

            notify_of_not_started(error, files, request, options)
            raise
        for each in end.ends:
            if isinstance(each, run.WorkerDefectError):
                each.hint = (
                    "please report it with the crash report, which contains none of your data: "
                    f"{save_report(each.report)}"
                )
        if len(files) == 1 and end.ends and isinstance(end.ends[0], RunnerError):
            end.ends[0].job_file = None
            raise end.ends[0]
        ends.extend(end.ends)
        if end.aborted is not None and not any(code_of(each).is_by_signal for each in ends):
            end.aborted.not_started = not_started(end.not_started)
            raise end.aborted
        name_not_started(ends, end.not_started)


def _named(sink: Sink, job: str) -> Sink:
    """A sink in which each task has the name of its job, too: several run side by side."""

    def named(event: events.Event) -> None:
        match event:
            case events.TaskStarted() | events.Progress() | events.Noticed():
                sink(replace(event, task=f"{job}: {event.task}"))
            case events.Warned(task=str() as task):
                sink(replace(event, task=f"{job}: {task}"))
            case events.Warned(message=message):
                sink(replace(event, message=f"{job}: {message}"))
            case events.Retrying(reason=reason):
                sink(replace(event, reason=f"{job}: {reason}"))
            case events.TaskFinished(outcome):
                sink(replace(event, outcome=replace(outcome, name=f"{job}: {outcome.name}")))
            case _:
                sink(event)

    return named


def _warnings_of(sink: Sink) -> Sink:
    def warn(event: events.Event) -> None:
        if isinstance(event, events.Warned):
            sink(event)

    return warn

"""Metrics at the end of a run, where its job or its connection wants them.

Knows when they are due, and how long an exporter may take. They never change how a run ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from runner import events
from runner.credentials import SecretReference
from runner.errors import AbortedError, RunnerError
from runner.job.metrics import Metrics
from runner.job.model import Job
from runner.outcome import RunOutcome
from runner.state.ledger import Ledger

if TYPE_CHECKING:
    from runner.telemetry.metrics import RunMetrics

PATIENCE_SECONDS = 5.0
"""How long a run waits for its metrics to be written and sent, all together."""


def measured(job: Job, ledger: Ledger, sink: events.Sink) -> events.Sink:
    """A sink that also exports the metrics of a run once it has ended; warns if it cannot."""
    places = [each for each in (job.metrics, job.connection.metrics) if each is not None]
    if not places:
        return sink
    usage: events.ApiCallsCounted | None = None

    def measure(event: events.Event) -> None:
        nonlocal usage
        sink(event)
        if isinstance(event, events.ApiCallsCounted):
            usage = event
        if isinstance(event, events.RunFinished):
            _export(event.outcome, usage, job, ledger, places, sink)

    return measure


def _export(  # noqa: PLR0913, PLR0917 - a run, and where its metrics go
    outcome: RunOutcome,
    usage: events.ApiCallsCounted | None,
    job: Job,
    ledger: Ledger,
    places: Sequence[Metrics],
    sink: events.Sink,
) -> None:
    try:
        from runner.telemetry.metrics import RunMetrics, push, write_textfile
    except ImportError as error:
        what = f"they need the library {error.name}; install it: pip install 'sfrunner[metrics]'"
        sink(events.Warned(f"metrics were not exported: {what}"))
        return
    try:
        target = job.connection.target
        success = ledger.last_success_of(job.file, target)
        run = RunMetrics(outcome, target, success.finished if success else None, usage)
    except RunnerError as error:
        sink(events.Warned(f"metrics were not exported: {error.message}"))
        return
    steps: dict[str, Callable[[], None]] = {}
    for place in places:
        if (folder := place.textfile) is not None:
            steps[f"metrics were not written to {folder}"] = partial(write_textfile, run, folder)
        if (at := place.pushgateway) is not None:
            steps[f"metrics were not pushed to the URL in {at}"] = partial(_push, push, run, at)
    _within_time(steps, sink)


def _push(
    push: Callable[[RunMetrics, str, float], None], run: RunMetrics, place: SecretReference
) -> None:
    from runner.job.secrets import read_secret

    push(run, read_secret(place, what="the URL of the Pushgateway").reveal(), PATIENCE_SECONDS)


def _within_time(steps: dict[str, Callable[[], None]], sink: events.Sink) -> None:
    """Take all steps at once, and wait for their end, but not for ever."""
    problems: dict[str, str] = {}

    def take(name: str) -> None:
        try:
            steps[name]()
        except RunnerError as error:
            problems[name] = error.message
        except Exception as error:  # noqa: BLE001 - whatever an exporter meets, the run is done
            problems[name] = _reason(error)
        else:
            problems.pop(name)

    for name in steps:
        problems[name] = f"no answer within {PATIENCE_SECONDS:g} s"
    threads = [Thread(target=take, args=(name,), daemon=True) for name in steps]
    try:
        for thread in threads:
            thread.start()
        ends_at = time.monotonic() + PATIENCE_SECONDS
        for thread in threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
    except AbortedError:
        return  # the run has ended; whoever started it sees the signal
    for name, why in dict(problems).items():
        sink(events.Warned(f"{name}: {why}"))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__

"""Metrics of a run for Prometheus: as a file of node_exporter's, or pushed to a Pushgateway.

Knows the names, which never change; units are in them. Raises what keeps them from being written.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import basic_auth_handler, default_handler, push_to_gateway

from runner.events import ApiCallsCounted
from runner.files import atomic_write
from runner.outcome import ROW_COUNTS, RunOutcome

_OF_RUN = ("job_name", "target")
"""Not `job`, which Prometheus and the Pushgateway set themselves."""
_OF_TASK = (*_OF_RUN, "task", "object")
GROUP = "sfrunner"
"""The Pushgateway's `job`."""


class RunMetrics(Struct, frozen=True):
    """What is measured of a run."""

    outcome: RunOutcome
    target: str | None = None
    last_success: datetime | None = None
    """When a run of the job last succeeded; None: never."""
    api_calls: ApiCallsCounted | None = None
    """What the org counted last; None if it has not said so."""


def registry_of(run: RunMetrics) -> CollectorRegistry:
    """The metrics of a run."""
    registry, outcome = CollectorRegistry(), run.outcome
    labels = (outcome.job, run.target or "")

    def gauge(name: str, text: str, value: float) -> None:
        Gauge(name, text, _OF_RUN, registry=registry).labels(*labels).set(value)

    started, finished = outcome.started.timestamp(), outcome.finished.timestamp()
    gauge("sfrunner_run_start_timestamp_seconds", "Start of the last run.", started)
    gauge("sfrunner_run_end_timestamp_seconds", "End of the last run.", finished)
    gauge("sfrunner_run_duration_seconds", "Duration of the last run.", finished - started)
    gauge("sfrunner_run_exit_code", "Exit code of the last run.", int(outcome.exit_code))
    if run.last_success is not None:
        text = "End of the last run that succeeded."
        gauge("sfrunner_last_success_timestamp_seconds", text, run.last_success.timestamp())
    if run.api_calls is not None:
        text = "API calls of the org in 24 hours, by all users and apps."
        gauge("sfrunner_org_api_calls_used", text, run.api_calls.used)
        text = "Limit of the org's API calls in 24 hours."
        gauge("sfrunner_org_api_calls_limit", text, run.api_calls.maximum)
    _add_tasks(registry, outcome, labels)
    return registry


def _add_tasks(registry: CollectorRegistry, outcome: RunOutcome, labels: tuple[str, str]) -> None:
    def gauge(name: str, text: str, *more: str) -> Gauge:
        return Gauge(name, text, (*_OF_TASK, *more), registry=registry)

    seconds = gauge("sfrunner_task_duration_seconds", "Duration of a task of the last run.")
    code = gauge("sfrunner_task_exit_code", "A task's part in the exit code of the last run.")
    calls = gauge("sfrunner_task_api_calls", "API calls of a task of the last run.")
    read = gauge("sfrunner_task_rows_read", "Rows that a task of the last run read.")
    rows = gauge("sfrunner_task_rows", "Rows of a task of the last run, by outcome.", "outcome")
    for task in outcome.tasks:
        own = (*labels, task.name, task.sobject)
        seconds.labels(*own).set(task.seconds)
        code.labels(*own).set(int(task.exit_code))
        calls.labels(*own).set(task.api_calls)
        read.labels(*own).set(task.counts.read)
        for each in ROW_COUNTS:
            rows.labels(*own, each).set(getattr(task.counts, each))


def write_textfile(run: RunMetrics, folder: Path) -> None:
    """Write the file of a job and target, which replaces that of the run before.

    Raises:
        OSError: There is no such folder.
        StorageError: The file cannot be written.
    """
    if not folder.is_dir():
        raise FileNotFoundError(2, "there is no such folder", str(folder))
    with atomic_write(folder / file_name(run)) as temporary:
        temporary.write_bytes(generate_latest(registry_of(run)))


def file_name(run: RunMetrics) -> str:
    """The file's name; others have others, as no name has an `@` in it."""
    names = [run.outcome.job, *([run.target] if run.target else [])]
    return f"sfrunner_{'@'.join(quote(each, safe='') for each in names)}.prom"


def push(run: RunMetrics, url: str, timeout_seconds: float) -> None:
    """Replace the metrics of a job and target on a Pushgateway.

    Args:
        run: What to push.
        url: Of the Pushgateway; a user and a password in it are sent as basic authentication.
        timeout_seconds: For the connection, and for each part of the answer.

    Raises:
        OSError: It cannot be reached, or refuses them.
        ValueError: The URL is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the URL of the Pushgateway must begin with http:// or https://")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

    def send(url, method, timeout, headers, data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as the library calls it
        if not user:
            return default_handler(url, method, timeout, headers, data)
        return basic_auth_handler(url, method, timeout, headers, data, user, password)

    group = {"job_name": run.outcome.job, **({"target": run.target} if run.target else {})}
    push_to_gateway(address, GROUP, registry_of(run), group, timeout_seconds, send)

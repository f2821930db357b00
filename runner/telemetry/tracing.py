"""Traces and metrics of runs by OpenTelemetry, configured by its own environment variables.

Spans: run, its tasks, their parts, their requests. Names are those of the semantic conventions for
HTTP, and `sfrunner.` for what is the runner's own. No span has a value of a row: query strings and
keys of records are left out of URLs. What it meets never changes a run.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread, local
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

from runner import events
from runner.errors import AbortedError, ExitCode
from runner.outcome import ROW_COUNTS, RunOutcome, TaskOutcome, TaskStatus
from runner.redaction import redacted
from runner.version import __version__

PATIENCE_SECONDS = 5.0
"""How long the end of a command waits for what is not sent yet."""
_KEY = re.compile(r"(/sobjects/[^/]+/).+")
"""An Id, or an external Id, which is a value of a row."""
_REFUSED = 400
_NANOSECONDS = 1_000_000_000
_Attributes = Mapping[str, str | int | float]


class Tracing(events.Observer):
    """Passes events on, and makes spans and metrics of them; threads share it."""

    def __init__(
        self, sink: events.Sink, environ: Mapping[str, str], *, traces: bool, metrics: bool
    ) -> None:
        """Start; what is sent where is decided by OpenTelemetry's variables in `environ`."""
        self._sink = sink
        named = "OTEL_SERVICE_NAME" in environ or "service.name=" in environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        about = {"service.version": __version__}
        resource = Resource.create(about if named else {**about, "service.name": "sfrunner"})
        self._problems = _Problems()
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        if traces:
            self._traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        readers = [PeriodicExportingMetricReader(OTLPMetricExporter())] if metrics else []
        self._metrics = MeterProvider(readers, resource, shutdown_on_exit=False)
        self._tracer = self._traces.get_tracer("sfrunner", __version__)
        meter = self._metrics.get_meter("sfrunner", __version__)
        self._request_seconds = meter.create_histogram("http.client.request.duration", "s")
        self._run_seconds = meter.create_histogram("sfrunner.run.duration", "s")
        self._rows = meter.create_counter("sfrunner.rows", "{row}")
        self._calls = meter.create_counter("sfrunner.api_calls", "{request}")
        self._run: Span | None = None
        self._tasks: dict[str, Span] = {}
        self._here = local()

    def __call__(self, event: events.Event) -> None:
        """Pass the event on."""
        self._sink(event)
        match event:
            case events.RunStarted(run_id, job):
                self._run = self._tracer.start_span(
                    f"run {job}",
                    attributes={"sfrunner.run.id": run_id, "sfrunner.job.name": job},
                )
            case events.Connected(instance_url, org_id, _, version):
                self._describe({"sfrunner.org.id": org_id or "", "sfrunner.api.version": version})
                self._describe({"server.address": urlsplit(instance_url).hostname or ""})
            case events.TaskStarted(task, verb, sobject):
                self._tasks[task] = self._child(
                    self._run, f"task {task}", _task(task, verb, sobject)
                )
            case events.Retrying() if self._run is not None:
                why = redacted(event.reason, shapes=True)
                about: dict[str, str | int] = {"reason": why, "attempt": event.attempt}
                self._run.add_event("retrying", about)
            case events.TaskFinished(outcome):
                self._end_task(outcome)
            case events.RunFinished(outcome):
                self._end_run(outcome)
            case _:
                pass

    @contextmanager
    def part(self, task: str, name: str) -> Iterator[None]:
        """Requests of this thread belong to a part of a task while the block runs."""
        about = {"sfrunner.task.name": task, "sfrunner.part": name}
        span = self._child(self._tasks.get(task), "part", about)
        self._here.part = span
        try:
            yield
        except Exception as error:
            _fail(span, type(error).__name__)
            raise
        finally:
            self._here.part = None
            span.end()

    def requested(self, request: events.Requested) -> None:
        """Make a span of a request that has ended."""
        parts = urlsplit(request.url)
        host = parts.hostname or ""
        about: dict[str, str | int | float] = {
            "http.request.method": request.method,
            "server.address": host,
            "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        }
        if request.status is not None:
            about["http.response.status_code"] = request.status
        failed = request.error or (str(request.status) if (request.status or 0) >= _REFUSED else "")
        if failed:
            about["error.type"] = failed
        self._request_seconds.record(request.seconds, about)
        path = _KEY.sub(r"\1{key}", parts.path)
        about["url.full"] = redacted(f"{parts.scheme}://{parts.netloc}{path}", shapes=True)
        if request.resends:
            about["http.request.resend_count"] = request.resends
        parent = getattr(self._here, "part", None) or self._tasks.get(request.task or "")
        began = int(request.began * _NANOSECONDS)
        span = self._tracer.start_span(
            request.method,
            _within(parent or self._run),
            SpanKind.CLIENT,
            about,
            start_time=began,
        )
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(began + int(request.seconds * _NANOSECONDS))

    def close(self) -> None:
        """Send what is left, and wait for that, but not for ever; a warning says what was not."""
        for span in (*self._tasks.values(), *([self._run] if self._run else [])):
            span.end()
        ending = Thread(target=self._shut_down, daemon=True)
        try:
            ending.start()
            ending.join(PATIENCE_SECONDS)
        except AbortedError:
            return  # the runs have ended; whoever started them sees the signal
        why = f"no answer within {PATIENCE_SECONDS:g} s" if ending.is_alive() else ""
        if why := self._problems.first or why:
            self._sink(events.Warned(f"traces and metrics were not all sent: {why}"))

    def _shut_down(self) -> None:
        self._traces.shutdown()
        self._metrics.shutdown()

    def _child(self, parent: Span | None, name: str, about: _Attributes) -> Span:
        return self._tracer.start_span(name, _within(parent), attributes=about)

    def _describe(self, about: _Attributes) -> None:
        if self._run is not None:
            self._run.set_attributes(about)

    def _end_task(self, task: TaskOutcome) -> None:
        about = _task(task.name, task.verb, task.sobject)
        self._calls.add(task.api_calls, about)
        rows = {each: getattr(task.counts, each) for each in ROW_COUNTS}
        for outcome, number in rows.items():
            if number:
                self._rows.add(number, {**about, "sfrunner.outcome": outcome})
        span = self._tasks.pop(task.name, None)
        if span is None:
            return  # it was skipped
        span.set_attributes({f"sfrunner.rows.{each}": rows[each] for each in rows if rows[each]})
        span.set_attribute("sfrunner.task.status", task.status.value)
        if task.status in {TaskStatus.FAILED, TaskStatus.ABORTED}:
            _fail(span, task.code or task.status.value)
        span.end()

    def _end_run(self, run: RunOutcome) -> None:
        code = int(run.exit_code)
        seconds = (run.finished - run.started).total_seconds()
        self._run_seconds.record(
            seconds, {"sfrunner.job.name": run.job, "sfrunner.exit_code": code}
        )
        span, self._run = self._run, None
        if span is not None:
            span.set_attribute("sfrunner.exit_code", code)
            if run.exit_code not in {ExitCode.DONE, ExitCode.PARTIAL}:
                _fail(span, str(code))
            span.end()


class _Problems(logging.Handler):
    """Keeps OpenTelemetry's log from stderr; its first problem is a warning at the end."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first = ""
        logger = logging.getLogger("opentelemetry")
        logger.propagate = False
        logger.handlers = [self]

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or redacted(record.getMessage(), shapes=True).splitlines()[0]


def _task(name: str, verb: str, sobject: str) -> dict[str, str]:
    return {"sfrunner.task.name": name, "sfrunner.verb": verb, "sfrunner.object": sobject}


def _within(parent: Span | None):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a context, or none
    return None if parent is None else set_span_in_context(parent)


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))

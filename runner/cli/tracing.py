"""Traces and metrics by OpenTelemetry, where its own environment variables ask for them.

Knows the variables. Knows nothing of what is sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from runner.events import Sink, Warned

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_DISABLED = "OTEL_SDK_DISABLED"
_NONE = "none"


@contextmanager
def traced(sink: Sink) -> Iterator[Sink]:
    """A sink that also sends traces and metrics, if the environment names where to."""
    traces, metrics = (_is_wanted(signal, os.environ) for signal in ("TRACES", "METRICS"))
    if not (traces or metrics):
        yield sink
        return
    try:
        from runner.telemetry.tracing import Tracing
    except ImportError as error:
        what = f"they need the library {error.name}; install it: pip install 'sfrunner[otel]'"
        sink(Warned(f"traces and metrics are not sent: {what}"))
        yield sink
        return
    tracing = Tracing(sink, os.environ, traces=traces, metrics=metrics)
    try:
        yield tracing
    finally:
        tracing.close()


def _is_wanted(signal: str, environ: Mapping[str, str]) -> bool:
    if environ.get(_DISABLED, "").lower() == "true":
        return False
    if environ.get(f"OTEL_{signal}_EXPORTER", "otlp") == _NONE:
        return False
    return bool(environ.get(_ENDPOINT) or environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"))

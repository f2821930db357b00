"""Spans and metrics that cannot be sent do not keep a command from ending."""

import pytest

from runner import events
from runner.telemetry import tracing
from runner.telemetry.tracing import _KEY, Tracing


@pytest.fixture
def silent(monkeypatch):
    """A receiver that takes connections and never answers."""
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        yield


def test_a_receiver_that_never_answers_is_left_after_a_while(silent, monkeypatch):
    monkeypatch.setattr(tracing, "PATIENCE_SECONDS", 0.05)
    told = []
    traced = Tracing(told.append, {}, traces=True, metrics=False)
    traced(events.RunStarted("r1", "nightly", 1))
    traced(events.TaskStarted("load", "upsert", "Account"))
    with traced.part("load", "0"):
        traced.requested(events.Requested("GET", "https://a.example/x", 1.0, 0.5, 503))
    traced.close()
    assert told[-1] == events.Warned(
        "traces and metrics were not all sent: no answer within 0.05 s"
    )
    assert [type(each) for each in told[:-1]] == [events.RunStarted, events.TaskStarted]


def test_keys_of_records_are_left_out_of_urls():
    path = "/services/data/v66.0/sobjects/Account/ERP_Id__c/ada%40x.example"
    assert _KEY.sub(r"\1{key}", path) == "/services/data/v66.0/sobjects/Account/{key}"
    assert _KEY.sub(r"\1{key}", "/services/data/v66.0/sobjects/Account/describe").endswith("{key}")
    assert _KEY.sub(r"\1{key}", "/services/data/v66.0/query") == "/services/data/v66.0/query"

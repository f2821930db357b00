"""Metrics never change how a run ends, however long an exporter takes."""

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner import events
from runner.credentials import SecretReference
from runner.job.metrics import Metrics
from runner.outcome import RunOutcome
from runner.runs import measuring
from runner.runs.measuring import measured
from runner.state.ledger import Ledger

MOMENT = datetime(2026, 11, 29, tzinfo=UTC)
ENDED = events.RunFinished(RunOutcome("r1", "nightly", Path("nightly.yaml"), MOMENT, MOMENT))


@pytest.fixture
def told(tmp_path):
    """What is told of the end of a run with metrics."""

    def end(metrics):
        said = []
        connection = SimpleNamespace(metrics=None, target=None)
        job = SimpleNamespace(metrics=metrics, connection=connection, file=Path("nightly.yaml"))
        with Ledger(tmp_path / "ledger.sqlite") as ledger:
            measured(job, ledger, said.append)(ENDED)
        assert said.pop(0) is ENDED, "the end comes first, whatever becomes of the metrics"
        return [each.message for each in said]

    return end


def test_a_pushgateway_that_never_answers_is_left_after_a_while(told, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(measuring, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr("runner.telemetry.metrics.push", lambda *_: go_on.wait(30))
    monkeypatch.setenv("GATEWAY", "http://127.0.0.1:1")
    said = told(Metrics(pushgateway=SecretReference(env="GATEWAY")))
    go_on.set()
    assert said == [
        "metrics were not pushed to the URL in variable GATEWAY: no answer within 0.05 s",
    ]


def test_a_defect_of_an_exporter_is_a_warning(told, monkeypatch, tmp_path):
    def broken(*_words):
        raise ZeroDivisionError

    monkeypatch.setattr("runner.telemetry.metrics.write_textfile", broken)
    said = told(Metrics(textfile=tmp_path))
    assert said == [f"metrics were not written to {tmp_path}: ZeroDivisionError"]


def test_without_the_library_a_warning_says_how_to_install_it(told, monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "runner.telemetry.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    (said,) = told(Metrics(textfile=tmp_path))
    assert "pip install 'sfrunner[metrics]'" in said

import io
import logging
import sys

from runner.cli.redact_output import redacted_streams
from runner.credentials import Secret

CANARY = "guard-canary-0001"


def test_whatever_is_written_is_starred_out(monkeypatch):
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    Secret(CANARY)
    with redacted_streams({}):
        print(f"out {CANARY}")  # noqa: T201 - it is what is tested
        sys.stderr.writelines([f"err {CANARY}\n"])
        handler = logging.StreamHandler(sys.stderr)
        handler.emit(logging.LogRecord("x", logging.WARNING, "", 1, "log %s", (CANARY,), None))
    assert out.getvalue() == "out ***\n"
    assert err.getvalue() == "err ***\nlog ***\n"


def test_results_keep_what_only_looks_like_a_token(monkeypatch):
    looks = "00D5g00000ABCDE!AQ0AQPretendToken.of_nobody"
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with redacted_streams({}):
        sys.stdout.write(looks)
        sys.stderr.write(looks)
    assert (out.getvalue(), err.getvalue()) == (looks, "***")


def test_the_streams_are_given_back(monkeypatch):
    before = sys.stdout, sys.stderr
    with redacted_streams({}):
        assert sys.stdout.isatty() == before[0].isatty()
    assert (sys.stdout, sys.stderr) == before

import io
import json
import logging
import sys

import pytest

from runner.cli.redact_output import redacted_streams, without_commands
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("bad value: ##vso[task.setvariable x]1\n", "bad value: ## vso[task.setvariable x]1\n"),
        ("a\n::add-mask::b\n", "a\n ::add-mask::b\n"),
        ("  ::stop-commands::b", "   ::stop-commands::b"),
        ("x ##[error]y", "x ## [error]y"),
        ("a::b ## c", "a::b ## c"),
        ("::error file=a.yaml,line=1::no\n", "::error file=a.yaml,line=1::no\n"),
        ("##vso[task.logissue type=error]no", "##vso[task.logissue type=error]no"),
    ],
)
def test_rows_and_messages_give_a_ci_agent_no_commands(text, shown):
    assert without_commands(text) == shown


def test_a_json_document_says_the_same_without_commands():
    document = {"message": "##vso[task.setvariable x]1", "##[": "::add-mask::"}
    text = without_commands(json.dumps(document))
    assert "##vso[" not in text
    assert "##[" not in text
    assert json.loads(text) == document


@pytest.mark.parametrize(("variable", "count"), [("TF_BUILD", 0), ("HOME", 1)])
def test_commands_are_removed_where_an_agent_reads(variable, count, monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    with redacted_streams({variable: "true"}):
        sys.stdout.write("##vso[x]\n")
    assert out.getvalue().count("##vso[") == count

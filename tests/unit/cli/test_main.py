"""Whatever happens becomes a text and an exit code; a traceback reaches nobody."""

import json
import os
import sys
from pathlib import Path

import pytest

import runner.cli.plain_words
from runner.cli.main import main
from runner.cli.terminal import Exit
from runner.errors import (
    ExitCode,
    JobError,
    LimitError,
    LockHeldError,
    RunnerError,
    SignInError,
    SourceError,
    UsageError,
)

TOKEN = "00D5g00000ABCDE!AQ0AQPretendToken.of_nobody"


@pytest.fixture
def meet(monkeypatch, capsys):
    """Run the command so that it meets an error; give its exit code and what it said."""

    def run(error, *words):
        def verb():
            raise error

        monkeypatch.setattr(runner.cli.plain_words, "verb_of", lambda _words, _environ: verb)
        monkeypatch.setattr(sys, "argv", ["runner", *words])
        monkeypatch.setattr(os, "_exit", sys.exit)
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RunnerError("x"), 1),
        (SourceError("x"), 1),
        (UsageError("x"), 2),
        (JobError(()), 2),
        (SignInError("x"), 4),
        (LimitError("x"), 5),
        (LockHeldError("x"), 11),
        (KeyboardInterrupt(), 130),
        (EOFError(), 1),
        (Exit(ExitCode.OVERDUE), 12),
    ],
)
def test_every_error_has_its_exit_code(meet, error, code):
    assert meet(error)[0] == code


def test_an_error_says_what_and_what_to_do_next(meet):
    _, out, err = meet(SignInError("No token.", hint="Run `runner login job.yaml`."))
    assert out == ""
    assert err == "error: No token.\nhelp: Run `runner login job.yaml`.\n"


def test_an_error_of_the_org_cannot_steer_the_terminal(meet):
    assert "\x1b" not in meet(RunnerError("\x1b[2J", hint="\x1b]0;x\x07"))[2]


def test_where_json_is_asked_for_the_error_is_a_document(meet):
    _, out, err = meet(UsageError("x", hint="y"), "run", "job.yaml", "-o", "json")
    assert out == '{"error": "x", "hint": "y", "exit_code": 2}\n'
    assert err == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "-o", "json"], "Missing argument 'JOB…'."),
        (["histroy", "--output=json"], "No such command 'histroy'. Did you mean 'history'?"),
        (["show", "-ojson", "--bogus"], "No such option: --bogus"),
        (["show", "-ojson", "--outpu"], "No such option: --outpu. Did you mean --output?"),
        (
            ["history", "-ojson", "--limit", "x"],
            "Invalid value for '--limit' / '-n': 'x' is not a whole number of at least 1.",
        ),
        (
            ["run", "-ojson", "a.yaml", "--parallel", "17"],
            "Invalid value for '--parallel': 17 is not a whole number from 1 to 16.",
        ),
        (["history", "-ojson", "--limit"], "Option '--limit' needs a value."),
        (["show", "-ojson", "last", "more", "words"], "Too many words: more words"),
    ],
)
def test_a_command_line_that_cannot_be_read_gives_a_document_too(
    monkeypatch, capsys, words, message
):
    monkeypatch.setattr(sys, "argv", ["runner", *words])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert left.value.code == 2
    assert f"Error: {message}" in said.err
    assert json.loads(said.out) == {
        "error": message,
        "hint": "See `runner COMMAND -h`.",
        "exit_code": 2,
    }


def test_a_wrong_word_is_told_by_the_name_of_its_place(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["runner", "schema", "jobs"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert "Error: Invalid value for 'NAME': 'jobs' is not one of 'event'" in said


@pytest.mark.parametrize(
    ("variable", "reason"),
    [("SFRUNNER_PARALLEL", "a whole number"), ("SFRUNNER_QUIET", "neither 1 nor 0.\n")],
)
def test_a_wrong_value_of_a_variable_is_told_by_the_variable(variable, reason, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["runner", "run", "a.yaml"])
    monkeypatch.setenv(variable, "many")
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert f"Error: Invalid value of the variable {variable}: 'many' is " in said
    assert reason in said


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["undo", "", "--yes"], "An argument"),
        (["run", ""], "An argument"),
        (["run", "job.yaml", "--target", ""], "An argument"),
        (["run", "job.yaml", "--target="], "The value of --target"),
    ],
)
def test_an_empty_argument_means_neither_the_last_run_nor_the_current_folder(meet, words, what):
    code, _, err = meet(AssertionError("it has begun"), *words)
    assert code == 2
    assert err == f"error: {what} is empty.\nhelp: A variable in it may not be set.\n"


def test_an_empty_value_of_a_param_is_one(meet):
    assert meet(Exit(0), "run", "job.yaml", "-p", "name=", "--param=name=")[0] == 0


def test_a_defect_leaves_a_report_without_secrets_and_no_traceback(meet, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, out, err = meet(ValueError(f"Bearer {TOKEN} and token={TOKEN}"))
    assert code == ExitCode.DEFECT == 70
    assert out == ""
    assert "Traceback" not in err
    (report,) = tmp_path.glob("runner-crash-*.txt")
    assert str(report) in err
    text = Path(report).read_text(encoding="utf-8")
    assert "ValueError" in text
    assert TOKEN not in text
    assert "***" in text

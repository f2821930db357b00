"""stderr as JSON Lines."""

import io
import json

import pytest

from runner.cli.log_format import JsonLines, asks_for_json

JSON = {"SFRUNNER_LOG_FORMAT": "json"}


@pytest.mark.parametrize(
    ("words", "environ", "asked"),
    [
        (["run", "a.yaml"], {}, False),
        (["run", "--log-format", "json"], {}, True),
        (["run", "--log-format=json"], {}, True),
        (["run"], JSON, True),
        (["run", "--log-format", "text"], JSON, False),
        (["run", "--log-format=json", "--log-format=text"], {}, False),
        (["run", "--log-format"], {}, False),
    ],
)
def test_the_option_comes_before_the_variable(words, environ, asked):
    assert asks_for_json(words, environ) is asked


def test_each_line_is_one_object_and_a_question_is_not_held_back():
    stream = io.StringIO()
    lines = JsonLines(stream)
    lines.write("warning: one\n\ntw")
    lines.write("o\nError: three\nGo on? [y/N] ")
    lines.flush()
    found = [json.loads(each) for each in stream.getvalue().splitlines()]
    assert [(each["level"], each["message"]) for each in found] == [
        ("warning", "warning: one"),
        ("info", "two"),
        ("error", "Error: three"),
        ("info", "Go on? [y/N]"),
    ]
    assert {each["event"] for each in found} == {"message"}


def test_what_looks_like_a_secret_does_not_break_the_line():
    stream = io.StringIO()
    lines = JsonLines(stream)
    lines.say("error", "error", "GET /?token=abcdefgh", hint="-----BEGIN PRIVATE KEY-----\nMIIE")
    (found,) = map(json.loads, stream.getvalue().splitlines())
    assert found["message"] == "GET /?token=***"
    assert found["hint"] == "***"

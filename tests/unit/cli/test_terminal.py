"""Texts of verbs reach the stream, whatever it takes, and never with a secret."""

import io
import sys

import pytest

from runner.cli.redact_output import redacted_streams
from runner.cli.terminal import echo
from runner.redaction import register_secret


@pytest.fixture
def stdout(monkeypatch):
    """Be a process whose stdout has an encoding; what was written to it."""

    def use(encoding):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        return raw.getvalue

    return use


@pytest.mark.parametrize("encoding", ["ascii", "US-ASCII"])
def test_a_stream_without_a_locale_is_made_utf8_and_still_redacted(stdout, encoding):
    written = stdout(encoding)
    register_secret("PretendSecretOfNobody")
    with redacted_streams({}):
        echo("größer → PretendSecretOfNobody")
    assert written().decode().startswith("größer → ")
    assert b"PretendSecret" not in written()


def test_other_encodings_stay(stdout):
    written = stdout("latin-1")
    echo("größer")
    assert written() == "größer\n".encode("latin-1")


def test_colours_are_left_out_where_no_terminal_shows_them(capsys):
    echo("\x1b[31mred\x1b[0m", nl=False)
    echo("\x1b[1mbold", err=True)
    assert tuple(capsys.readouterr()) == ("red", "bold\n")

"""What the user permits comes from options and their variables, and reaches every verb."""

from pathlib import Path

import pytest
import typer

from runner.cli.declare import readable_by_typer
from runner.cli.settings import AllowOutside, permissions, user_state


@pytest.fixture
def permitted():
    """Read the option as a verb does."""
    app, found = typer.Typer(), []

    def verb(allow_outside: AllowOutside = None):
        found.append(permissions(None, allow_outside, user_state()))

    app.command()(readable_by_typer(verb))

    def read(*words):
        app(words, standalone_mode=False)
        return found.pop()

    return read


def test_a_verb_without_the_option_heeds_its_variable(permitted, monkeypatch, tmp_path):
    monkeypatch.setenv("SFRUNNER_ALLOW_OUTSIDE", f"{tmp_path}:/srv/sync")
    assert permitted().folders == (tmp_path, Path("/srv/sync"))


def test_the_users_own_folders_may_hold_tokens(permitted, monkeypatch, tmp_path):
    monkeypatch.setenv("SFRUNNER_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    found = permitted()
    assert found.secret_folders == (tmp_path / "state", tmp_path / "config" / "sfrunner")
    assert found.folders == ()

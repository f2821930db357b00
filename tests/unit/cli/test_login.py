"""Options of `runner login`."""

import pytest
import typer.main

from runner.cli.app import app
from runner.cli.login import _wait_seconds
from runner.errors import UsageError

LOGIN = typer.main.get_command(app).commands["login"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("2m", 120), ("120", 120), ("0.5", 0.5)]
)
def test_the_wait_for_the_browser_is_a_duration_or_seconds(text, seconds):
    assert _wait_seconds(text) == seconds


def test_a_wait_that_is_neither_is_refused():
    with pytest.raises(UsageError, match="--timeout soon is not a duration"):
        _wait_seconds("soon")


def test_every_option_has_a_variable():
    """That of `--token` is read with the other variables of tokens."""
    options = {name for each in LOGIN.params if not each.envvar for name in each.opts}
    assert options == {"job", "--token"}

"""Options of `runner login`."""

import typer.main

from runner.cli.app import app

LOGIN = typer.main.get_command(app).commands["login"]


def test_every_option_has_a_variable():
    """That of `--token` is read with the other variables of tokens."""
    options = {name for each in LOGIN.params if not each.envvar for name in each.opts}
    assert options == {"job", "--token"}

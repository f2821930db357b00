"""Options of `runner login`."""

import pytest
import typer.main

from runner.cli.app import app
from runner.errors import UsageError

LOGIN = typer.main.get_command(app).commands["login"]


def test_every_option_has_a_variable():
    """That of `--token` is read with the other variables of tokens."""
    options = {name for each in LOGIN.params if not each.envvar for name in each.opts}
    assert options == {"job", "--token"}


@pytest.mark.parametrize("verb", ["login", "logout"])
def test_the_local_org_needs_no_sign_in(verb, tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(
        "version: 1\nconnection: {environment: local}\n"
        "tasks: [{name: q, query: SELECT Id FROM Account, to: q.csv}]\n",
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match="The local org needs no sign-in"):
        app([verb, str(file)], standalone_mode=False)

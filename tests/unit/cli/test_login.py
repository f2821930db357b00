"""Options of `runner login`."""

import pytest
import typer.main

from runner.cli.app import app
from runner.cli.login_options import sign_in_target
from runner.errors import UsageError
from runner.job.permissions import NO_PERMISSIONS

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


@pytest.mark.parametrize("domain", ["acme.com", "x.salesforce.com.evil.com", ""])
def test_nobody_signs_in_outside_of_salesforces_domains(domain, tmp_path):
    with pytest.raises(UsageError, match="is not a Salesforce host"):
        sign_in_target(None, NO_PERMISSIONS, domain=domain, token=tmp_path / "t.json")

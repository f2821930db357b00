"""The real Salesforce CLI is asked for a sign-in by `runner login --from-sf`, and answers in JSON.

A CLI that was given an access token alone has no refresh token to hand over; only a browser gives
it one. So what is held here is the question, and that the CLI's own refusal is told.
"""

import os
import shlex
import subprocess

import pytest

from runner.errors import SignInError
from runner.login.salesforce_cli import auth_url

SETTINGS = {
    "SF_DISABLE_TELEMETRY": "true",
    "SF_DISABLE_AUTOUPDATE": "true",
    "SF_SKIP_NEW_VERSION_CHECK": "true",
    "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
}


@pytest.fixture
def environ(installed, org, tmp_path, monkeypatch):
    """The CLI with the local org signed in as `local`, by an access token."""
    node = installed("node_modules/node/bin/node")
    script = installed("node_modules/@salesforce/cli/bin/run.js")
    for name, value in {**SETTINGS, "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    words = "org login access-token --no-prompt --alias local --instance-url"
    subprocess.run(
        [node, script, *words.split(), org.url],
        env={**os.environ, "SF_ACCESS_TOKEN": org.token},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=120,
    )
    return {**os.environ, "SFRUNNER_SF": shlex.join([str(node), str(script)])}


def test_the_cli_knows_the_question_and_its_refusal_is_told(environ):
    with pytest.raises(SignInError, match="web-based login") as refused:
        auth_url("local", environ)
    assert "--jwt" in refused.value.hint

"""`runner login`: sign in once; the runs use the stored token from then on."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Argument, Option
from runner.cli.options import NoInput, Output, OutputOption, Target, seconds
from runner.cli.settings import AllowHost, AllowOutside, permissions, user_state
from runner.cli.terminal import echo
from runner.errors import UsageError

if TYPE_CHECKING:
    from runner.cli.login_options import ConnectionOption
    from runner.job.permissions import Permissions
    from runner.login.complete import SignedIn
    from runner.salesforce.session import TokenStore

FileOption = Path | None

EXAMPLES = """\
runner login jobs/accounts.yaml
runner login jobs/accounts.yaml --target prod --no-browser
sf org display --verbose --json | runner login jobs/accounts.yaml --with-token
"""


def login(
    job: Annotated[
        Path | None, Argument(help="The job whose connection to sign in.", metavar="[JOB]")
    ] = None,
    org: Target = None,
    environment: Annotated[
        str | None,
        Option(
            "--environment",
            envvar="SFRUNNER_ENVIRONMENT",
            metavar="NAME",
            help="live or sandbox, if no job is given.",
        ),
    ] = None,
    domain: Annotated[
        str | None,
        Option(
            "--domain",
            envvar="SFRUNNER_DOMAIN",
            metavar="NAME",
            help="My Domain, e.g. `acme` or `acme--uat`.",
        ),
    ] = None,
    client_id: Annotated[
        str | None,
        Option(
            "--client-id",
            envvar="SFRUNNER_CLIENT_ID",
            metavar="KEY",
            help="Consumer key of the External Client App.",
        ),
    ] = None,
    token: Annotated[
        FileOption,
        Option(
            "--token",
            metavar="FILE",
            help="The token file to write, if no job is given; or SFRUNNER_TOKEN_FILE.",
        ),
    ] = None,
    port: Annotated[
        int,
        Option(
            envvar="SFRUNNER_LOGIN_PORT",
            metavar="N",
            min=1,
            max=65_535,
            help="Loopback port of the callback URL, as registered in the app.",
        ),
    ] = 1717,
    no_browser: Annotated[
        bool,
        Option(
            "--no-browser",
            envvar="SFRUNNER_NO_BROWSER",
            help="Print the address instead of opening it; paste the final address back.",
        ),
    ] = False,
    timeout: Annotated[
        str,
        Option(
            envvar="SFRUNNER_LOGIN_TIMEOUT",
            metavar="TIME",
            help="Wait up to this long for the browser, e.g. 5m, or seconds.",
        ),
    ] = "2m",
    jwt: Annotated[
        bool,
        Option("--jwt", envvar="SFRUNNER_JWT", help="Sign in with a private key, unattended."),
    ] = False,
    username: Annotated[
        str | None,
        Option(
            "--username",
            envvar="SFRUNNER_USERNAME",
            metavar="NAME",
            help="With --jwt: the user to sign in.",
        ),
    ] = None,
    key_file: Annotated[
        FileOption,
        Option(
            "--key-file",
            envvar="SFRUNNER_KEY_FILE",
            metavar="FILE",
            help="With --jwt: the private key, a PEM file.",
        ),
    ] = None,
    key_env: Annotated[
        str | None,
        Option(
            "--key-env",
            envvar="SFRUNNER_KEY_ENV",
            metavar="NAME",
            help="With --jwt: the variable that holds the key.",
        ),
    ] = None,
    key_command: Annotated[
        str | None,
        Option(
            "--key-command",
            envvar="SFRUNNER_KEY_COMMAND",
            metavar="COMMAND",
            help="With --jwt: the command that prints the key.",
        ),
    ] = None,
    passphrase_env: Annotated[
        str | None,
        Option(
            "--passphrase-env",
            envvar="SFRUNNER_PASSPHRASE_ENV",
            metavar="NAME",
            help="With --jwt: the variable that holds the key's passphrase, if it has one.",
        ),
    ] = None,
    client_credentials: Annotated[
        bool,
        Option(
            "--client-credentials",
            envvar="SFRUNNER_CLIENT_CREDENTIALS",
            help="Sign in as the app itself, with its secret.",
        ),
    ] = False,
    secret_file: Annotated[
        FileOption,
        Option(
            "--secret-file",
            envvar="SFRUNNER_SECRET_FILE",
            metavar="FILE",
            help="With --client-credentials: the file that holds the secret.",
        ),
    ] = None,
    secret_env: Annotated[
        str | None,
        Option(
            "--secret-env",
            envvar="SFRUNNER_SECRET_ENV",
            metavar="NAME",
            help="With --client-credentials: the variable that holds the secret.",
        ),
    ] = None,
    secret_command: Annotated[
        str | None,
        Option(
            "--secret-command",
            envvar="SFRUNNER_SECRET_COMMAND",
            metavar="COMMAND",
            help="With --client-credentials: the command that prints the secret.",
        ),
    ] = None,
    with_token: Annotated[
        bool,
        Option(
            "--with-token",
            envvar="SFRUNNER_WITH_TOKEN",
            help="Read a token from stdin: an access token, a token file, an sfdx auth URL, or the "
            "Salesforce CLI's JSON.",
        ),
    ] = False,
    from_sf: Annotated[
        str | None,
        Option(
            "--from-sf",
            metavar="ALIAS",
            envvar="SFRUNNER_FROM_SF",
            help="Import a sign-in of the Salesforce CLI.",
        ),
    ] = None,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
    output: OutputOption = Output.TEXT,
    no_input: NoInput = False,
) -> None:
    """Sign in once; the runs use the stored token from then on.

    Opens the browser, unless a key, a secret or a token is given.
    """
    from runner.cli import login_options

    login_options.check_one_flow(
        jwt=jwt,
        client_credentials=client_credentials,
        with_token=with_token,
        from_sf=from_sf is not None,
        no_browser=no_browser,
    )
    grant = login_options.grant_of(
        jwt=jwt,
        client_credentials=client_credentials,
        username=username,
        key=login_options.SecretOption(key_file, key_env, key_command),
        secret=login_options.SecretOption(secret_file, secret_env, secret_command),
        passphrase_env=passphrase_env,
    )
    permitted = permissions(allow_host, allow_outside, user_state())
    target = login_options.sign_in_target(
        job,
        permitted,
        target=org,
        environment=environment,
        domain=domain,
        client_id=client_id,
        token=token,
        grant=grant,
    )
    signed_in: SignedIn
    store: TokenStore | None
    if with_token or from_sf is not None:
        signed_in, store = _import_token(target, permitted, from_sf)
    elif target.connection.auth is not None and not no_browser:
        signed_in, store = _sign_in_unattended(target, permitted)
    else:
        if no_browser and no_input:
            raise UsageError(
                "--no-browser prompts for the final address, but --no-input forbids prompts."
            )
        wait_seconds = seconds(timeout, "--timeout")
        signed_in, store = _sign_in_by_browser(
            target, permitted, port, wait_seconds, paste=no_browser
        )
    _print(signed_in, store, output)


def _sign_in_by_browser(
    target: ConnectionOption,
    permitted: Permissions,
    port: int,
    wait_seconds: float,
    *,
    paste: bool,
) -> tuple[SignedIn, TokenStore]:
    from runner.cli.login_options import browser_request, checked_token_place
    from runner.login.web import sign_in, sign_in_by_paste
    from runner.runs.wiring import open_transport

    plan, store = browser_request(target, port, wait_seconds), checked_token_place(target)
    with open_transport(permitted) as transport:
        if paste:
            return sign_in_by_paste(plan, transport, store, ask=_ask), store
        return sign_in(plan, transport, store, present=_present), store


def _sign_in_unattended(
    target: ConnectionOption, permitted: Permissions
) -> tuple[SignedIn, TokenStore | None]:
    """Sign in with a key or secret; if the token is not stored, only to test that it works."""
    from runner.cli.login_options import checked_token_place, seed_from_grant
    from runner.login.complete import complete
    from runner.runs.wiring import open_transport

    store = checked_token_place(target) if target.connection.token is not None else None
    seed = seed_from_grant(target.connection)
    with open_transport(permitted) as transport:
        return complete(target.expected, transport, store, seed), store


def _import_token(
    target: ConnectionOption, permitted: Permissions, alias: str | None
) -> tuple[SignedIn, TokenStore]:
    from runner.cli.login_options import checked_token_place, token_from_cli, token_from_stdin
    from runner.login.complete import complete
    from runner.runs.wiring import open_transport

    store = checked_token_place(target)
    command = target.login_command
    if alias is None:
        token = token_from_stdin(target.connection, command)
    else:
        token = token_from_cli(alias, command)
    with open_transport(permitted) as transport:
        return complete(target.expected, transport, store, token, ours=False), store


def _present(url: str) -> None:
    from runner.login.browser import open_browser

    if open_browser(url, os.environ):
        echo("Opening your browser; sign in there and approve. If it does not open:", err=True)
    else:
        echo("Open this address in a browser on this machine:", err=True)
    echo(url, err=True)


def _ask(url: str) -> str:
    echo("Open this address in a browser, sign in and approve:", err=True)
    echo(url, err=True)
    echo("Then paste the final address of the browser here and press Enter:", err=True)
    return _read_hidden() if sys.stdin.isatty() else sys.stdin.readline()


def _read_hidden() -> str:
    """Read a line without showing it: the address contains a code that can sign in."""
    from getpass import getpass

    return getpass("")


def _print(signed_in: SignedIn, store: TokenStore | None, output: Output) -> None:
    from runner.report.sinks import printable

    who, url = signed_in.identity, signed_in.token.instance_url
    place = store.describe() if store is not None else None
    if output is Output.JSON:
        document = {"username": who.username, "org_id": who.org_id, "instance_url": url}
        echo(json.dumps({**document, "token": place}))
        return
    stored = (
        f"The token is stored in {place}."
        if place
        else "No token was stored: the runs sign in themselves."
    )
    echo(printable(f"Signed in as {who.username} to org {who.org_id} at {url}.\n{stored}"))

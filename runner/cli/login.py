"""`runner login` and `runner logout`: access is given once, and taken away again."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.allowed_hosts import AllowHost
from runner.cli.allowed_places import AllowOutside
from runner.cli.options import NoInput, Output, OutputOption

if TYPE_CHECKING:
    from runner.cli.login_options import Named
    from runner.login.complete import SignedIn
    from runner.login.logout import SavedToken, SignedOut
    from runner.salesforce.session import TokenStore

OptionalJob = Annotated[
    Path | None, typer.Argument(help="A job whose connection it is.", metavar="[JOB]")
]
EnvironmentOption = Annotated[
    str | None, typer.Option("--environment", help="live or sandbox, where no job is named.")
]
DomainOption = Annotated[
    str | None, typer.Option("--domain", help="My Domain, `acme` or `acme--uat`.")
]
ClientOption = Annotated[
    str | None, typer.Option("--client-id", help="Consumer key of the External Client App.")
]
TokenOption = Annotated[
    Path | None, typer.Option("--token", help="Where the token file goes, where no job is named.")
]
FileOption = Path | None


def login(
    job: OptionalJob = None,
    environment: EnvironmentOption = None,
    domain: DomainOption = None,
    client_id: ClientOption = None,
    token: TokenOption = None,
    port: Annotated[
        int, typer.Option(help="Loopback port of the callback, as registered in the app.")
    ] = 1717,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address; paste the last one back.")
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the browser.")] = 120.0,
    jwt: Annotated[
        bool, typer.Option("--jwt", help="Sign in with a private key; nobody has to be there.")
    ] = False,
    username: Annotated[
        str | None, typer.Option("--username", help="With --jwt: whom to sign in.")
    ] = None,
    key_file: Annotated[
        FileOption, typer.Option("--key-file", help="With --jwt: private key, a PEM file.")
    ] = None,
    key_env: Annotated[
        str | None, typer.Option("--key-env", help="With --jwt: variable that holds the key.")
    ] = None,
    key_command: Annotated[
        str | None, typer.Option("--key-command", help="With --jwt: command that prints the key.")
    ] = None,
    client_credentials: Annotated[
        bool,
        typer.Option("--client-credentials", help="Sign in as the app itself, with its secret."),
    ] = False,
    secret_file: Annotated[
        FileOption,
        typer.Option("--secret-file", help="With --client-credentials: file of the secret."),
    ] = None,
    secret_env: Annotated[
        str | None,
        typer.Option("--secret-env", help="With --client-credentials: variable of the secret."),
    ] = None,
    secret_command: Annotated[
        str | None,
        typer.Option("--secret-command", help="With --client-credentials: command that prints it."),
    ] = None,
    with_token: Annotated[
        bool,
        typer.Option(
            "--with-token",
            help="Take a token on stdin: an access token, a token file, or an sfdx auth URL.",
        ),
    ] = False,
    from_sf: Annotated[
        str | None,
        typer.Option("--from-sf", metavar="ALIAS", help="Take over a Salesforce CLI sign-in."),
    ] = None,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
    output: OutputOption = Output.TEXT,
    no_input: NoInput = False,
) -> None:
    """Sign in once, in the browser or with a key; the runs use the token file from then on."""
    del allow_host, allow_outside  # remembered where they were read
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
        key=login_options.Place(key_file, key_env, key_command),
        secret=login_options.Place(secret_file, secret_env, secret_command),
    )
    named = login_options.named(
        job,
        environment=environment,
        domain=domain,
        client_id=client_id,
        token=token,
        grant=grant,
    )
    signed_in: SignedIn
    store: TokenStore | None
    if with_token or from_sf is not None:
        signed_in, store = _taken_over(named, from_sf)
    elif named.connection.auth is not None and not no_browser:
        signed_in, store = _by_grant(named)
    else:
        signed_in, store = _in_browser(named, port, timeout, paste=no_browser, no_input=no_input)
    _tell(signed_in, store, output)


def logout(
    job: OptionalJob = None,
    token: TokenOption = None,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Revoke the tokens at the org, then delete the token file."""
    del allow_host, allow_outside  # remembered where they were read
    from runner.cli.login_options import named
    from runner.login.logout import log_out
    from runner.runs.wiring import transport

    store = _kept(named(job, token=token))
    with transport() as wire:
        ended = log_out(store, wire)
    _tell_ended(ended, store, output)


def _in_browser(
    named: Named, port: int, timeout: float, *, paste: bool, no_input: bool
) -> tuple[SignedIn, TokenStore]:
    from runner.cli.login_options import browser_plan
    from runner.errors import UsageError
    from runner.login.web import sign_in, sign_in_by_paste
    from runner.runs.wiring import transport

    plan, store = browser_plan(named, port, timeout), _store(named)
    if paste and no_input:
        raise UsageError("--no-browser asks for the pasted address, and --no-input forbids it.")
    with transport() as wire:
        if paste:
            return sign_in_by_paste(plan, wire, store, ask=_ask), store
        return sign_in(plan, wire, store, present=_present), store


def _by_grant(named: Named) -> tuple[SignedIn, TokenStore | None]:
    """Sign in with a key or secret; without a place for the token, only to see that it works."""
    from runner.cli.login_options import seed_from_grant
    from runner.login.complete import complete
    from runner.runs.wiring import transport

    store = _store(named) if named.connection.token is not None else None
    with transport() as wire:
        return complete(named.wanted, wire, store, seed_from_grant(named.connection)), store


def _taken_over(named: Named, alias: str | None) -> tuple[SignedIn, TokenStore]:
    from runner.cli.login_options import token_given, token_of_cli
    from runner.login.complete import complete
    from runner.runs.wiring import transport

    store = _store(named)
    mend = named.login_command
    token = token_given(named.connection, mend) if alias is None else token_of_cli(alias, mend)
    with transport() as wire:
        return complete(named.wanted, wire, store, token, ours=False), store


def _store(named: Named) -> SavedToken:
    """The place that the token goes to, found fit for it before anybody signs in."""
    store = _kept(named)
    store.check_writable()
    return store


def _kept(named: Named) -> SavedToken:
    from runner.credentials import SecretReference
    from runner.runs.token_stores import kept_store_of

    reference = named.connection.token or SecretReference()
    return kept_store_of(reference, named.login_command)


def _present(url: str) -> None:
    from runner.login.browser import open_browser

    if open_browser(url, os.environ):
        typer.echo("Your browser opens; sign in there and approve. If it does not:", err=True)
    else:
        typer.echo("Open this address in a browser on this machine:", err=True)
    typer.echo(url, err=True)


def _ask(url: str) -> str:
    typer.echo("Open this address in a browser, sign in and approve:", err=True)
    typer.echo(url, err=True)
    typer.echo("Then paste the address that the browser ends at, and press Enter:", err=True)
    return _unechoed() if sys.stdin.isatty() else sys.stdin.readline()


def _unechoed() -> str:
    """Read a line without showing it: the address holds a code that is worth a sign-in."""
    from getpass import getpass

    return getpass("")


def _tell(signed_in: SignedIn, store: TokenStore | None, output: Output) -> None:
    from runner.report.sinks import printable

    who, instance_url = signed_in.identity, signed_in.token.instance_url
    place = store.describe() if store is not None else None
    told = {
        "username": who.username,
        "org_id": who.org_id,
        "instance_url": instance_url,
        "token": place,
    }
    if output is Output.JSON:
        typer.echo(json.dumps(told))
        return
    kept = (
        f"The token is kept in {place}." if place else "Nothing is kept: runs sign in themselves."
    )
    typer.echo(
        printable(f"Signed in as {who.username} to org {who.org_id} at {instance_url}.\n{kept}")
    )


def _tell_ended(ended: SignedOut, store: TokenStore, output: Output) -> None:
    from runner.report.sinks import printable

    place = store.describe()
    if output is Output.JSON:
        document = {"revoked": ended.revoked.done, "deleted": place}
        typer.echo(json.dumps({**document, "remaining": ended.remaining}))
        return
    if ended.revoked.done:
        typer.echo("The tokens are revoked at the org.")
    else:
        typer.echo(printable(f"The tokens could not be revoked: {ended.revoked.problem}"), err=True)
    if ended.remaining:
        typer.echo(printable(ended.remaining), err=True)
    typer.echo(f"Deleted {place}.")

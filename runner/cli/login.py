"""`runner login` and `runner logout`: a person gives access once, and takes it away again."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import NoInput, Output, OutputOption

if TYPE_CHECKING:
    from runner.job.model import Connection, Environment
    from runner.login.web import SignedIn, SignInPlan
    from runner.state.tokens import TokenFile

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
    output: OutputOption = Output.TEXT,
    no_input: NoInput = False,
) -> None:
    """Sign in once in the browser; the runs use the token file from then on."""
    from runner.cli.compose import transport
    from runner.errors import UsageError
    from runner.login.web import sign_in, sign_in_by_paste

    connection, command = _connection(job, environment, domain, client_id, token)
    plan, store = _plan(connection, command, port, timeout), _token_file(connection, command)
    if no_browser and no_input:
        raise UsageError("--no-browser asks for the pasted address, and --no-input forbids it.")
    with transport() as wire:
        if no_browser:
            signed_in = sign_in_by_paste(plan, wire, store, ask=_ask)
        else:
            signed_in = sign_in(plan, wire, store, present=_present)
    _tell(signed_in, store, output)


def logout(
    job: OptionalJob = None, token: TokenOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Revoke the tokens at the org, then delete the token file."""
    from runner.cli.compose import transport
    from runner.login.logout import log_out

    connection, command = _connection(job, None, None, None, token)
    store = _token_file(connection, command)
    with transport() as wire:
        ended = log_out(store, wire)
    if output is Output.JSON:
        document = {"revoked": ended.revoked.done, "deleted": str(store.path)}
        typer.echo(json.dumps({**document, "remaining": ended.remaining}))
        return
    if ended.revoked.done:
        typer.echo("The tokens are revoked at the org.")
    else:
        typer.echo(f"The tokens could not be revoked: {ended.revoked.problem}", err=True)
        typer.echo(str(ended.remaining), err=True)
    typer.echo(f"Deleted {store.path}.")


def _connection(
    job: Path | None,
    environment: str | None,
    domain: str | None,
    client_id: str | None,
    token: Path | None,
) -> tuple[Connection, str]:
    """The connection that a job or the options name, and the command to sign it in again."""
    from dataclasses import replace

    from runner.cli.compose import login_command
    from runner.errors import UsageError
    from runner.job.load import load_connection
    from runner.job.model import Connection, Environment, SecretReference

    if job is None and token is None:
        raise UsageError("Which token?", hint="Name a job file, or a token file with `--token`.")
    named = {"environment": _environment(environment), "domain": domain, "client_id": client_id}
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if token is not None:
        given["token"] = SecretReference(path=token.absolute())
    if job is not None:
        return replace(load_connection(job), **given), login_command(job)
    base = Connection(Environment.LIVE)
    command = f"runner login --environment {environment or 'live'} --token {token}"
    return replace(base, **given), command


def _environment(name: str | None) -> Environment | None:
    from runner.errors import UsageError
    from runner.job.model import Environment

    if name is None:
        return None
    if name not in set(Environment):
        raise UsageError(f"There is no environment {name!r}.", hint="Write live or sandbox.")
    return Environment(name)


def _plan(connection: Connection, command: str, port: int, timeout: float) -> SignInPlan:
    from runner.errors import UsageError
    from runner.login.web import SignInPlan
    from runner.salesforce.hosts import login_url

    if connection.client_id is None:
        raise UsageError(
            "The connection names no External Client App.",
            hint="Write its consumer key as `client_id` in the connection, or give `--client-id`; "
            "the README says how to create one.",
        )
    return SignInPlan(
        environment=connection.environment,
        login_url=login_url(connection),
        client_id=connection.client_id,
        login_command=command,
        org_id=connection.org_id,
        port=port,
        timeout_seconds=timeout,
    )


def _token_file(connection: Connection, command: str) -> TokenFile:
    from runner.errors import UsageError
    from runner.state.tokens import TokenFile

    if connection.token is None or connection.token.path is None:
        raise UsageError(
            "The connection's token is not a file.",
            hint="Write `token: tokens/NAME.json` in the connection, or give `--token`.",
        )
    return TokenFile(connection.token.path, login_command=command)


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


def _tell(signed_in: SignedIn, store: TokenFile, output: Output) -> None:
    from runner.report.sinks import printable

    who = signed_in.identity
    told = {
        "username": who.username,
        "org_id": who.org_id,
        "instance_url": signed_in.token.instance_url,
        "token": str(store.path),
    }
    if output is Output.JSON:
        typer.echo(json.dumps(told))
        return
    typer.echo(
        printable(
            f"Signed in as {who.username} to org {who.org_id} at {signed_in.token.instance_url}.\n"
            f"The token is kept in {store.path}."
        )
    )

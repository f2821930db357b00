"""What `runner login` and `runner logout` are to do, made of a job and of options.

Knows how a connection, a token's place and a flow are told on the command line. Knows nothing of
what the org answers.
"""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.credentials import Grant, SecretReference, Token
    from runner.job.model import Connection, Environment
    from runner.login.complete import ExpectedOrg
    from runner.login.web import SignInRequest


@dataclass(frozen=True, slots=True)
class Place:
    """A secret as options tell it; at most one of them."""

    file: Path | None = None
    env: str | None = None
    command: str | None = None

    def reference(self, name: str) -> SecretReference | None:
        """The reference; None where nothing is told.

        Args:
            name: What the options begin with, `key` for `--key-file`.

        Raises:
            UsageError: two are told, or a command that no shell would read.
        """
        from runner.credentials import SecretReference
        from runner.errors import UsageError

        told = [each for each in (self.file, self.env, self.command) if each is not None]
        if len(told) > 1:
            raise UsageError(f"Only one of --{name}-file, --{name}-env and --{name}-command.")
        if self.file is not None:
            return SecretReference(path=self.file.expanduser().absolute())
        if self.env is not None:
            return SecretReference(env=self.env)
        if self.command is None:
            return None
        try:
            words = tuple(shlex.split(self.command))
        except ValueError:
            words = ()
        if not words:
            raise UsageError(f"--{name}-command is no command.", hint="Quote it as one word.")
        return SecretReference(command=words)


@dataclass(frozen=True, slots=True)
class Named:
    """A connection as a job and options name it."""

    connection: Connection
    login_command: str
    """What to type to sign it in again."""

    @property
    def wanted(self) -> ExpectedOrg:
        """What a sign-in is to lead to."""
        from runner.login.complete import ExpectedOrg

        return ExpectedOrg(self.connection.environment, self.login_command, self.connection.org_id)


def named(
    job: Path | None,
    *,
    environment: str | None = None,
    domain: str | None = None,
    client_id: str | None = None,
    token: Path | None = None,
    grant: Grant | None = None,
) -> Named:
    """The connection that a job or the options name.

    Raises:
        JobError: the job's connection is wrong.
        UsageError: nothing says where the token is.
    """
    from dataclasses import replace

    from runner.credentials import SecretReference
    from runner.errors import UsageError
    from runner.job.model import Connection, Environment
    from runner.runs.token_stores import reference_instead
    from runner.runs.wiring import loaded_connection

    told = {
        "environment": _environment(environment),
        "domain": domain,
        "client_id": client_id,
        "auth": grant,
        "token": SecretReference(path=token.expanduser().absolute()) if token else None,
    }
    told["token"] = told["token"] or reference_instead(os.environ)
    given: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    if job is None and "token" not in given:
        raise UsageError("Which token?", hint="Name a job file, or a token file with `--token`.")
    base = loaded_connection(job) if job is not None else Connection(Environment.LIVE)
    connection = replace(base, **given)
    words = _again(job, connection, given, grant)
    return Named(connection, shlex.join(["runner", "login", *words]))


def _again(
    job: Path | None, connection: Connection, given: dict[str, Any], grant: Grant | None
) -> list[str]:
    """The words that sign in the same way again."""
    told: list[tuple[str, object]] = []
    if job is None:
        told.append(("--environment", connection.environment))
    told += [
        (f"--{name.replace('_', '-')}", given[name]) for name in ("domain", "client_id")
        if name in given
    ]  # fmt: skip
    token = given.get("token")
    if token is not None and token.path is not None:
        told.append(("--token", token.path))
    words = [str(word) for pair in told for word in pair]
    return [*_grant_words(grant), *words, *([str(job)] if job is not None else [])]


def _grant_words(grant: Grant | None) -> list[str]:
    from runner.credentials import JwtBearer

    if grant is None:
        return []
    if isinstance(grant, JwtBearer):
        return ["--jwt", "--username", grant.username, *_place_words("key", grant.key)]
    return ["--client-credentials", *_place_words("secret", grant.secret)]


def _place_words(name: str, reference: SecretReference) -> list[str]:
    if reference.env is not None:
        return [f"--{name}-env", reference.env]
    if reference.command is not None:
        return [f"--{name}-command", shlex.join(reference.command)]
    return [f"--{name}-file", str(reference.path)]


def _environment(name: str | None) -> Environment | None:
    from runner.errors import UsageError
    from runner.job.model import Environment

    if name is None:
        return None
    if name not in set(Environment):
        raise UsageError(f"There is no environment {name!r}.", hint="Write live or sandbox.")
    return Environment(name)


def grant_of(
    *, jwt: bool, client_credentials: bool, username: str | None, key: Place, secret: Place
) -> Grant | None:
    """The flow that options tell; None for one where a person or a token is needed.

    Raises:
        UsageError: they contradict, or say too little.
    """
    from runner.credentials import ClientCredentials, JwtBearer
    from runner.errors import UsageError

    key_place, secret_place = key.reference("key"), secret.reference("secret")
    if not jwt and (username or key_place):
        raise UsageError("--username and --key-… go with --jwt.")
    if not client_credentials and secret_place:
        raise UsageError("--secret-… goes with --client-credentials.")
    if jwt:
        if username is None or key_place is None:
            raise UsageError(
                "A JWT sign-in needs a user and the app's private key.",
                hint="Give `--username NAME` and `--key-file PATH`, `--key-env NAME` or "
                "`--key-command COMMAND`.",
            )
        return JwtBearer(username, key_place)
    if client_credentials:
        if secret_place is None:
            raise UsageError(
                "A client credentials sign-in needs the app's secret, by reference.",
                hint="Give `--secret-env NAME`, `--secret-file PATH` or `--secret-command WORDS`.",
            )
        return ClientCredentials(secret_place)
    return None


def check_one_flow(**flows: bool) -> None:
    """Refuse two flows at once.

    Raises:
        UsageError: two are asked for.
    """
    from runner.errors import UsageError

    asked = [f"--{name.replace('_', '-')}" for name, on in flows.items() if on]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} are two ways to sign in; give one.")


def seed_from_grant(connection: Connection) -> Token:
    """A token that signs in by itself.

    Raises:
        UsageError: the connection does not name the app.
    """
    from runner.runs.token_stores import seed_of

    check_client(connection)
    seed = seed_of(connection)
    assert seed is not None  # noqa: S101 - the caller has seen that there is a grant
    return seed


def token_given(connection: Connection, mend: str) -> Token:
    """The token on standard input: a token file's text, a sign-in URL, or an access token.

    Raises:
        SignInError: it is none of them.
    """
    from getpass import getpass

    from runner.credentials import Secret
    from runner.runs.token_stores import instance_url
    from runner.state.tokens.parsing import token_of

    text = Secret(getpass("Token: ") if sys.stdin.isatty() else sys.stdin.read(1 << 20).strip())
    return token_of(
        text.reveal(),
        origin="standard input",
        login_command=mend,
        instance_url=instance_url(connection),
    )


def token_of_cli(alias: str, mend: str) -> Token:
    """The sign-in that the Salesforce CLI has under an alias.

    Raises:
        SignInError: it has none that can be taken over.
    """
    from runner.login.salesforce_cli import auth_url
    from runner.state.tokens.parsing import token_of

    url = auth_url(alias, os.environ)
    return token_of(url.reveal(), origin="the Salesforce CLI", login_command=mend)


def browser_plan(named: Named, port: int, timeout_seconds: float) -> SignInRequest:
    """The way through the browser.

    Raises:
        UsageError: the connection names no app.
    """
    from runner.login.web import SignInRequest
    from runner.salesforce.http.hosts import login_url

    client_id = check_client(named.connection)
    return SignInRequest(
        named.wanted,
        login_url(named.connection),
        client_id,
        port=port,
        timeout_seconds=timeout_seconds,
    )


def check_client(connection: Connection) -> str:
    """The app's consumer key.

    Raises:
        UsageError: the connection names none.
    """
    from runner.errors import UsageError

    if connection.client_id is None:
        raise UsageError(
            "The connection names no External Client App.",
            hint="Write its consumer key as `client_id` in the connection, or give `--client-id`; "
            "the docs say how to create one.",
        )
    return connection.client_id

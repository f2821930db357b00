"""What to sign in to, and how: from a job and the options of `runner login` and `logout`.

Knows how options name a connection, a secret and a flow. Knows nothing of what the org answers.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runner.cli.settings import state_folder, token_override, user_state

if TYPE_CHECKING:
    from runner.credentials import Grant, SecretReference, Token
    from runner.job.model import Connection, Environment
    from runner.job.permissions import Permissions
    from runner.login.logout import SavedToken
    from runner.login.web import SignInRequest
    from runner.salesforce.expected_org import ExpectedOrg


class SecretOption(Struct, frozen=True):
    """A secret by reference, from up to one of three options."""

    file: Path | None = None
    env: str | None = None
    command: str | None = None

    def reference(self, name: str) -> SecretReference | None:
        """The reference; None without any of the options.

        Args:
            name: What the options start with, `key` for `--key-file`.

        Raises:
            UsageError: Two are given, or a command that a shell could not parse.
        """
        from runner.credentials import SecretReference
        from runner.errors import UsageError

        given = [each for each in (self.file, self.env, self.command) if each is not None]
        if len(given) > 1:
            raise UsageError(f"Use only one of --{name}-file, --{name}-env and --{name}-command.")
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
            raise UsageError(f"--{name}-command is not a command.", hint="Quote it as one word.")
        return SecretReference(command=words)


class ConnectionOption(Struct, frozen=True):
    """The connection that a job and options name."""

    connection: Connection
    login_command: str
    """The command that signs in to it again."""

    @property
    def expected(self) -> ExpectedOrg:
        """What the sign-in must lead to."""
        from runner.salesforce.expected_org import ExpectedOrg

        return ExpectedOrg.of(self.connection, self.login_command, at_sign_in=True)


def sign_in_target(
    job: Path | None,
    permitted: Permissions,
    *,
    target: str | None = None,
    environment: str | None = None,
    domain: str | None = None,
    client_id: str | None = None,
    token: Path | None = None,
    grant: Grant | None = None,
) -> ConnectionOption:
    """The connection that a job or the options name.

    Raises:
        JobError: The job's connection is wrong.
        UsageError: Neither a job nor a token file is given, the job runs on the local org, or the
            domain is not of an org.
    """
    from msgspec.structs import replace

    from runner.credentials import SecretReference
    from runner.errors import UsageError
    from runner.job.model import Connection, Environment
    from runner.runs.wiring import load_connection
    from runner.salesforce.http.hosts import check_may_have_secrets, login_url

    options = {
        "environment": _environment(environment),
        "domain": domain,
        "client_id": client_id,
        "auth": grant,
        "token": SecretReference(path=token.expanduser().absolute()) if token else None,
    }
    options["token"] = options["token"] or token_override()
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if job is None and "token" not in given:
        raise UsageError(
            "No job or token file given.", hint="Name a job, or a token file with `--token`."
        )
    base = (
        load_connection(job, permitted, target) if job is not None else Connection(Environment.LIVE)
    )
    connection = replace(base, **given)
    is_local = connection.environment is Environment.LOCAL
    if is_local and connection.url is None and connection.token is None:
        raise UsageError(
            "The local org needs no sign-in.",
            hint="`runner run JOB` starts it.",
        )
    if connection.domain is not None and not is_local:
        check_may_have_secrets(login_url(connection), permitted.hosts)
    words = _login_words(job, connection, given, grant)
    return ConnectionOption(connection, shlex.join(["runner", "login", *words]))


def checked_token_place(target: ConnectionOption) -> SavedToken:
    """Where the token will be stored; checked before anybody signs in."""
    store = token_place(target)
    store.check_writable()
    return store


def token_place(target: ConnectionOption) -> SavedToken:
    """Where the token is stored.

    Raises:
        UsageError: In a variable or a command, which cannot store a token.
        JobError: In the state, and the project's file is wrong.
    """
    from runner.credentials import SecretReference
    from runner.runs.wiring import stored_token

    reference, own = target.connection.token or SecretReference(), user_state()
    state = own if reference.state is None else state_folder(None)
    return stored_token(reference, target.login_command, state, own.locks if own else None)


def _login_words(
    job: Path | None, connection: Connection, given: dict[str, Any], grant: Grant | None
) -> list[str]:
    """The words that sign in the same way again."""
    options: list[tuple[str, object]] = []
    if job is None:
        options.append(("--environment", connection.environment))
    options += [
        (f"--{name.replace('_', '-')}", given[name]) for name in ("domain", "client_id")
        if name in given
    ]  # fmt: skip
    token = given.get("token")
    if token is not None and token.path is not None:
        options.append(("--token", token.path))
    words = [str(word) for pair in options for word in pair]
    of_target = ["--target", connection.target] if connection.target else []
    named = [] if job is None else [str(job), *of_target]
    return [*_grant_words(grant), *words, *named]


def _grant_words(grant: Grant | None) -> list[str]:
    from runner.credentials import JwtBearer

    if grant is None:
        return []
    if isinstance(grant, JwtBearer):
        words = ["--jwt", "--username", grant.username, *_reference_words("key", grant.key)]
        if grant.passphrase is not None:
            words += _reference_words("passphrase", grant.passphrase)
        return words
    return ["--client-credentials", *_reference_words("secret", grant.secret)]


def _reference_words(name: str, reference: SecretReference) -> list[str]:
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
        raise UsageError(f"There is no environment {name!r}.", hint="Use live or sandbox.")
    return Environment(name)


def grant_of(
    *,
    jwt: bool,
    client_credentials: bool,
    username: str | None,
    key: SecretOption,
    secret: SecretOption,
    passphrase_env: str | None = None,
) -> Grant | None:
    """The unattended flow that the options choose; None if a person or a token is needed.

    Raises:
        UsageError: They contradict each other, or an option is missing.
    """
    from runner.credentials import ClientCredentials, JwtBearer, SecretReference
    from runner.errors import UsageError

    key_reference, secret_reference = key.reference("key"), secret.reference("secret")
    if not jwt and (username or key_reference or passphrase_env):
        raise UsageError("--username, --key-… and --passphrase-env need --jwt.")
    if not client_credentials and secret_reference:
        raise UsageError("--secret-… needs --client-credentials.")
    if jwt:
        if username is None or key_reference is None:
            raise UsageError(
                "A JWT sign-in needs a user and the app's private key.",
                hint="Add `--username NAME` and `--key-file PATH`, `--key-env NAME` or "
                "`--key-command COMMAND`.",
            )
        passphrase = SecretReference(env=passphrase_env) if passphrase_env else None
        return JwtBearer(username, key_reference, passphrase)
    if client_credentials:
        if secret_reference is None:
            raise UsageError(
                "A client credentials sign-in needs the app's secret, by reference.",
                hint="Add `--secret-env NAME`, `--secret-file PATH` or `--secret-command COMMAND`.",
            )
        return ClientCredentials(secret_reference)
    return None


def check_one_flow(**flows: bool) -> None:
    """Refuse two flows at once.

    Raises:
        UsageError: Two are chosen.
    """
    from runner.errors import UsageError

    chosen = [f"--{name.replace('_', '-')}" for name, on in flows.items() if on]
    if len(chosen) > 1:
        raise UsageError(f"{' and '.join(chosen)} are different ways to sign in; use only one.")


def seed_from_grant(connection: Connection) -> Token:
    """A token that signs in by itself.

    Raises:
        UsageError: The connection does not name the app.
    """
    from runner.runs.wiring import seed_of

    check_client(connection)
    seed = seed_of(connection)
    assert seed is not None  # noqa: S101 - the caller has checked that there is a grant
    return seed


def token_from_stdin(connection: Connection, command: str) -> Token:
    """The token on standard input: a token file's text, a sign-in URL, or an access token.

    Raises:
        SignInError: It is none of them.
    """
    from getpass import getpass

    from runner.credentials import Secret
    from runner.runs.wiring import instance_url
    from runner.state.tokens.parsing import parse_token

    text = Secret(getpass("Token: ") if sys.stdin.isatty() else sys.stdin.read(1 << 20).strip())
    return parse_token(
        text.reveal(),
        origin="standard input",
        login_command=command,
        instance_url=instance_url(connection),
    )


def token_from_cli(alias: str, command: str) -> Token:
    """The sign-in that the Salesforce CLI has under an alias.

    Raises:
        SignInError: It has none that can be imported.
    """
    from runner.login.salesforce_cli import auth_url
    from runner.state.tokens.parsing import parse_token

    url = auth_url(alias, os.environ)
    return parse_token(url.reveal(), origin="the Salesforce CLI", login_command=command)


def browser_request(target: ConnectionOption, port: int, timeout_seconds: float) -> SignInRequest:
    """How to sign in with the browser.

    Raises:
        UsageError: The connection does not name the app.
    """
    from runner.login.web import SignInRequest
    from runner.salesforce.http.hosts import login_url

    client_id = check_client(target.connection)
    return SignInRequest(
        target.expected,
        login_url(target.connection),
        client_id,
        port=port,
        timeout_seconds=timeout_seconds,
    )


def check_client(connection: Connection) -> str:
    """The app's consumer key.

    Raises:
        UsageError: The connection does not name it.
    """
    from runner.errors import UsageError

    if connection.client_id is None:
        raise UsageError(
            "The connection names no External Client App.",
            hint="Write its consumer key as `client_id` in the connection, or add `--client-id`; "
            "the docs explain how to create one.",
        )
    return connection.client_id

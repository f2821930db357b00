"""Where a connection's token is: its reference, what the environment says instead, or a sign-in.

Knows the variables and builds the stores. Knows nothing of what is asked of the org.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.credentials import SecretReference, Token
    from runner.job.model import Connection
    from runner.login.logout import SavedToken
    from runner.salesforce.session import TokenStore

TOKEN = "SFRUNNER_TOKEN"  # noqa: S105 - a variable's name
TOKEN_FILE = "SFRUNNER_TOKEN_FILE"  # noqa: S105
TOKEN_COMMAND = "SFRUNNER_TOKEN_COMMAND"  # noqa: S105


def login_command(job_file: Path) -> str:
    """What to type to sign this job's connection in."""
    return f"runner login {shlex.quote(str(job_file))}"


def token_store(connection: Connection, mend: str) -> TokenStore:
    """Where a connection's token is.

    Args:
        connection: Names the place; a variable of the environment beats it.
        mend: The command that makes a token, for messages.

    Raises:
        SignInError: there is none, or its variable or command gives none.
        UsageError: two variables say two places.
    """
    from runner.errors import SignInError

    instead = reference_instead(os.environ)
    seed = None if instead else seed_of(connection)
    reference = instead or connection.token
    if reference is not None:
        return store_of(reference, connection, mend, seed)
    if seed is None:
        raise SignInError(
            "The connection names no token.",
            hint=f"Add `token: tokens/{connection.environment}.json` to it, then run `{mend}`.",
        )
    from runner.state.tokens.parsing import FixedToken

    return FixedToken(seed, origin="the connection's auth")


def store_of(
    reference: SecretReference, connection: Connection, mend: str, seed: Token | None = None
) -> TokenStore:
    """The store that a reference means.

    Raises:
        SignInError: a variable or command gives no token.
    """
    if reference.path is not None or reference.keyring is not None:
        return kept_store_of(reference, mend, seed)
    from runner.job.secrets import read_secret
    from runner.state.tokens.parsing import FixedToken, token_of

    origin = str(reference)
    token = token_of(
        read_secret(reference).reveal(),
        origin=origin,
        login_command=mend,
        instance_url=instance_url(connection),
    )
    return FixedToken(token, origin=origin)


def kept_store_of(reference: SecretReference, mend: str, seed: Token | None = None) -> SavedToken:
    """The store of a token that outlives this process.

    Raises:
        UsageError: a variable or a command keeps nothing.
        StateError: the library of the keyring is missing.
    """
    from runner.errors import UsageError

    if reference.path is not None:
        from runner.state.tokens.file import TokenFile

        return TokenFile(reference.path, login_command=mend, key=reference.key, seed=seed)
    if reference.keyring is not None:
        from runner.state.paths import StateFolder, state_root
        from runner.state.tokens.keyring import KeyringToken

        locks = StateFolder(state_root(None, os.environ)).locks
        return KeyringToken(reference.keyring, login_command=mend, lock_folder=locks, seed=seed)
    raise UsageError(
        "The connection's token is not a file.",
        hint="Write `token: tokens/NAME.json` in the connection, or give `--token`.",
    )


def reference_instead(environ: Mapping[str, str]) -> SecretReference | None:
    """The place that the environment names instead of the connection's.

    Raises:
        UsageError: it names two.
    """
    from runner.credentials import SecretReference
    from runner.errors import UsageError

    told = {name: environ[name] for name in (TOKEN, TOKEN_FILE, TOKEN_COMMAND) if environ.get(name)}
    if len(told) > 1:
        raise UsageError(f"{' and '.join(told)} are both set.", hint="Set one of them only.")
    if TOKEN in told:
        return SecretReference(env=TOKEN)
    if TOKEN_FILE in told:
        return SecretReference(path=Path(told[TOKEN_FILE]).expanduser().absolute())
    if TOKEN_COMMAND not in told:
        return None
    try:
        return SecretReference(command=tuple(shlex.split(told[TOKEN_COMMAND])))
    except ValueError:
        raise UsageError(
            f"{TOKEN_COMMAND} has an unclosed quote.", hint="Write it as in a shell."
        ) from None


def seed_of(connection: Connection) -> Token | None:
    """What a connection that signs in by itself begins with; None for one that does not."""
    if connection.auth is None:
        return None
    from runner.credentials import Secret, Token
    from runner.salesforce.http.hosts import login_url

    url = login_url(connection)
    return Token(
        Secret(""),
        url,
        client_id=connection.client_id,
        login_url=url,
        grant=connection.auth,
    )


def instance_url(connection: Connection) -> str | None:
    """Where a lone access token belongs, as far as the connection tells."""
    from runner.salesforce.http.hosts import login_url

    known = connection.url is not None or connection.domain is not None
    return login_url(connection) if known else None

"""The end of every sign-in: is it the org that was meant, whose token is it, and then keep it.

Knows when to refuse and take back a token. Knows nothing of how it was had.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.credentials import Token
from runner.errors import SignInError
from runner.job.model import Environment, RetryPolicy
from runner.login.checks import check_environment, check_identity
from runner.login.logout import sign_out
from runner.salesforce import versions
from runner.salesforce.http.retry import Retrier
from runner.salesforce.http.transport import Transport
from runner.salesforce.identity import Identity, identity_of
from runner.salesforce.session import Session, TokenStore
from runner.state.tokens.parsing import FixedToken


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a sign-in is to lead to."""

    environment: Environment
    login_command: str
    """What to type to sign in again, for messages."""
    org_id: str | None = None
    """The org that the job insists on; 15 or 18 characters."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in that succeeded."""

    token: Token
    identity: Identity


def keep(  # noqa: PLR0913 - what is kept, where, and what is known of it
    wanted: Wanted,
    transport: Transport,
    store: TokenStore | None,
    token: Token,
    *,
    identity_url: str = "",
    ours: bool = True,
) -> SignedIn:
    """Check whose token it is, and keep it.

    Args:
        wanted: The org that was meant.
        transport: Sends to the org.
        store: Keeps the token; None where nothing is to be kept.
        token: One with or without an access token; a first one is asked for then.
        identity_url: The token answer's `id`.
        ours: Whether nobody else uses this sign-in, so that a wrong one is taken back.

    Raises:
        SignInError: The token is worthless, or of another org; it is revoked then if it is ours.
        TransportError: The org cannot be reached.
        StateError: The token cannot be kept.
    """
    memory = FixedToken(token, origin="the sign-in just made")
    try:
        if token.access_token:
            check_environment(wanted.environment, token.instance_url, identity_url)
        session = Session(
            transport, memory, Retrier(RetryPolicy()), login_command=wanted.login_command
        )
        check_environment(wanted.environment, session.instance_url, identity_url)
        session.api_version = versions.choose(None, versions.served(session)).version
        identity = identity_of(session)
        check_identity(wanted.environment, wanted.org_id, identity)
    except SignInError:
        if ours and memory.load().access_token:
            sign_out(transport, memory.load())  # nobody asked for a sign-in to that org
        raise
    token = replace(
        memory.load(),
        username=identity.username,
        user_id=identity.user_id,
        org_id=identity.org_id,
    )
    if store is not None:
        with store.locked():
            store.save(token)
    return SignedIn(token, identity)

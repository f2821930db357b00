"""Completes every sign-in: checks the org and the user, then saves the token.

Knows when to refuse and revoke a token. Knows nothing of how it was obtained.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from runner.credentials import Token
from runner.errors import SignInError
from runner.job.model import RetryPolicy
from runner.login.logout import sign_out
from runner.salesforce import versions
from runner.salesforce.expected_org import ExpectedOrg
from runner.salesforce.http.retry import Retrier
from runner.salesforce.http.transport import Transport
from runner.salesforce.identity import Identity, identity_of
from runner.salesforce.session import Session, TokenStore
from runner.state.tokens.parsing import FixedToken


class SignedIn(Struct, frozen=True):
    """A sign-in that succeeded."""

    token: Token
    identity: Identity


def complete(  # noqa: PLR0913 - what is saved, where, and what is known of it
    expected: ExpectedOrg,
    transport: Transport,
    store: TokenStore | None,
    token: Token,
    *,
    identity_url: str = "",
    ours: bool = True,
) -> SignedIn:
    """Check which org and user a token is for, and save it.

    Args:
        expected: The org it must be for.
        transport: Sends to the org.
        store: Saves the token; None to save nothing.
        token: The token; if it has no access token, a first one is requested.
        identity_url: The token answer's `id`.
        ours: Whether nobody else uses this sign-in, so that it is revoked if it is refused.

    Raises:
        SignInError: The org rejects the token, or it is for another org; it is revoked if `ours`.
        TransportError: The org cannot be reached.
        StateError: The token cannot be saved.
    """
    memory = FixedToken(token, origin="the sign-in just made")
    try:
        if token.access_token:
            expected.check_urls(token.instance_url, identity_url)
        session = Session(
            transport, memory, Retrier(RetryPolicy()), login_command=expected.login_command
        )
        expected.check_urls(session.instance_url, identity_url)
        session.api_version = versions.choose(None, versions.served(session))
        identity = identity_of(session)
        expected.check_identity(identity)
    except SignInError:
        if ours and memory.load().access_token:
            sign_out(transport, memory.load())  # nobody wants a sign-in to that org
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

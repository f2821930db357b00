"""Signs out: revokes the tokens at the org, then deletes the stored token.

Knows the order, and what is left to do by hand if the org cannot be reached. Knows nothing of
where the token is stored.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Protocol

from msgspec import Struct

from runner.credentials import JwtBearer, Token
from runner.errors import OrgError, UsageError
from runner.salesforce.auth import oauth
from runner.salesforce.http.error_bodies import error_of
from runner.salesforce.http.hosts import origin_of
from runner.salesforce.http.transport import Transport
from runner.salesforce.session import TokenStore


class SavedToken(TokenStore, Protocol):
    """A store that outlives this process, and can be deleted."""

    def check_writable(self) -> None:
        """Check, before anyone signs in, that a token can be saved here.

        Raises:
            SignInError: It must not be saved here.
            StateError: It cannot be saved here.
        """
        ...

    def remove(self) -> bool:
        """Delete it; return whether there was one."""
        ...


class Revoked(Struct, frozen=True):
    """Whether the tokens were revoked at the org."""

    problem: str | None = None
    """Why they may still be valid; None if they are not."""

    @property
    def done(self) -> bool:
        """Whether they are revoked."""
        return self.problem is None


class SignedOut(Struct, frozen=True):
    """A sign-in that was deleted from this machine."""

    token: Token
    """As it was, to say whose it was."""
    revoked: Revoked

    @property
    def remaining(self) -> str | None:
        """What is left to do by hand, if anything."""
        if self.revoked.done:
            return self._still_opens()
        whose = f"of {self.token.username} " if self.token.username else ""
        return (
            f"The sign-in {whose}is still valid at {self.token.instance_url}. End it there: the "
            "user in Settings > Connections > OAuth Connected Apps, or an admin in Setup > "
            "Connected Apps OAuth Usage."
        )

    def _still_opens(self) -> str | None:
        """What can still sign in although every token is revoked."""
        grant = self.token.grant
        if grant is None:
            return None
        if isinstance(grant, JwtBearer):
            what = f"the private key can still sign in as {grant.username}"
            end = "remove the certificate, or the user's permission to use the app"
        else:
            what = "the app's secret can still sign in"
            end = "rotate the secret, or clear the run-as user"
        return (
            f"Every token is revoked, but {what}. To end that too: Setup > External Client App "
            f"Manager > the app; {end}."
        )


def sign_out(transport: Transport, token: Token) -> Revoked:
    """Revoke the refresh token and the access token at the org.

    Both: without a refresh token nothing else ends the access token.
    """
    for secret in filter(None, (token.refresh_token, token.access_token)):
        try:
            login_url = origin_of(token.login_url or token.instance_url)
            response = transport.send(oauth.revoke(login_url, secret))
        except (OrgError, UsageError) as error:  # no answer, or no host that may have it
            return Revoked(error.message)
        # 400 is the answer for a token that is no longer valid.
        if not response.ok and response.status != HTTPStatus.BAD_REQUEST:
            return Revoked(error_of(response).message)
    return Revoked()


def log_out(store: SavedToken, transport: Transport) -> SignedOut:
    """Revoke the token of a store, then delete it, whatever the org answers.

    Raises:
        SignInError: There is no token, or none that can be used.
        StateError: The file cannot be deleted.
    """
    with store.locked():  # or a refresh might bring the file back
        token = store.load()
        revoked = sign_out(transport, token)
        store.remove()
    return SignedOut(token, revoked)

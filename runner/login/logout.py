"""Signing out: the tokens end at the org, then the file goes.

Knows the order, and what is left to do by hand when the org cannot be asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from runner.credentials import JwtBearer, Token
from runner.errors import TransportError
from runner.salesforce.auth import oauth
from runner.salesforce.http.error_bodies import error_of
from runner.salesforce.http.hosts import origin_of
from runner.salesforce.http.transport import Transport
from runner.salesforce.session import TokenStore


class KeptToken(TokenStore, Protocol):
    """A token that outlives this process, and can be deleted."""

    def check_place(self) -> None:
        """Find out, before anybody signs in, whether a token may be kept here.

        Raises:
            SignInError: It may not.
            StateError: It cannot.
        """
        ...

    def remove(self) -> bool:
        """Delete it; tell whether there was one."""
        ...


@dataclass(frozen=True, slots=True)
class Revoked:
    """What became of the tokens at the org."""

    problem: str | None = None
    """Why they are still valid there; None when they are not."""

    @property
    def done(self) -> bool:
        """Whether nothing of the sign-in is left at the org."""
        return self.problem is None


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What became of a sign-in whose file is gone."""

    token: Token
    """As it was, to say whose it was."""
    revoked: Revoked

    @property
    def remaining(self) -> str | None:
        """What is left to do by hand; None for nothing."""
        if self.revoked.done:
            return self._still_opens()
        whose = f"of {self.token.username} " if self.token.username else ""
        return (
            f"The sign-in {whose}is still valid at {self.token.instance_url}. End it there: the "
            "user in Settings > Connections > OAuth Connected Apps, or an admin in Setup > "
            "Connected Apps OAuth Usage."
        )

    def _still_opens(self) -> str | None:
        """What signs in again although every token is revoked."""
        grant = self.token.grant
        if grant is None:
            return None
        if isinstance(grant, JwtBearer):
            what = f"the private key still signs {grant.username} in"
            end = "remove the certificate, or the user's permission to use the app"
        else:
            what = "the app's secret still signs in"
            end = "rotate the secret, or clear the run-as user"
        return (
            f"No token is left, and {what}. To end that too: Setup > External Client App Manager "
            f"> the app; {end}."
        )


def sign_out(transport: Transport, token: Token) -> Revoked:
    """Revoke the refresh token and the access token at the org.

    The access token is revoked too: without a refresh token nothing else ends it.
    """
    login_url = origin_of(token.login_url or token.instance_url)
    for secret in filter(None, (token.refresh_token, token.access_token)):
        try:
            response = transport.send(oauth.revoke(login_url, secret))
        except TransportError as error:
            return Revoked(error.message)
        # 400 is the answer for a token that is worth nothing already.
        if not response.ok and response.status != HTTPStatus.BAD_REQUEST:
            return Revoked(error_of(response).message)
    return Revoked()


def log_out(store: KeptToken, transport: Transport) -> SignedOut:
    """Revoke what a store holds, then delete it, whatever the org answered.

    Raises:
        SignInError: There is no token, or none that may be used.
        StateError: The file cannot be deleted.
    """
    with store.locked():  # or a refresh might bring the file back
        token = store.load()
        revoked = sign_out(transport, token)
        store.remove()
    return SignedOut(token, revoked)

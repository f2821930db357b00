"""The token in use, and its renewal: one at a time, over threads and processes.

Knows when another has renewed it already, and that a new one is kept before it is used. Knows
nothing of the requests that need it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from threading import Lock
from typing import Protocol

from runner.credentials import Secret, Token
from runner.errors import SignInError, TransportError
from runner.salesforce import oauth
from runner.salesforce.hosts import origin_of
from runner.salesforce.retry import Retrier
from runner.salesforce.transport import Transport


class TokenStore(Protocol):
    """Where the token is kept, on this machine and between its processes."""

    def load(self) -> Token:
        """Read the token.

        Raises:
            SignInError: There is none, or it may not be used.
        """
        ...

    def save(self, token: Token) -> None:
        """Keep a token; once this returns it outlives the process."""
        ...

    def locked(self) -> AbstractContextManager[None]:
        """Keep other threads and processes from renewing the token meanwhile."""
        ...

    def describe(self) -> str:
        """Say where the token is, for messages."""
        ...


class LiveToken:
    """A token that several threads use and any of them may have to renew."""

    def __init__(self, transport: Transport, tokens: TokenStore, login_command: str) -> None:
        self.login_command = login_command
        self._transport = transport
        self._tokens = tokens
        self._token = tokens.load()
        self._renewing = Lock()

    @property
    def token(self) -> Token:
        """The token as it is now."""
        return self._token

    @property
    def place(self) -> str:
        """Where the token is kept, for messages."""
        return self._tokens.describe()

    def renew(self, stale: Secret, retrier: Retrier) -> bool:
        """Have another access token than this one.

        Returns:
            Whether the org was asked for it; False where another thread or process had been there.

        Raises:
            SignInError: The org gives none; the hint says what to do.
            TransportError: The org cannot be reached to ask.
        """
        with self._renewing:
            if self._token.access_token != stale:
                return False
            with self._tokens.locked():
                stored = self._tokens.load()
                if stored.access_token != stale:
                    self._token = stored
                    return False
                token = self._refreshed(stored, retrier)
                # Where refresh tokens rotate the old one is dead by now: first keep, then use.
                self._tokens.save(token)
                self._token = token
                return True

    def _refreshed(self, stored: Token, retrier: Retrier) -> Token:
        if stored.refresh_token is None or stored.client_id is None:
            raise SignInError(
                f"The org no longer takes the access token of {self.place}, "
                "and there is no refresh token to renew it with",
                hint=f"Run `{self.login_command}`.",
            )
        client = oauth.Client(origin_of(stored.login_url or stored.instance_url), stored.client_id)
        request = oauth.refresh(client, stored.refresh_token)
        try:
            response = retrier.send(lambda: self._transport.send(request), request)
            return oauth.token_of(response, client, previous=stored)
        except TransportError as error:
            # Said of the refresh only: the request that waits for it was not carried out.
            raise TransportError(
                f"The access token could not be renewed: {error.message}",
                may_have_arrived=False,
                hint=f"Try again; if the org then refuses, `{self.login_command}`.",
            ) from error
        except SignInError as error:
            hint = (error.hint or "").replace("runner login", self.login_command)
            raise SignInError(f"{error.message} ({self.place})", hint=hint) from error

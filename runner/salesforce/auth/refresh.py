"""The token in use, and its renewal: one at a time, over threads and processes.

Knows when another process has renewed it already, and that a new one is saved before it is used.
Knows nothing of the requests that need it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from threading import Lock
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from runner.credentials import Secret, Token
from runner.errors import SignInError, TransportError
from runner.salesforce.auth import oauth
from runner.salesforce.auth.grants import can_renew, client_of, lost_sign_in, renewal_request
from runner.salesforce.auth.hints import is_dead
from runner.salesforce.http.error_bodies import faults_of
from runner.salesforce.http.hosts import origin_of
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.http.retry import Retrier
from runner.salesforce.http.transport import Transport


class TokenStore(Protocol):
    """Where the token is stored, shared by the processes of this machine."""

    def load(self) -> Token:
        """Read the token.

        Raises:
            SignInError: There is none, or it may not be used.
        """
        ...

    def save(self, token: Token) -> None:
        """Save a token; once this returns it outlives the process."""
        ...

    def locked(self) -> AbstractContextManager[None]:
        """Prevent other threads and processes from renewing the token meanwhile."""
        ...

    def describe(self) -> str:
        """Say where the token is, for messages."""
        ...


class Access(Struct, frozen=True):
    """A token, and what each request needs of it."""

    token: Token
    origin: str
    """Of the org."""
    authorization: Secret
    """The `Authorization` header."""


class LiveToken:
    """A token that several threads use and any of them may have to renew."""

    access: Access
    """As it is now."""

    def __init__(
        self, transport: Transport, tokens: TokenStore, retrier: Retrier, login_command: str
    ) -> None:
        """Load the token; sign in where there is no access token yet.

        Raises:
            SignInError: There is no token that may be used, or the org refuses.
            TransportError: The org cannot be reached.
        """
        self.login_command = login_command
        self._transport = transport
        self._tokens = tokens
        self._renewing = Lock()
        self._token = tokens.load()
        if self._token.access_token:
            self._use(self._token)
        else:
            self.renew(self._token.access_token, retrier)

    @property
    def place(self) -> str:
        """Where the token is stored, for messages."""
        return self._tokens.describe()

    def renew(self, stale: Secret, retrier: Retrier) -> bool:
        """Replace this access token.

        Returns:
            Whether the org was asked; False where another thread or process had renewed it.

        Raises:
            SignInError: The org grants none; the hint says what to do.
            TransportError: The org cannot be reached.
        """
        with self._renewing:
            if self._token.access_token != stale:
                return False
            with self._tokens.locked():
                stored = self._tokens.load()
                if stored.access_token != stale:
                    self._use(stored)
                    return False
                token = self._renewed(stored, retrier)
                # Where refresh tokens rotate the old one is dead by now: save first, then use.
                self._tokens.save(token)
                self._use(token)
                return True

    def _use(self, token: Token) -> None:
        authorization = Secret(f"Bearer {token.access_token.reveal()}")
        self.access = Access(token, origin_of(token.instance_url), authorization)
        self._token = token

    def _renewed(self, stored: Token, retrier: Retrier) -> Token:
        if not can_renew(stored):
            raise SignInError(
                f"The org rejected the access token in {self.place}, and there is no refresh token",
                hint=f"Run `{self.login_command}`.",
            )
        try:
            client = client_of(stored)
            request = renewal_request(stored, client)
            response = self._asked(stored, request, retrier)
            self._explain_a_lost_sign_in(stored, response)
            return oauth.token_of(response, client, previous=stored)
        except TransportError as error:
            # True of the refresh only: the request that waits for it was not sent.
            raise TransportError(
                f"The access token could not be renewed: {error.message}",
                may_have_arrived=False,
                hint=f"Try again; if the org then refuses, run `{self.login_command}`.",
            ) from error
        except SignInError as error:
            hint = (error.hint or "").replace("runner login", self.login_command)
            # A first sign-in has no place yet.
            where = f" ({self.place})" if stored.access_token else ""
            raise SignInError(f"{error.message}{where}", hint=hint) from error

    def _asked(self, stored: Token, request: OrgRequest, retrier: Retrier) -> OrgResponse:
        """Ask the org; where that may use up a refresh token, first save that it is being asked.

        If this process dies before the answer is saved, the next one can say what happened. It
        also shows that the token can be written before the old one is used up.
        """
        if stored.grant is None and stored.access_token:
            self._tokens.save(replace(stored, renewal_began=datetime.now(UTC)))
        return retrier.send(lambda: self._transport.send(request), request)

    def _explain_a_lost_sign_in(self, stored: Token, response: OrgResponse) -> None:
        found = () if response.ok or stored.grant else faults_of(response)
        if not found or found[0].code != "invalid_grant" or not is_dead(found[0].message):
            return
        why = lost_sign_in(stored, self.place)
        if why is not None:
            raise SignInError(
                f"The org refused the sign-in: {found[0].code}: {found[0].message}. {why}",
                hint="Sign in again with `runner login`.",
            )

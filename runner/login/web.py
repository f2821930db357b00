"""Signs in through the browser: authorize, receive a code, exchange it for a token, save that.

Knows the order of the steps and which answers to refuse. Knows nothing of terminals: what shows
the URL, opens the browser or reads the pasted URL is passed in.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from runner.credentials import Secret, Token
from runner.errors import RunnerError, SignInError
from runner.login.callback import (
    AccessDeniedError,
    Callback,
    code_of,
    pasted_callback,
    redirect_uri,
)
from runner.login.complete import SignedIn, complete
from runner.login.listener import DEFAULT_PORT, LINGER_SECONDS, Listener, listening
from runner.login.pages import SignInEnd, Status
from runner.login.pkce import Proof, new_state
from runner.salesforce.auth import oauth
from runner.salesforce.expected_org import ExpectedOrg
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.transport import Transport
from runner.salesforce.session import TokenStore

TIMEOUT_SECONDS = 120.0


class SignInRequest(Struct, frozen=True):
    """Where to sign in, as which app, and the org it must lead to."""

    expected: ExpectedOrg
    login_url: str
    """Origin, for example `https://login.salesforce.com`."""
    client_id: str
    port: int = DEFAULT_PORT
    timeout_seconds: float = TIMEOUT_SECONDS
    linger_seconds: float = LINGER_SECONDS
    """How long the last page stays available to a browser that has not fetched it."""


class _Authorization(Struct, frozen=True):
    """One request to the authorize page."""

    client: oauth.Client
    redirect_uri: str
    proof: Proof
    state: str

    @classmethod
    def new(cls, request: SignInRequest, callback: str) -> _Authorization:
        client = oauth.Client(request.login_url, request.client_id)
        return cls(client, callback, Proof.new(), new_state())

    @property
    def url(self) -> str:
        return oauth.authorize_url(
            self.client,
            redirect_uri=self.redirect_uri,
            state=self.state,
            code_challenge=self.proof.challenge,
        )


def sign_in(
    request: SignInRequest,
    transport: Transport,
    store: TokenStore,
    *,
    present: Callable[[str], None],
) -> SignedIn:
    """Sign in through a browser on this machine.

    Args:
        request: Where, as which app, for which org.
        transport: Sends to the org.
        store: Saves the token.
        present: Shows the URL to the user, and opens the browser.

    Raises:
        SignInError: Denied, timed out, port in use, the answer to another sign-in, or another org
            than expected.
        TransportError: The org cannot be reached.
        StateError: The token cannot be saved.
    """
    _check_lock(store)
    with listening(request.port) as listener:
        authorization = _Authorization.new(request, listener.redirect_uri)
        present(authorization.url)
        callback = listener.wait(request.timeout_seconds)
        if callback is None:
            raise _timed_out(request, authorization.redirect_uri)
        return _finish_in_browser(
            listener, request, lambda: _finish(request, transport, store, authorization, callback)
        )


def sign_in_by_paste(
    request: SignInRequest, transport: Transport, store: TokenStore, *, ask: Callable[[str], str]
) -> SignedIn:
    """Sign in through a browser on any machine, whose last URL is pasted here.

    Args:
        request: As for `sign_in`; its port is not opened.
        transport: Sends to the org.
        store: Saves the token.
        ask: Shows the URL to the user and returns the pasted one.

    Raises:
        SignInError: As for `sign_in`, or the pasted text is not the URL.
        TransportError: The org cannot be reached.
        StateError: The token cannot be saved.
    """
    _check_lock(store)
    authorization = _Authorization.new(request, redirect_uri(request.port))
    callback = pasted_callback(ask(authorization.url))
    return _finish(request, transport, store, authorization, callback)


def _check_lock(store: TokenStore) -> None:
    """Fail before the user does anything if the token's folder is read-only."""
    with store.locked():
        pass


def _finish_in_browser(
    listener: Listener, request: SignInRequest, finish: Callable[[], SignedIn]
) -> SignedIn:
    """Finish, and show in the browser how it ended."""
    try:
        signed_in = finish()
    except RunnerError as error:
        denied = isinstance(error, AccessDeniedError)
        end = SignInEnd(Status.REFUSED if denied else Status.FAILED)
        listener.finish(end, request.linger_seconds)
        raise
    listener.finish(SignInEnd(Status.DONE, signed_in.identity.username), request.linger_seconds)
    return signed_in


def _finish(
    request: SignInRequest,
    transport: Transport,
    store: TokenStore,
    authorization: _Authorization,
    callback: Callback,
) -> SignedIn:
    code = code_of(callback, authorization.state)
    token, identity_url = _exchange(transport, authorization, code)
    return complete(request.expected, transport, store, token, identity_url=identity_url)


def _exchange(
    transport: Transport, authorization: _Authorization, code: Secret
) -> tuple[Token, str]:
    """Exchange the code for a token, and the identity URL that comes with it."""
    response = transport.send(
        oauth.code_exchange(
            authorization.client,
            redirect_uri=authorization.redirect_uri,
            code=code,
            code_verifier=authorization.proof.verifier,
        )
    )
    token = oauth.token_of(response, authorization.client)
    return token, read_json(response, oauth.TokenAnswer).id or ""


def _timed_out(request: SignInRequest, callback: str) -> SignInError:
    return SignInError(
        f"The sign-in in the browser was not finished within {request.timeout_seconds:g} s.",
        hint="Run the command again. If the browser showed an error of Salesforce:\n"
        f"- redirect_uri_mismatch: register exactly {callback} in the app, port included.\n"
        "- OAUTH_APP_BLOCKED, OAUTH_APP_ACCESS_DENIED: an admin must allow the app, and this user, "
        "in Setup.\n"
        "- OAUTH_EC_APP_NOT_FOUND, app not installed: install the External Client App in this "
        "org; a sandbox needs its own.\n"
        "- client identifier invalid: check `client_id`; a new app takes up to 10 minutes.\n"
        "If the browser is on another machine, use `--no-browser`.",
    )

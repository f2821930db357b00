"""The sign-in in the browser: authorize, come back with a code, trade it for a token, keep that.

Knows the order of the steps and when to refuse what came back. Knows nothing of terminals: who
shows the address, opens the browser or reads what is pasted is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runner.credentials import Secret, Token
from runner.errors import RunnerError, SignInError
from runner.login.callback import Callback, RefusedError, code_of, pasted_callback, redirect_uri
from runner.login.complete import SignedIn, Wanted, keep
from runner.login.listener import DEFAULT_PORT, FAREWELL_SECONDS, Listener, listening
from runner.login.pages import Ending, Verdict
from runner.login.pkce import Proof, new_state
from runner.salesforce.auth import oauth
from runner.salesforce.http.transport import Transport
from runner.salesforce.session import TokenStore

TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class SignInPlan:
    """How to get to the page, and what a sign-in is to lead to."""

    wanted: Wanted
    login_url: str
    """Origin, `https://login.salesforce.com` for one."""
    client_id: str
    port: int = DEFAULT_PORT
    timeout_seconds: float = TIMEOUT_SECONDS
    farewell_seconds: float = FAREWELL_SECONDS
    """How long the last page is kept for a browser that does not fetch it."""


@dataclass(frozen=True, slots=True)
class _Question:
    """One trip to the authorize page."""

    client: oauth.Client
    redirect_uri: str
    proof: Proof
    state: str

    @classmethod
    def new(cls, plan: SignInPlan, callback: str) -> _Question:
        client = oauth.Client(plan.login_url, plan.client_id)
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
    plan: SignInPlan, transport: Transport, store: TokenStore, *, present: Callable[[str], None]
) -> SignedIn:
    """Sign in through a browser on this machine.

    Args:
        plan: Where, as which app, for which org.
        transport: Sends to the org.
        store: Keeps the token.
        present: Shows the address to the person, and opens the browser.

    Raises:
        SignInError: Refused, out of time, the port taken, the answer to another sign-in, or an
            org other than the plan's.
        TransportError: The org cannot be reached.
        StateError: The token cannot be kept.
    """
    _check_that_it_can_be_kept(store)
    with listening(plan.port) as listener:
        question = _Question.new(plan, listener.redirect_uri)
        present(question.url)
        callback = listener.wait(plan.timeout_seconds)
        if callback is None:
            raise _timed_out(plan, question.redirect_uri)
        return _concluded(
            listener, plan, lambda: _finish(plan, transport, store, question, callback)
        )


def sign_in_by_paste(
    plan: SignInPlan, transport: Transport, store: TokenStore, *, ask: Callable[[str], str]
) -> SignedIn:
    """Sign in through a browser on any machine, whose last address is copied back here.

    Args:
        plan: As for `sign_in`; nobody listens on its port.
        transport: Sends to the org.
        store: Keeps the token.
        ask: Shows the address to the person and gives what is pasted.

    Raises:
        SignInError: As for `sign_in`; what was pasted is not the address.
        TransportError: The org cannot be reached.
        StateError: The token cannot be kept.
    """
    _check_that_it_can_be_kept(store)
    question = _Question.new(plan, redirect_uri(plan.port))
    callback = pasted_callback(ask(question.url))
    return _finish(plan, transport, store, question, callback)


def _check_that_it_can_be_kept(store: TokenStore) -> None:
    """Fail before a person is asked for anything, where the token's folder is read-only."""
    with store.locked():
        pass


def _concluded(listener: Listener, plan: SignInPlan, finish: Callable[[], SignedIn]) -> SignedIn:
    """Finish, and let the browser show what came of it."""
    try:
        signed_in = finish()
    except RunnerError as error:
        refused = isinstance(error, RefusedError)
        verdict = Verdict(Ending.REFUSED if refused else Ending.FAILED)
        listener.conclude(verdict, plan.farewell_seconds)
        raise
    listener.conclude(Verdict(Ending.DONE, signed_in.identity.username), plan.farewell_seconds)
    return signed_in


def _finish(
    plan: SignInPlan,
    transport: Transport,
    store: TokenStore,
    question: _Question,
    callback: Callback,
) -> SignedIn:
    code = code_of(callback, question.state)
    token, identity_url = _exchanged(transport, question, code)
    return keep(plan.wanted, transport, store, token, identity_url=identity_url)


def _exchanged(transport: Transport, question: _Question, code: Secret) -> tuple[Token, str]:
    """Trade the code for a token and the identity URL that came with it."""
    response = transport.send(
        oauth.code_exchange(
            question.client,
            redirect_uri=question.redirect_uri,
            code=code,
            code_verifier=question.proof.verifier,
        )
    )
    token = oauth.token_of(response, question.client)
    return token, str(response.json_object().get("id") or "")


def _timed_out(plan: SignInPlan, callback: str) -> SignInError:
    return SignInError(
        f"Nobody finished the sign-in in the browser within {plan.timeout_seconds:g} seconds.",
        hint="Run the command again. Where the browser showed an error of Salesforce instead:\n"
        f"- redirect_uri_mismatch: register {callback} in the app, exactly so, port included.\n"
        "- OAUTH_APP_BLOCKED, OAUTH_APP_ACCESS_DENIED: an admin allows the app, and this user, in "
        "Setup.\n"
        "- OAUTH_EC_APP_NOT_FOUND, app not installed: install the External Client App in this "
        "org; a sandbox needs its own.\n"
        "- client identifier invalid: check `client_id`; a new app takes up to 10 minutes.\n"
        "Where the browser is on another machine: `--no-browser`.",
    )

"""A signed-in conversation with one org: every request with the token, replayed once when it dies.

Knows the API version. Knows nothing of what the requests
mean, nor how a token is kept and renewed: that is a LiveToken. Several threads share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path
from threading import Lock

from runner.credentials import Secret, Token
from runner.errors import SignInError
from runner.job.model import RetryPolicy
from runner.salesforce.auth import oauth
from runner.salesforce.auth.refresh import LiveToken, TokenStore
from runner.salesforce.http.error_bodies import error_of
from runner.salesforce.http.hosts import origin_of
from runner.salesforce.http.messages import OrgRequest, OrgResponse, json_body
from runner.salesforce.http.retry import Retrier, refusal
from runner.salesforce.http.retry_table import Action, decide
from runner.salesforce.http.transport import Transport

CLIENT_NAME = "sfrunner"
__all__ = ["Session", "TokenStore"]

_SAME_TIME = timedelta(seconds=2)


class _Usage:
    """What requests cost; a scope's counts for the session around it too."""

    def __init__(self, around: _Usage | None = None) -> None:
        self.calls = 0
        self._around = around
        self._lock = Lock()

    def count(self) -> None:
        with self._lock:
            self.calls += 1
        if self._around is not None:
            self._around.count()


class Session:
    """Requests to one org as one user. Threads may share it."""

    def __init__(
        self, transport: Transport, tokens: TokenStore, retrier: Retrier, *, login_command: str
    ) -> None:
        """Load the token.

        Args:
            transport: Sends.
            tokens: Keeps the token.
            retrier: Tries again.
            login_command: What to type for a new sign-in, for messages.

        Raises:
            SignInError: There is no token that may be used, or none is given for a grant.
        """
        self.retrier = retrier
        self.api_version: str | None = None
        """As in a path, `66.0`; must be set before the first versioned path."""
        self._transport = transport
        self._live = LiveToken(transport, tokens, login_command)
        self._live.begin(retrier)
        self._usage = _Usage()
        self._told_time: tuple[str, datetime] | None = None

    def scoped(self, policy: RetryPolicy) -> Session:
        """The same conversation with another patience, and a count of its own.

        It shares the token, and its requests count for this session too.
        """
        scoped = copy(self)
        scoped.retrier = self.retrier.with_policy(policy)
        scoped._usage = _Usage(self._usage)  # noqa: SLF001 - it is this one's copy
        return scoped

    @property
    def token(self) -> Token:
        """The token in use."""
        return self._live.token

    @property
    def token_place(self) -> str:
        """Where the token is kept, for messages."""
        return self._live.place

    @property
    def instance_url(self) -> str:
        """Origin of the org, the only host that is given the access token."""
        return origin_of(self.token.instance_url)

    @property
    def api_calls(self) -> int:
        """Requests sent to the org, repeated ones included."""
        return self._usage.calls

    @property
    def clock_offset(self) -> timedelta:
        """How far the org's clock is ahead of this machine's; nothing where less than two seconds.

        Answers tell the time in whole seconds.
        """
        if self._told_time is None:
            return timedelta()
        told, here = self._told_time
        ahead = parsedate_to_datetime(told) - here
        return ahead if abs(ahead) >= _SAME_TIME else timedelta()

    def request(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        json: object | None = None,
        content: bytes | Path | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        retry: bool = True,
    ) -> OrgResponse:
        """Send a request and give its successful answer.

        Args:
            method: GET, POST, PATCH, PUT or DELETE.
            path: `/services/...`, or relative to the API version, `/sobjects` for one.
            json: The body as JSON.
            content: The body as bytes, or a file that is sent from its start on each try.
            headers: Besides the session's own; they win over them and survive a refresh.
            params: The query string, unencoded.
            idempotent: Whether it may be carried out twice; None: as the method says.
            retry: False for one try only.

        Raises:
            OrgError: The org refused; TransientError and LimitError where it may work later.
            TransportError: No answer came; see its `may_have_arrived`.
            SignInError: The org takes neither the token nor a renewed one.
        """
        sent = dict(headers or {})
        if json is not None:
            sent = {"Content-Type": "application/json", **sent}
            content = json_body(json)
        request = OrgRequest(method, path, sent, params or {}, body=content, idempotent=idempotent)
        return self.send(request, retry=retry)

    def send(self, request: OrgRequest, *, retry: bool = True) -> OrgResponse:
        """Send a request value; like `request`."""
        response = self.answer(request, retry=retry)
        if not response.ok:
            raise error_of(response)
        return response

    def answer(self, request: OrgRequest, *, retry: bool = True) -> OrgResponse:
        """Send a request value and give the last answer, a refusal too.

        Raises:
            TransportError: No answer came; see its `may_have_arrived`.
            SignInError: The org takes neither the token nor a renewed one.
        """
        return self._with_live_token(request, self._transport.send, retry=retry)

    def download(
        self, request: OrgRequest, receive: Callable[[Iterator[bytes]], None]
    ) -> OrgResponse:
        """Send a request whose answer is too large for memory.

        Args:
            request: What to ask.
            receive: Is given the body's pieces, decompressed. It is called anew, from the body's
                start, whenever a body breaks off.

        Returns:
            The answer without its body.

        Raises:
            OrgError: As for `request`.
        """

        def send_once(signed: OrgRequest) -> OrgResponse:
            with self._transport.stream(signed) as streamed:
                answer = OrgResponse(streamed.status, streamed.headers)
                if not answer.ok:
                    return streamed.read()
                receive(streamed.iter_bytes())
                return answer

        response = self._with_live_token(request, send_once)
        if not response.ok:
            raise error_of(response)
        return response

    def _with_live_token(
        self,
        request: OrgRequest,
        send_once: Callable[[OrgRequest], OrgResponse],
        *,
        retry: bool = True,
    ) -> OrgResponse:
        refreshed = renewed = replayed = False
        while True:
            token = self.token
            signed = self._signed(request, token)
            response = self.retrier.send(
                partial(self._sent, send_once, signed), request, refreshed=refreshed, retry=retry
            )
            replayed |= response.replayed
            if response.status != HTTPStatus.UNAUTHORIZED:
                return replace(response, replayed=replayed)
            self._refuse_a_hopeless_session(response, request, refreshed=refreshed)
            # A token that another process has renewed may be stale too: then once more.
            refreshed = self._live.renew(token.access_token, self.retrier) or renewed
            renewed = True

    def _signed(self, request: OrgRequest, token: Token) -> OrgRequest:
        headers: dict[str, str | Secret] = {
            "Authorization": oauth.bearer(token.access_token),
            "Accept": "application/json",
            "Sforce-Call-Options": f"client={CLIENT_NAME}",
            **request.headers,
        }
        url = f"{origin_of(token.instance_url)}{self._path(request.url)}"
        return replace(request, url=url, headers=headers)

    def _path(self, path: str) -> str:
        if not path.startswith("/"):
            raise ValueError(f"not a path of the org: {path}")
        if path.startswith("/services/"):
            return path
        if self.api_version is None:
            raise ValueError(f"no API version is set for {path}")
        return f"/services/data/v{self.api_version}{path}"

    def _sent(
        self, send_once: Callable[[OrgRequest], OrgResponse], signed: OrgRequest
    ) -> OrgResponse:
        self._usage.count()
        response = send_once(signed)
        if "date" in response.headers:
            self._told_time = response.headers["date"], datetime.now(UTC)
        return response

    def _refuse_a_hopeless_session(
        self, response: OrgResponse, request: OrgRequest, *, refreshed: bool
    ) -> None:
        situation = refusal(response, request, refreshed=refreshed)
        if situation is not None and decide(situation).action is Action.REFRESH:
            return
        raise SignInError(
            f"The org refuses the token of {self._live.place}: {error_of(response).message}",
            hint="Check that the user may use the API and the app is allowed in the org; "
            f"then `{self._live.login_command}`.",
        )

"""A signed-in conversation with one org: requests carry its token, renewed when it expires.

Knows the API version and the org's clock. Knows nothing of what the requests mean, nor how a
token is stored and renewed: that is a LiveToken. Several threads share one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from threading import Lock

from msgspec import Struct
from msgspec.structs import replace

from runner.credentials import Secret, Token
from runner.errors import SignInError
from runner.events import Observer, Requested
from runner.job.model import RetryPolicy
from runner.salesforce.auth.refresh import Access, LiveToken, TokenStore
from runner.salesforce.http.error_bodies import error_of
from runner.salesforce.http.json_answers import check_whole
from runner.salesforce.http.messages import OrgRequest, OrgResponse, json_body
from runner.salesforce.http.retry import Retrier, moment_of
from runner.salesforce.http.transport import Receiver, Transport

CLIENT_NAME = "sfrunner"
_JSON = "application/json"
__all__ = ["Session", "TokenStore"]

Check = Callable[[OrgResponse], None]
"""Raises a DamagedAnswerError for a success that is not whole."""
_SAME_TIME = timedelta(seconds=2)


_API_USAGE = re.compile(r"\bapi-usage=(\d{1,18})/(\d{1,18})")
"""Of the header Sforce-Limit-Info. Source: REST API guide; other counts may follow."""


class ApiUsage(Struct, frozen=True):
    """What the org counts of its daily limit, by all users and apps."""

    used: int
    maximum: int


class _Usage:
    """How many requests were sent; a scope's count for the session around it too."""

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
            tokens: Where the token is stored.
            retrier: Repeats.
            login_command: The command for a new sign-in, for messages.

        Raises:
            SignInError: There is no token that may be used, or the org grants none.
        """
        self.retrier = retrier
        self.api_version: str | None = None
        """As in a path, `66.0`; must be set before the first versioned path."""
        self.observer: Observer | None = None
        """Sees each request; None: nobody does."""
        self.permit: Callable[[], None] | None = None
        """Called before each try of a request; what it raises keeps it from being sent."""
        self._task: str | None = None
        self._transport = transport
        self._live = LiveToken(transport, tokens, retrier, login_command)
        self._usage = _Usage()
        self._counted_by_org: list[ApiUsage] = []
        """The last count, if there is one; every scope has the same list."""
        self._last_date: tuple[str, datetime] | None = None
        """The last answer's `Date`, and this machine's time when it came."""

    def scoped(
        self, policy: RetryPolicy, ends_at: float | None = None, task: str | None = None
    ) -> Session:
        """The same conversation with another retry policy and a count of its own.

        It shares the token, and its requests count for this session too.

        Args:
            policy: How often to retry.
            ends_at: When every request must have ended, by the retrier's clock; None: never.
            task: Whose requests they are, for the observer.
        """
        scoped = copy(self)
        scoped._task = task  # noqa: SLF001 - it is this one's copy
        scoped.retrier = self.retrier.with_policy(policy, ends_at)
        scoped._usage = _Usage(self._usage)  # noqa: SLF001 - it is this one's copy
        return scoped

    @property
    def token(self) -> Token:
        """The token in use."""
        return self._live.access.token

    @property
    def login_command(self) -> str:
        """The command for a new sign-in, for messages."""
        return self._live.login_command

    @property
    def token_place(self) -> str:
        """Where the token is stored, for messages."""
        return self._live.place

    @property
    def instance_url(self) -> str:
        """Origin of the org, the only host that is given the access token."""
        return self._live.access.origin

    @property
    def api_calls(self) -> int:
        """Requests sent to the org, repeated ones included."""
        return self._usage.calls

    @property
    def api_usage(self) -> ApiUsage | None:
        """What the org has counted of its daily limit, by its last answer; None before the first.

        The answers of threads may arrive in another order than they were counted in.
        """
        return self._counted_by_org[0] if self._counted_by_org else None

    @property
    def clock_offset(self) -> timedelta:
        """How far the org's clock is ahead of this machine's; zero for less than two seconds.

        Answers give the time in whole seconds.
        """
        if self._last_date is None:
            return timedelta()
        header, here = self._last_date
        there = moment_of(header)
        ahead = timedelta() if there is None else there - here
        return ahead if abs(ahead) >= _SAME_TIME else timedelta()

    def request(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        json: object | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
    ) -> OrgResponse:
        """Send a request and return its successful answer.

        Args:
            method: GET, POST, PATCH, PUT or DELETE.
            path: `/services/...`, or relative to the API version, such as `/sobjects`.
            json: The body as JSON.
            headers: Besides the session's own, which they override.
            params: The query string, unencoded.
            idempotent: Whether executing it twice is the same as once; None: by the method.

        Raises:
            OrgError: The org refused; TransientError and LimitError where it may work later.
            TransportError: No answer came; see its `may_have_arrived`.
            SignInError: The org rejects both the token and a renewed one.
        """
        sent = dict(headers or {})
        body = None
        if json is not None:
            sent = {"Content-Type": "application/json", **sent}
            body = json_body(json)
        request = OrgRequest(method, path, sent, params or {}, body=body, idempotent=idempotent)
        return self.send(request)

    def send(self, request: OrgRequest, check: Check = check_whole) -> OrgResponse:
        """Send a request value; like `request`.

        With `check`, a success in JSON is checked by it: it raises a DamagedAnswerError for one
        that is not whole, which is then asked for again.
        """
        return _success(self.answer(request, check=check))

    def download(self, request: OrgRequest, receive: Receiver) -> OrgResponse:
        """Send a request whose answer is too large for memory.

        Args:
            request: What to ask.
            receive: Is called again, from the body's start, whenever a body breaks off.

        Returns:
            The answer without its body.

        Raises:
            DamagedAnswerError: However often it was asked for, `receive` refused it.
            OrgError: As for `request`.
        """
        return _success(self.answer(request, receive))

    def answer(
        self, request: OrgRequest, receive: Receiver | None = None, check: Check = check_whole
    ) -> OrgResponse:
        """Send a request value and return the last answer, even a refusal.

        Raises:
            TransportError: No answer came; see its `may_have_arrived`.
            SignInError: The org rejects both the token and a renewed one.
        """
        access = self._live.access
        tries = 0

        def send_once() -> OrgResponse:
            nonlocal access, tries
            if self.permit is not None:
                self.permit()
            access = self._live.access
            signed, tries = self._signed(request, access), tries + 1
            if self.observer is None:
                return self._sent(signed, receive, check)
            with self._observed(signed, tries - 1) as status:
                response = self._sent(signed, receive, check)
                status.append(response.status)
            return response

        def renew() -> bool:
            return self._live.renew(access.token.access_token, self.retrier)

        response = self.retrier.send(send_once, request, renew=renew)
        if response.status == HTTPStatus.UNAUTHORIZED:
            raise SignInError(
                f"The org rejects the token in {self._live.place}: {error_of(response).message}",
                hint="Check that the user may use the API and the app is allowed in the org; "
                f"then `{self._live.login_command}`.",
            )
        return response

    @contextmanager
    def _observed(self, signed: OrgRequest, resends: int) -> Iterator[list[int]]:
        """Tell the observer of a request; the block notes the status of its answer."""
        status: list[int] = []
        error: str | None = None
        began, clock = time.time(), time.monotonic()
        try:
            yield status
        except Exception as raised:
            error = type(raised).__name__
            raise
        finally:
            if self.observer is not None:
                self.observer.requested(
                    Requested(
                        signed.method,
                        signed.url.partition("?")[0],
                        began,
                        time.monotonic() - clock,
                        status[0] if status else None,
                        error,
                        resends,
                        self._task,
                    )
                )

    def _signed(self, request: OrgRequest, access: Access) -> OrgRequest:
        headers: dict[str, str | Secret] = {
            "Authorization": access.authorization,
            "Accept": _JSON,
            "Sforce-Call-Options": f"client={CLIENT_NAME}",
            **request.headers,
        }
        return replace(request, url=f"{access.origin}{self._path(request.url)}", headers=headers)

    def _path(self, path: str) -> str:
        if not path.startswith("/"):
            raise ValueError(f"not a path of the org: {path}")
        if path.startswith("/services/"):
            return path
        if self.api_version is None:
            raise ValueError(f"no API version is set for {path}")
        return f"/services/data/v{self.api_version}{path}"

    def _sent(self, signed: OrgRequest, receive: Receiver | None, check: Check) -> OrgResponse:
        self._usage.count()
        response = self._transport.send(signed, receive)
        if receive is None and response.ok and signed.headers["Accept"] == _JSON:
            check(response)
        counted = _API_USAGE.search(response.headers.get("sforce-limit-info", ""))
        if counted is not None:
            self._counted_by_org[:] = [ApiUsage(int(counted[1]), int(counted[2]))]
        if "date" in response.headers:
            self._last_date = response.headers["date"], datetime.now(UTC)
        return response


def _success(response: OrgResponse) -> OrgResponse:
    if not response.ok:
        raise error_of(response)
    return response

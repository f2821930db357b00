"""The authorize page: log in, then approve or deny; works without JavaScript.

Its buttons have the ids `login`, `approve` and `deny`. A request with a wrong app or callback
is never sent to the callback: the page shows the error, as at Salesforce. As nobody is asked for a
password, pages of another origin cannot press its buttons.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode

from msgspec import Struct

from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.oauth.apps import DEFAULT_SCOPES, KNOWN_SCOPES, App, Apps
from runner.local_org.oauth.codes import Approval, Codes, check_challenge
from runner.local_org.oauth.refusal import OAuthRefusal, wrong_callback
from runner.local_org.oauth.users import user_named
from runner.local_org.org import Org
from runner.local_org.pages import page
from runner.local_org.resources.admin import guarded

_PATH = "/services/oauth2/authorize"


class _Authorization(Struct, frozen=True):
    """A valid authorization request."""

    redirect_uri: str
    state: str
    scopes: tuple[str, ...]
    challenge: str
    app: App

    def back(self, **answer: str) -> Response:
        """Redirect to the callback."""
        query = urlencode({**answer, **({"state": self.state} if self.state else {})})
        joint = "&" if "?" in self.redirect_uri else "?"
        return Response(302, b"", {"Location": f"{self.redirect_uri}{joint}{query}"})


def _authorize(org: Org, request: Request) -> Response:
    """Each step posts to the same URL, so the query is preserved."""
    given = {name: values[0] for name, values in request.query.items()}
    form = {
        name: values[0]
        for name, values in parse_qs(request.body.decode(), keep_blank_values=True).items()
    }
    given = {**form, **given}
    try:
        app, redirect_uri = _caller(org, given)
    except OAuthRefusal as refusal:
        return _error_page(refusal)
    authorization = _Authorization(
        redirect_uri, given.get("state", ""), (), given.get("code_challenge", ""), app
    )
    try:
        scopes = _scopes(given)
        _check(app, given)
    except OAuthRefusal as refusal:
        return authorization.back(error=refusal.error, error_description=refusal.description)
    return _step(
        org,
        form,
        _Authorization(redirect_uri, authorization.state, scopes, authorization.challenge, app),
        given,
    )


def _caller(org: Org, given: Mapping[str, str]) -> tuple[App, str]:
    app = org.part(Apps).get(given.get("client_id", ""))
    redirect_uri = given.get("redirect_uri", "")
    if not app.allows_callback(redirect_uri):
        raise wrong_callback()
    return app, redirect_uri


def _check(app: App, given: Mapping[str, str]) -> None:
    if given.get("response_type") != "code":
        raise OAuthRefusal("unsupported_response_type", "response type not supported")
    check_challenge(
        given.get("code_challenge", ""),
        given.get("code_challenge_method", ""),
        required=app.require_pkce,
    )


def _scopes(given: Mapping[str, str]) -> tuple[str, ...]:
    scopes = tuple(dict.fromkeys(given.get("scope", "").split())) or DEFAULT_SCOPES
    if not KNOWN_SCOPES.issuperset(scopes):
        raise OAuthRefusal("invalid_scope", "the requested scope is not allowed")
    return scopes


def _step(
    org: Org, form: Mapping[str, str], authorization: _Authorization, given: Mapping[str, str]
) -> Response:
    action = f"{_PATH}?" + urlencode(
        {name: value for name, value in given.items() if name not in {"step", "username"}}
    )
    step, username = form.get("step"), form.get("username", "")
    user = user_named(org, username) if step else None
    if user is None:
        problem = "Please check your username; this org has no such active user." if step else ""
        shown = username or given.get("login_hint") or org.user.username
        return page(
            "authorize",
            heading="Log in to the local org",
            step="login",
            action=action,
            username=shown,
            problem=problem,
        )
    if step == "deny":
        return authorization.back(
            error="access_denied", error_description="end-user denied authorization"
        )
    if step == "approve":
        scope = " ".join(authorization.scopes)
        approval = Approval(
            authorization.app.client_id,
            authorization.redirect_uri,
            scope,
            authorization.challenge,
            user,
        )
        return authorization.back(code=org.part(Codes).issue(approval))
    return page(
        "authorize",
        heading="Allow access?",
        step="approve",
        action=action,
        username=user.username,
        client_id=authorization.app.client_id,
        scopes=authorization.scopes,
        problem="",
    )


def _error_page(refusal: OAuthRefusal) -> Response:
    words = f"error={refusal.error}&error_description={refusal.description.replace(' ', '%20')}"
    return page("authorize", 400, heading="We can't authorize you", step="", problem=words)


ROUTES = (
    Route("GET", _PATH, guarded(_authorize), versioned=False, signed_in=False),
    Route("POST", _PATH, guarded(_authorize), versioned=False, signed_in=False),
)

"""OAuth's endpoints for programs: token, revoke, introspect.

Knows forms and JSON; the rules are in `oauth/`. Errors are 400 with `error` and
`error_description`, not the error array of the rest of the API.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from functools import wraps
from urllib.parse import parse_qs, unquote_plus

from msgspec.structs import replace

from runner.local_org.http.messages import Endpoint, Request, Response, Route
from runner.local_org.oauth.approvals import Approvals
from runner.local_org.oauth.apps import DEFAULT_SCOPES, App, Apps
from runner.local_org.oauth.codes import Codes
from runner.local_org.oauth.refusal import OAuthRefusal, not_approved
from runner.local_org.oauth.sessions import SERVER_CLIENT, Session, Sessions
from runner.local_org.oauth.users import user_named
from runner.local_org.org import Org

_Form = Mapping[str, str]
_Grant = Callable[[Org, Request, _Form], Response]


def form_of(request: Request) -> dict[str, str]:
    """The first values of a posted form, also from the query and from a Basic header."""
    posted = parse_qs(request.body.decode(), keep_blank_values=True)
    form = {name: values[0] for name, values in {**request.query, **posted}.items()}
    scheme, _, members = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(members, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return form
        form |= {"client_id": unquote_plus(name), "client_secret": unquote_plus(secret)}
    return form


def _refusing(endpoint: Endpoint) -> Endpoint:
    @wraps(endpoint)
    def answer(org: Org, request: Request) -> Response:
        try:
            return endpoint(org, request)
        except OAuthRefusal as refusal:
            members = {"error": refusal.error, "error_description": refusal.description}
            return Response.of_json(members, 400, _UNCACHED)

    return answer


@_refusing
def _token(org: Org, request: Request) -> Response:
    form = form_of(request)
    grant = _GRANTS.get(form.get("grant_type", ""))
    if grant is None:
        raise OAuthRefusal("unsupported_grant_type", "grant type not supported")
    return grant(org, request, form)


def _by_code(org: Org, request: Request, form: _Form) -> Response:
    app = _client(org, form)
    approval = org.part(Codes).redeem(
        form.get("code", ""),
        app.client_id,
        form.get("redirect_uri", ""),
        form.get("code_verifier", ""),
    )
    if not {"refresh_token", "offline_access"}.intersection(approval.scope.split()):
        session = org.part(Sessions).begin(approval.user, app.client_id, approval.scope)
        return _granted(org, request, app, session)
    family, refresh_token = org.part(Approvals).approve(
        approval.user, app.client_id, approval.scope
    )
    session = org.part(Sessions).begin(approval.user, app.client_id, approval.scope, family)
    return _granted(org, request, app, session, refresh_token)


def _by_refresh_token(org: Org, request: Request, form: _Form) -> Response:
    app = _client(org, form)
    if "scope" in form:
        raise OAuthRefusal("invalid_request", "scope parameter not supported")
    session, rotated = org.part(Approvals).refresh(form.get("refresh_token", ""), app)
    return _granted(org, request, app, session, rotated)


def _by_assertion(org: Org, request: Request, form: _Form) -> Response:
    from runner.local_org.oauth import assertion

    text = form.get("assertion", "")
    app = org.part(Apps).get(assertion.issuer_of(text))
    username = assertion.subject_of(text, app.certificate, request.base_url, org.clock())
    user = user_named(org, username)
    known = user and (app.users_preauthorized or org.part(Approvals).approved(user, app.client_id))
    if user is None or not known:
        raise not_approved()
    session = org.part(Sessions).begin(user, app.client_id, " ".join(DEFAULT_SCOPES))
    return _granted(org, request, app, session)


def _by_client_credentials(org: Org, request: Request, form: _Form) -> Response:
    app = _client(org, form)
    if not app.client_secret or not form.get("client_secret"):
        raise OAuthRefusal("invalid_client", "invalid client credentials")
    user = user_named(org, app.client_credentials_user) if app.client_credentials_user else None
    if user is None:
        raise OAuthRefusal("invalid_grant", "no client credentials user enabled")
    return _granted(org, request, app, org.part(Sessions).begin(user, app.client_id, "api"))


def _by_password(_org: Org, _request: Request, _form: _Form) -> Response:
    """Blocked, as by default in orgs created since Summer '23."""
    raise OAuthRefusal("invalid_grant", "authentication failure")


def _client(org: Org, form: _Form) -> App:
    apps, secret = org.part(Apps), form.get("client_secret", "")
    app = apps.get(form.get("client_id", ""))
    if apps.any_client:  # any secret is the app's own, which also signs the answer
        return replace(app, client_secret=secret)
    app.check_secret(secret)
    return app


def _granted(
    org: Org, request: Request, app: App, session: Session, refresh_token: str | None = None
) -> Response:
    identity = f"{request.base_url}/id/{org.id}/{session.user.id}"
    issued_at = str(int(session.issued_at.timestamp() * 1000))
    signed = hmac.new(app.client_secret.encode(), f"{identity}{issued_at}".encode(), hashlib.sha256)
    members = {
        "access_token": session.token,
        "refresh_token": refresh_token,
        "signature": base64.b64encode(signed.digest()).decode(),
        "scope": session.scope,
        "instance_url": request.base_url,
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued_at,
    }
    present = {name: value for name, value in members.items() if value is not None}
    return Response.of_json(present, headers=_UNCACHED)


@_refusing
def _revoke(org: Org, request: Request) -> Response:
    token = form_of(request).get("token", "")
    approvals = org.part(Approvals)
    refresh_token = approvals.find(token)
    if refresh_token is not None:
        approvals.revoke(refresh_token.family)
    elif not org.part(Sessions).end(token):
        raise OAuthRefusal("invalid_token", "invalid token")
    return Response(200)


@_refusing
def _introspect(org: Org, request: Request) -> Response:
    form = form_of(request)
    app = _client(org, form)
    token = form.get("token", "")
    session = org.part(Sessions).look(token)
    if session is not None and session.client_id in {app.client_id, SERVER_CLIENT}:
        return Response.of_json(_of_session(org, request, session))
    refresh_token = org.part(Approvals).find(token)
    if refresh_token and refresh_token.alive and refresh_token.client_id == app.client_id:
        return Response.of_json(
            {
                "active": True,
                "scope": refresh_token.scope,
                "client_id": refresh_token.client_id,
                "sub": f"{request.base_url}/id/{org.id}/{refresh_token.user_id}",
                "token_type": "refresh_token",
            }
        )
    return Response.of_json({"active": False})


def _of_session(org: Org, request: Request, session: Session) -> dict[str, object]:
    issued = int(session.issued_at.timestamp())
    members: dict[str, object] = {
        "active": True,
        "scope": session.scope,
        "client_id": session.client_id,
        "username": session.user.username,
        "sub": f"{request.base_url}/id/{org.id}/{session.user.id}",
        "token_type": "access_token",
        "iat": issued,
        "nbf": issued,
    }
    if session.expires_at is not None:
        members["exp"] = int(session.expires_at.timestamp())
    return members


_UNCACHED = {"Cache-Control": "no-cache, no-store", "Pragma": "no-cache"}
_GRANTS: Mapping[str, _Grant] = {
    "authorization_code": _by_code,
    "refresh_token": _by_refresh_token,
    "urn:ietf:params:oauth:grant-type:jwt-bearer": _by_assertion,
    "client_credentials": _by_client_credentials,
    "password": _by_password,
}
ROUTES = (
    Route("POST", "/services/oauth2/token", _token, versioned=False, signed_in=False),
    Route("POST", "/services/oauth2/revoke", _revoke, versioned=False, signed_in=False),
    Route("GET", "/services/oauth2/revoke", _revoke, versioned=False, signed_in=False),
    Route("POST", "/services/oauth2/introspect", _introspect, versioned=False, signed_in=False),
)

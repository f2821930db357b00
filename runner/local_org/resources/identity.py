"""Who a token speaks for: userinfo and the identity URL.

A bad token is refused here with 403 and a plain word, unlike everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.http.tokens import token_of
from runner.local_org.oauth.sessions import Session, Sessions
from runner.local_org.org import Org

_URLS = (
    ("rest", "/services/data/v{version}/"),
    ("sobjects", "/services/data/v{version}/sobjects/"),
    ("search", "/services/data/v{version}/search/"),
    ("query", "/services/data/v{version}/query/"),
    ("recent", "/services/data/v{version}/recent/"),
)


def _answered(
    org: Org, request: Request, shape: Callable[[Org, Request, Session], object]
) -> Response:
    token = token_of(request) or request.arg("oauth_token") or request.arg("access_token")
    if not token:
        return _forbidden("Missing_OAuth_Token")
    session = org.part(Sessions).find(token)
    if session is None:
        return _forbidden("Bad_OAuth_Token")
    if request.params.get("org_id", org.id)[:15] != org.id[:15]:
        return _forbidden("Wrong_Org")
    return Response.of_json(shape(org, request, session))


def _forbidden(word: str) -> Response:
    return Response(403, word.encode(), {"Content-Type": "text/html;charset=UTF-8"})


def _userinfo(org: Org, request: Request) -> Response:
    return _answered(org, request, _claims)


def _identity(org: Org, request: Request) -> Response:
    return _answered(org, request, _card)


def _claims(org: Org, request: Request, session: Session) -> dict[str, object]:
    user = session.user
    return {
        "sub": f"{request.base_url}/id/{org.id}/{user.id}",
        "user_id": user.id,
        "organization_id": org.id,
        "preferred_username": user.username,
        "nickname": user.username.partition("@")[0],
        "name": user.name,
        "email": user.email,
        "email_verified": True,
        "given_name": user.name.partition(" ")[0],
        "family_name": user.name.rpartition(" ")[2],
        "zoneinfo": "GMT",
        "photos": {},
        "profile": f"{request.base_url}/{user.id}",
        "picture": "",
        "address": {},
        "is_salesforce_integration_user": False,
        "urls": _urls(org, request, session),
        "active": True,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "updated_at": session.issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _card(org: Org, request: Request, session: Session) -> dict[str, object]:
    user = session.user
    return {
        "id": f"{request.base_url}/id/{org.id}/{user.id}",
        "asserted_user": True,
        "user_id": user.id,
        "organization_id": org.id,
        "username": user.username,
        "nick_name": user.username.partition("@")[0],
        "display_name": user.name,
        "email": user.email,
        "email_verified": True,
        "first_name": user.name.partition(" ")[0],
        "last_name": user.name.rpartition(" ")[2],
        "timezone": "GMT",
        "photos": {},
        "urls": _urls(org, request, session),
        "active": True,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
        "last_modified_date": session.issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "is_app_installed": True,
    }


def _urls(org: Org, request: Request, session: Session) -> dict[str, str]:
    """Addresses with the literal `{version}`, for the client to fill in."""
    own = {"custom_domain": request.base_url, "profile": f"{request.base_url}/{session.user.id}"}
    identity = {"identity": f"{request.base_url}/id/{org.id}/{session.user.id}"}
    return own | identity | {name: request.base_url + path for name, path in _URLS}


_ID = r"/id/(?P<org_id>[A-Za-z0-9]{15,18})/(?P<user_id>[A-Za-z0-9]{15,18})"
ROUTES = tuple(
    Route(method, path, endpoint, versioned=False, signed_in=False)
    for path, endpoint in (("/services/oauth2/userinfo", _userinfo), (_ID, _identity))
    for method in ("GET", "POST")
)

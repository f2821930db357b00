"""Userinfo and the identity URL: the user of a token.

A bad token is refused here with 403 and plain text, unlike everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.oauth.sessions import Session, Sessions
from runner.local_org.org import Org, User

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
    token = request.token or request.arg("oauth_token") or request.arg("access_token")
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
    return _answered(org, request, _identity_card)


def _claims(org: Org, request: Request, session: Session) -> dict[str, object]:
    """What userinfo answers, under OpenID Connect's names."""
    user = session.user
    return {
        "sub": _identity_url(org, request, user),
        "preferred_username": user.username,
        "nickname": user.username.partition("@")[0],
        "name": user.name,
        "given_name": user.name.partition(" ")[0],
        "family_name": user.name.rpartition(" ")[2],
        "zoneinfo": "GMT",
        "profile": f"{request.base_url}/{user.id}",
        "picture": "",
        "address": {},
        "is_salesforce_integration_user": False,
        "updated_at": _moment(session),
    } | _card(org, request, session)


def _identity_card(org: Org, request: Request, session: Session) -> dict[str, object]:
    """What the identity URL answers, under Salesforce's own names."""
    user = session.user
    return {
        "id": _identity_url(org, request, user),
        "asserted_user": True,
        "username": user.username,
        "nick_name": user.username.partition("@")[0],
        "display_name": user.name,
        "first_name": user.name.partition(" ")[0],
        "last_name": user.name.rpartition(" ")[2],
        "timezone": "GMT",
        "last_modified_date": _moment(session),
        "is_app_installed": True,
    } | _card(org, request, session)


def _card(org: Org, request: Request, session: Session) -> dict[str, object]:
    """The members that both answers share."""
    user = session.user
    return {
        "user_id": user.id,
        "organization_id": org.id,
        "email": user.email,
        "email_verified": True,
        "photos": {},
        "urls": _urls(org, request, session),
        "active": True,
        "user_type": "STANDARD",
        "language": "en_US",
        "locale": "en_US",
        "utcOffset": 0,
    }


def _identity_url(org: Org, request: Request, user: User) -> str:
    return f"{request.base_url}/id/{org.id}/{user.id}"


def _moment(session: Session) -> str:
    return session.issued_at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _urls(org: Org, request: Request, session: Session) -> dict[str, str]:
    """URLs with a literal `{version}` for the client to fill in."""
    own = {"custom_domain": request.base_url, "profile": f"{request.base_url}/{session.user.id}"}
    identity = {"identity": _identity_url(org, request, session.user)}
    return own | identity | {name: request.base_url + path for name, path in _URLS}


_ID = r"/id/(?P<org_id>[A-Za-z0-9]{15,18})/(?P<user_id>[A-Za-z0-9]{15,18})"
ROUTES = tuple(
    Route(method, path, endpoint, versioned=False, signed_in=False)
    for path, endpoint in (("/services/oauth2/userinfo", _userinfo), (_ID, _identity))
    for method in ("GET", "POST")
)

"""Which user and org a token belongs to.

Knows the user info endpoint, and what to ask instead where it refuses an app's tokens. Knows
nothing of what a job expects.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from runner.errors import OrgError, TransientError, UnexpectedAnswerError
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.ids import eighteen, is_id
from runner.salesforce.session import Session

_IDENTITY_PARTS = 2


class Identity(Struct, frozen=True):
    """A user of an org; Ids of 18 characters."""

    user_id: str
    username: str
    display_name: str
    org_id: str
    org_name: str | None = None
    is_sandbox: bool | None = None
    """None where the user may not see it."""
    url: str = ""
    """The user's identity URL; its host is that of a production login or of a sandbox's."""
    my_domain_url: str = ""
    """The org's My Domain, where the org says it."""


def identity_of(session: Session) -> Identity:
    """Ask whose token the session has. The API version must be set.

    Raises:
        SignInError: The org rejects both the token and a renewed one.
        OrgError: The org does not say.
    """
    user = _claimed(session) or _queried(session)
    organization = _organization(session)
    return Identity(
        user_id=eighteen(user["user_id"]),
        username=user["username"],
        display_name=user["display_name"],
        org_id=eighteen(user["org_id"]),
        org_name=organization.name,
        is_sandbox=organization.is_sandbox,
        url=user["url"],
        my_domain_url=user["my_domain_url"],
    )


class _Urls(msgspec.Struct):
    custom_domain: str | None = None


class _Claims(msgspec.Struct):
    user_id: str
    organization_id: str
    preferred_username: str | None = None
    name: str | None = None
    sub: str | None = None
    urls: _Urls | None = None


class _Resources(msgspec.Struct):
    identity: str | None = None


class _User(msgspec.Struct, rename="pascal"):
    username: str | None = None
    name: str | None = None


class _Organization(msgspec.Struct, rename="pascal"):
    name: str | None = None
    is_sandbox: bool | None = None


class _Users(msgspec.Struct):
    records: list[_User]


class _Organizations(msgspec.Struct):
    records: list[_Organization]


def _claimed(session: Session) -> dict[str, str] | None:
    """From the user info endpoint; it answers 403 to a dead token and to one without its scope."""
    answer = session.answer(OrgRequest("GET", "/services/oauth2/userinfo"))
    if not answer.ok:
        return None
    claims = read_json(answer, _Claims)
    return {
        "user_id": claims.user_id,
        "org_id": claims.organization_id,
        "username": claims.preferred_username or "",
        "display_name": claims.name or "",
        "url": claims.sub or "",
        "my_domain_url": (claims.urls.custom_domain if claims.urls else None) or "",
    }


def _queried(session: Session) -> dict[str, str]:
    """From the user's own record; this also finds out whether the token is still valid."""
    answer = session.request("GET", "/")
    url = read_json(answer, _Resources).identity or ""
    path = url.rstrip("/").split("/")
    org_id, user_id = path[-_IDENTITY_PARTS:] if len(path) > _IDENTITY_PARTS else ("", "")
    if not is_id(user_id):
        raise UnexpectedAnswerError(
            "The org does not say which user the token belongs to: "
            f"its answer to {answer.request} has no `identity`",
            hint="Give the app the scope `openid` or `id`, then sign in again.",
        )
    soql = f"SELECT Username, Name FROM User WHERE Id = '{user_id}'"  # noqa: S608 - is_id saw it
    users = read_json(_query(session, soql), _Users).records
    found = users[0] if users else _User()
    return {
        "user_id": user_id,
        "org_id": org_id,
        "username": found.username or "",
        "display_name": found.name or "",
        "url": url,
        "my_domain_url": "",
    }


def _organization(session: Session) -> _Organization:
    """The org's own record, where the user may see it."""
    try:
        answer = _query(session, "SELECT Name, IsSandbox FROM Organization LIMIT 1")
    except TransientError:
        raise
    except OrgError:
        return _Organization()
    found = read_json(answer, _Organizations).records
    return found[0] if found else _Organization()


def _query(session: Session, soql: str) -> OrgResponse:
    return session.request("GET", "/query", params={"q": soql})

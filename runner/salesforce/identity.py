"""Which user and org a token belongs to.

Knows the user info endpoint, and what to ask instead where it refuses an app's tokens. Knows
nothing of what a job expects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.errors import OrgError, TransientError, UnexpectedAnswerError
from runner.salesforce.http.messages import OrgRequest
from runner.salesforce.ids import eighteen, is_id
from runner.salesforce.session import Session

_IDENTITY_PARTS = 2


@dataclass(frozen=True, slots=True)
class Identity:
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
        org_name=organization.get("Name"),
        is_sandbox=organization.get("IsSandbox"),
        url=user["url"],
        my_domain_url=user["my_domain_url"],
    )


def _claimed(session: Session) -> dict[str, str] | None:
    """From the user info endpoint; it answers 403 to a dead token and to one without its scope."""
    answer = session.answer(OrgRequest("GET", "/services/oauth2/userinfo"))
    if not answer.ok:
        return None
    claims = answer.json_object("user_id", "organization_id")
    urls = claims.get("urls")
    return {
        "user_id": str(claims["user_id"]),
        "org_id": str(claims["organization_id"]),
        "username": str(claims.get("preferred_username") or ""),
        "display_name": str(claims.get("name") or ""),
        "url": str(claims.get("sub") or ""),
        "my_domain_url": str(urls.get("custom_domain") or "") if isinstance(urls, dict) else "",
    }


def _queried(session: Session) -> dict[str, str]:
    """From the user's own record; this also finds out whether the token is still valid."""
    resources = session.request("GET", "/").json_object()
    url = str(resources.get("identity") or "")
    path = url.rstrip("/").split("/")
    org_id, user_id = path[-_IDENTITY_PARTS:] if len(path) > _IDENTITY_PARTS else ("", "")
    if not is_id(user_id):
        raise UnexpectedAnswerError(
            "The org does not say which user the token belongs to",
            hint="Give the app the scope `openid` or `id`, then sign in again.",
        )
    soql = f"SELECT Username, Name FROM User WHERE Id = '{user_id}'"  # noqa: S608 - is_id saw it
    found = _first(session, soql)
    return {
        "user_id": user_id,
        "org_id": org_id,
        "username": str(found.get("Username") or ""),
        "display_name": str(found.get("Name") or ""),
        "url": url,
        "my_domain_url": "",
    }


def _organization(session: Session) -> Mapping[str, Any]:
    """The org's own record, where the user may see it."""
    try:
        return _first(session, "SELECT Name, IsSandbox FROM Organization LIMIT 1")
    except TransientError:
        raise
    except OrgError:
        return {}


def _first(session: Session, soql: str) -> Mapping[str, Any]:
    found = session.request("GET", "/query", params={"q": soql}).json_object("records")["records"]
    return found[0] if found else {}

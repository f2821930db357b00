"""Reads the access token from a request.

Knows the Authorization header. Knows no session.
"""

from __future__ import annotations

from runner.local_org.http.messages import Request

_SCHEMES = ("bearer ", "oauth ")


def token_of(request: Request) -> str:
    """The access token, or ''; Salesforce accepts `OAuth` as well as `Bearer`."""
    header = request.headers.get("authorization", "")
    return header.partition(" ")[2].strip() if header.lower().startswith(_SCHEMES) else ""


def session_token_of(request: Request) -> str:
    """The token, also from the header of Bulk API 1.0."""
    return request.headers.get("x-sfdc-session") or token_of(request)

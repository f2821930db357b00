"""Reads the access token off a request.

Knows the Authorization header. Knows no session.
"""

from __future__ import annotations

from runner.local_org.http.messages import Request

_SCHEMES = ("bearer ", "oauth ")


def token_of(request: Request) -> str:
    """The access token, or ''; Salesforce takes the scheme `OAuth` for `Bearer`."""
    header = request.headers.get("authorization", "")
    return header.partition(" ")[2].strip() if header.lower().startswith(_SCHEMES) else ""

"""How long a sign-in will last: which scopes it lacks, and what would end it.

Pure: from a token to sentences. Knows when Salesforce ends a sign-in.
"""

from __future__ import annotations

from runner.credentials import JwtBearer, Token

_API = frozenset(("api", "full"))
_REFRESH = frozenset(("refresh_token", "offline_access"))


def missing_scopes(token: Token) -> tuple[str, ...]:
    """Scopes that a run needs and the sign-in lacks; none where its scopes are not known."""
    if not token.scopes:
        return ()
    given = set(token.scopes)
    missing = [] if given & _API else ["api"]
    if token.grant is None and token.refresh_token is None and not given & _REFRESH:
        missing.append("refresh_token")
    return tuple(missing)


def what_ends_it(token: Token, *, writable: bool) -> str:
    """What would end the sign-in, in one sentence.

    Args:
        token: The sign-in.
        writable: Whether a new refresh token can be written back to where this one came from.
    """
    if token.grant is not None:
        return _JWT if isinstance(token.grant, JwtBearer) else _CLIENT
    if token.refresh_token is None:
        return _ALONE
    if not writable:
        return _NOT_WRITABLE
    return _ROTATED if token.rotates else _REFRESHED


_JWT = (
    "the certificate in the app expires, the user loses access to the app, or the user is "
    "deactivated"
)
_CLIENT = "the app's secret is replaced, or its run-as user is changed or deactivated"
_ALONE = "its session ends (after two hours without a request, by default); nothing renews it"
_NOT_WRITABLE = (
    "it is revoked, or the org replaces the refresh token: the new one cannot be written back to "
    "where this one came from"
)
_ROTATED = (
    "a second copy of it is used (the org replaces the refresh token each time), it stays unused "
    "for longer than the app's policy allows, or it is revoked"
)
_REFRESHED = (
    "the app's refresh token policy says so, the user signs in with the app for the sixth time, "
    "or it is revoked"
)

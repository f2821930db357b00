"""OAuth errors, and the ones that several modules raise.

Knows `error` and `error_description`. Knows no request.
"""

from __future__ import annotations


class OAuthRefusal(Exception):  # noqa: N818 - it is an answer, not a defect
    """The token endpoint's 400; also what the authorize page sends to the callback."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description


def dead_token() -> OAuthRefusal:
    """The refresh token is revoked, expired, rotated or unknown."""
    return OAuthRefusal("invalid_grant", "expired access/refresh token")


def unknown_client() -> OAuthRefusal:
    """No app has this consumer key."""
    return OAuthRefusal("invalid_client_id", "client identifier invalid")


def wrong_callback() -> OAuthRefusal:
    """The callback is not exactly one that the app registered."""
    return OAuthRefusal("redirect_uri_mismatch", "redirect_uri must match configuration")


def not_approved() -> OAuthRefusal:
    """The user neither approved the app nor is preauthorized."""
    return OAuthRefusal("invalid_grant", "user hasn't approved this consumer")

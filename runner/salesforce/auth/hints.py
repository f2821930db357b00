"""What to do about each refused sign-in, by the org's error code and message.

Covers the token endpoint, the error in a redirect, and the pages that Salesforce shows
instead of redirecting. Plain texts; knows nothing of requests.
"""

from __future__ import annotations

_SIGN_IN_AGAIN = "Sign in again with `runner login`."
_REPLACED = (
    "The refresh token was revoked, expired, or was replaced by a newer one (another "
    f"copy of the token file, or a sixth sign-in with the same app). {_SIGN_IN_AGAIN}"
)
_ADDRESS = (
    "The user may not sign in from this machine's IP address. Ask an admin to add the address to "
    "the login IP ranges of the user's profile, or to relax IP restrictions in the app's policies."
)
_HOURS = (
    "The login hours of the user's profile do not include this time. Run at another time, or ask "
    "an admin to extend them."
)
_INACTIVE = "Ask an admin to activate the user; a new sign-in would be refused as well."
_INACTIVE_ORG = "The org is not active; ask its admin or Salesforce."
_HINTS: tuple[tuple[str, str, str], ...] = (
    (
        "invalid_grant",
        "expired access/refresh token",
        _REPLACED,
    ),
    (
        "invalid_grant",
        "authorization code",
        "A code works once, within 15 minutes. Start `runner login` again and finish it promptly.",
    ),
    (
        "invalid_grant",
        "hasn't approved this consumer",
        (
            "Ask an admin to pre-authorise the user: under Permitted Users in the app's policies, "
            "and in the user's profile or permission set."
        ),
    ),
    (
        "invalid_grant",
        "audience",
        (
            "The sign-in went to the wrong kind of org: check `environment` (live or sandbox) and "
            "`domain`."
        ),
    ),
    (
        "invalid_grant",
        "assertion",
        (
            "The signed assertion was rejected: check this machine's clock, and that the app has "
            "the key's certificate."
        ),
    ),
    (
        "invalid_grant",
        "not supported on this domain",
        "This sign-in only works on the org's My Domain: set `domain` in the connection.",
    ),
    (
        "invalid_grant",
        "no client credentials user enabled",
        "Set a run-as user in the app's policies, under Client Credentials Flow.",
    ),
    (
        "invalid_grant",
        "authentication failure",
        (
            "The user is locked out, may not sign in from this IP address, or the flow is blocked: "
            "see the user's Login History in Setup."
        ),
    ),
    ("invalid_grant", "ip restricted", _ADDRESS),
    ("invalid_grant", "invalid login hours", _HOURS),
    ("invalid_grant", "user is inactive", _INACTIVE),
    ("invalid_grant", "inactive user", _INACTIVE),
    ("invalid_grant", "organization is inactive", _INACTIVE_ORG),
    ("invalid_grant", "inactive organization", _INACTIVE_ORG),
    ("invalid_grant", "locked", "Ask an admin to unlock the user, or wait until the lock ends."),
    (
        "invalid_grant",
        "password expired",
        "Set a new password in the browser, then sign in again with `runner login`.",
    ),
    ("invalid_grant", "", _SIGN_IN_AGAIN),
    (
        "invalid_client_id",
        "",
        (
            "Check `client_id` against the app's consumer key. A new app takes 2 to 10 minutes "
            "to work; a sandbox needs its own app."
        ),
    ),
    (
        "invalid_client",
        "secret required",
        "Turn off `Require secret` for the web server and refresh flows in the app's settings.",
    ),
    ("invalid_client", "", "Check the app's consumer key and secret."),
    (
        "app_not_found",
        "",
        (
            "Install the External Client App in this org (a sandbox needs its own copy), or ask an "
            "admin to; then sign in again."
        ),
    ),
    ("inactive_user", "", _INACTIVE),
    ("inactive_org", "", _INACTIVE_ORG),
    (
        "redirect_uri_mismatch",
        "",
        (
            "Add exactly this callback URL to the app: http://localhost:1717/OauthRedirect, or "
            "the same with the port of `--port`."
        ),
    ),
    (
        "invalid_request",
        "code challenge",
        "The app requires PKCE; the browser sign-in of `runner login` uses it.",
    ),
    (
        "invalid_request",
        "",
        "Give the app the scopes `api` and `refresh_token`, and install it in the org.",
    ),
    ("unsupported_grant_type", "", "Turn on this sign-in flow in the app's settings."),
    ("unsupported_response_type", "", "Turn on the web server flow in the app's settings."),
    ("invalid_scope", "", "Give the app the scopes `api` and `refresh_token`."),
    (
        "access_denied",
        "",
        "Sign in again and choose Allow, or use another user.",
    ),
    (
        "rate_limit_exceeded",
        "",
        "The user has signed in too often (limit: 3,600 times an hour); wait an hour.",
    ),
    ("unknown_error", "", "The org asks to try again in a few minutes."),
    ("temporarily_unavailable", "", "The org asks to try again in a few minutes."),
    (
        "OAUTH_APP_BLOCKED",
        "",
        "An admin has blocked the app: Setup > Connected Apps OAuth Usage > Unblock.",
    ),
    (
        "OAUTH_APP_ACCESS_DENIED",
        "",
        (
            "Only users approved by an admin may use the app: give the user's profile or "
            "permission set access to it."
        ),
    ),
    (
        "OAUTH_EC_APP_NOT_FOUND",
        "",
        "Install the External Client App in this org; a sandbox needs its own copy.",
    ),
)


def refusal_hint(code: str, description: str = "") -> str:
    """What to do about an error of the authorize page or the token endpoint."""
    words = description.lower()
    for hint_code, text, hint in _HINTS:
        if hint_code == code and text in words:
            return hint
    return "Check the app in Setup > External Client App Manager, then sign in again."


def is_dead(description: str) -> bool:
    """Whether a refused refresh means that its token is of no more use, by the description."""
    hint = refusal_hint("invalid_grant", description)
    return hint in (_SIGN_IN_AGAIN, _REPLACED)

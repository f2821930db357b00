"""What to do about each refusal of a sign-in, by the code and the words of the org.

Covers the token endpoint, the error a redirect brings, and the pages that Salesforce shows
instead of redirecting. Plain texts; knows nothing of requests.
"""

from __future__ import annotations

_ANEW = "Sign in again with `runner login`."
_HINTS: tuple[tuple[str, str, str], ...] = (
    (
        "invalid_grant",
        "expired access/refresh token",
        (
            "The refresh token was revoked, has expired or was replaced by a newer one (another "
            f"copy of the token file, or a sixth sign-in with the same app). {_ANEW}"
        ),
    ),
    (
        "invalid_grant",
        "authorization code",
        "A code works once and for 15 minutes. Start `runner login` again and finish it at once.",
    ),
    (
        "invalid_grant",
        "hasn't approved this consumer",
        (
            "Let an admin pre-authorise the user: the app's policies, Permitted Users, and its "
            "profile or permission set."
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
            "The signed assertion was not taken: check this machine's clock and that the app holds "
            "the certificate of the key."
        ),
    ),
    (
        "invalid_grant",
        "not supported on this domain",
        "This sign-in works on the org's My Domain only: write `domain` in the connection.",
    ),
    (
        "invalid_grant",
        "no client credentials user enabled",
        "Set a run-as user in the app's policies, Client Credentials Flow.",
    ),
    (
        "invalid_grant",
        "authentication failure",
        (
            "The user is locked, has no access from this address, or the flow is blocked: see the "
            "user's Login History in Setup."
        ),
    ),
    ("invalid_grant", "", _ANEW),
    (
        "invalid_client_id",
        "",
        (
            "Check `client_id` against the app's consumer key. A new app needs 2 to 10 minutes; a "
            "sandbox needs an app of its own."
        ),
    ),
    (
        "invalid_client",
        "secret required",
        "Switch off `Require secret` for the web server and refresh flows in the app's settings.",
    ),
    ("invalid_client", "", "Check the app's consumer key and secret."),
    (
        "app_not_found",
        "",
        (
            "Install the External Client App in this very org (a sandbox needs a copy of its own), "
            "or let an admin do so; then sign in again."
        ),
    ),
    ("inactive_user", "", "Let an admin activate the user, then sign in again."),
    ("inactive_org", "", "The org is not active; ask Salesforce or its admin."),
    (
        "redirect_uri_mismatch",
        "",
        (
            "Add the callback URL to the app, the same to the letter: "
            "http://localhost:1717/OauthRedirect, or with the port of `--port`."
        ),
    ),
    (
        "invalid_request",
        "code challenge",
        "The app asks for PKCE; the browser sign-in `runner login` sends it.",
    ),
    (
        "invalid_request",
        "",
        "Give the app the scopes `api` and `refresh_token`, and install it in the org.",
    ),
    ("unsupported_grant_type", "", "Switch this sign-in flow on in the app's settings."),
    ("unsupported_response_type", "", "Switch the web server flow on in the app's settings."),
    ("invalid_scope", "", "Give the app the scopes `api` and `refresh_token`."),
    (
        "access_denied",
        "",
        "Access was refused in the browser. Sign in again and press Allow, or as another user.",
    ),
    (
        "rate_limit_exceeded",
        "",
        "The user has signed in too often (3,600 times an hour); wait an hour.",
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
            "Only users whom an admin approved may use the app: give the user's profile or "
            "permission set access to it."
        ),
    ),
    (
        "OAUTH_EC_APP_NOT_FOUND",
        "",
        "Install the External Client App in this org; a sandbox needs a copy of its own.",
    ),
)


def refusal_hint(code: str, description: str = "") -> str:
    """What to do about an error of the authorize page or the token endpoint."""
    told = description.lower()
    for hint_code, text, hint in _HINTS:
        if hint_code == code and text in told:
            return hint
    return "Check the app in Setup > External Client App Manager, then sign in again."

"""The org's answer to a sign-in in the browser: the query of the redirect.

Pure: from text to an authorization code, or to the reason why there is none. Knows nothing of
whether the text came through the listener or was pasted.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from runner.credentials import Secret
from runner.errors import SignInError
from runner.salesforce.auth.hints import refusal_hint

PATH = "/OauthRedirect"
ACCESS_DENIED = "access_denied"


class AccessDeniedError(SignInError):
    """The user denied access in the browser."""


class Callback(Struct, frozen=True):
    """One answer of the org: a code or an error."""

    code: Secret | None = None
    state: str | None = None
    error: str | None = None
    description: str | None = None


def redirect_uri(port: int) -> str:
    """The callback URL; the org compares it with the registered ones, port included."""
    return f"http://localhost:{port}{PATH}"


def callback_of(query: str) -> Callback | None:
    """Parse the query of a redirect; None if it is not an answer of an org.

    A parameter must not appear twice (RFC 6749, section 3.1).
    """
    try:
        given = parse_qs(query, max_num_fields=20)
    except ValueError:
        return None
    if any(len(values) > 1 for values in given.values()):
        return None
    code, state, error, description = (
        given.get(name, [None])[0] for name in ("code", "state", "error", "error_description")
    )
    if (code is None) == (error is None):
        return None
    return Callback(Secret(code) if code else None, state, error, description)


def pasted_callback(text: str) -> Callback:
    """Parse the URL that the user copied from the browser.

    Raises:
        SignInError: It is not the URL of the last page.
    """
    try:
        query = urlsplit("".join(text.split())).query  # a terminal may have wrapped it
    except ValueError:
        query = ""
    callback = callback_of(query)
    if callback is None:
        raise SignInError(
            "The pasted text is not the URL of the last page of the sign-in.",
            hint=f"It begins with http://localhost and contains {PATH}?code=. Once you allow "
            "access it is in the browser's address bar, though the page itself does not load.",
        )
    return callback


def code_of(callback: Callback, expected_state: str) -> Secret:
    """The code in an answer to our own request.

    Raises:
        AccessDeniedError: The user denied access.
        SignInError: It answers another request, or the org refused.
    """
    if not _same(callback.state, expected_state) and (callback.state or callback.code):
        raise SignInError(
            "The browser's answer belongs to another sign-in: its `state` is not the one sent.",
            hint="Close older sign-in pages, then run the command again. If you did not open one, "
            "somebody may have tried to sign you in to their org.",
        )
    if callback.code is not None:
        return callback.code
    raise _error_of(callback)


def _same(state: str | None, expected: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest((state or "").encode(), expected.encode())


def _error_of(callback: Callback) -> SignInError:
    code, description = callback.error or "", callback.description or "no description"
    hint = refusal_hint(code, description)
    if code == ACCESS_DENIED:
        return AccessDeniedError(f"Access was denied in the browser ({description}).", hint=hint)
    return SignInError(f"The org refused the sign-in: {code}: {description}.", hint=hint)

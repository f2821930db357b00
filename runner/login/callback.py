"""What the org answers through the browser: the query of the redirect.

Pure: text to a code, or to the reason why there is none. Whether it came through the listener or
was pasted makes no difference here.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from runner.credentials import Secret
from runner.errors import SignInError
from runner.salesforce.auth.hints import refusal_hint

PATH = "/OauthRedirect"
REFUSED = "access_denied"


class RefusedError(SignInError):
    """Whoever was at the browser said no."""


@dataclass(frozen=True, slots=True)
class Callback:
    """One answer of the org; it has a code or an error."""

    code: Secret | None = None
    state: str | None = None
    error: str | None = None
    description: str | None = None


def redirect_uri(port: int) -> str:
    """Give the callback address; the org compares it, port and all, with the registered ones."""
    return f"http://localhost:{port}{PATH}"


def callback_of(query: str) -> Callback | None:
    """Read the query of a redirect; None where it is no answer of an org.

    A parameter that comes twice makes it none (RFC 6749, section 3.1).
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
    """Read the address that somebody copied from the browser.

    Raises:
        SignInError: It is not the address of the page that came last.
    """
    try:
        query = urlsplit("".join(text.split())).query  # a terminal may have wrapped it
    except ValueError:
        query = ""
    callback = callback_of(query)
    if callback is None:
        raise SignInError(
            "What was pasted is not the address that the sign-in ended at.",
            hint=f"It begins with http://localhost, holds {PATH}?code=, and stands in the "
            "browser's address bar once access is allowed, though the page itself does not load.",
        )
    return callback


def code_of(callback: Callback, expected_state: str) -> Secret:
    """Give the code of an answer to our own question.

    Raises:
        RefusedError: Access was refused in the browser.
        SignInError: It answers another question, or the org refused.
    """
    if not _same(callback.state, expected_state) and (callback.state or callback.code):
        raise SignInError(
            "The browser brought the answer to another sign-in: its state is not the one sent.",
            hint="Close older sign-in pages, then run the command again. If it was not you who "
            "opened one, somebody may have tried to sign you in to an org of theirs.",
        )
    if callback.code is not None:
        return callback.code
    raise _error_of(callback)


def _same(state: str | None, expected: str) -> bool:
    """Compare in a time that tells nothing of how much was right."""
    return hmac.compare_digest((state or "").encode(), expected.encode())


def _error_of(callback: Callback) -> SignInError:
    code, description = callback.error or "", callback.description or "no description"
    hint = refusal_hint(code, description)
    if code == REFUSED:
        return RefusedError(f"Access was refused in the browser ({description}).", hint=hint)
    return SignInError(f"The org refused the sign-in: {code}: {description}.", hint=hint)

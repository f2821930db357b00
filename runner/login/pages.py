"""The pages that end a sign-in in the browser.

Pure: HTML that needs nothing else, not even JavaScript, and reads well on a phone. Knows nothing
of tokens or codes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from enum import StrEnum
from html import escape
from http import HTTPStatus

from msgspec import Struct


class Status(StrEnum):
    """How a sign-in ended, or that it has not."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"
    PENDING = "pending"


class SignInEnd(Struct, frozen=True):
    """How a sign-in ended, with more detail if there is some."""

    status: Status
    detail: str = ""


class Page(Struct, frozen=True):
    """One answer to the browser."""

    status: HTTPStatus
    body: bytes


_TEXTS: Mapping[Status, tuple[HTTPStatus, str, str, str]] = {
    Status.DONE: (
        HTTPStatus.OK,
        "✓",
        "Signed in",
        "You can close this page and go back to the terminal.",
    ),
    Status.REFUSED: (
        HTTPStatus.FORBIDDEN,
        "✗",
        "Access was denied",
        "Nothing was saved. To try again, run the command again and choose Allow.",
    ),
    Status.FAILED: (
        HTTPStatus.BAD_REQUEST,
        "✗",
        "The sign-in failed",
        "Nothing was saved. The terminal says why and what to do.",
    ),
    Status.EXPIRED: (
        HTTPStatus.GONE,
        "✗",
        "This sign-in is over",
        "It has already been answered, or has timed out. To sign in, run the command again.",
    ),
    Status.PENDING: (
        HTTPStatus.OK,
        "…",
        "Almost done",
        "The terminal shows how it ends. You can close this page.",
    ),
}
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#f6f8fa;--card:#fff;
--good:#1a7f37;--bad:#b42318}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b1;--paper:#0d1117;
--card:#161b22;--good:#3fb950;--bad:#f97066}}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--paper);
color:var(--ink);font:1.0625rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{box-sizing:border-box;width:min(28rem,100% - 2rem);padding:2rem;border-radius:1rem;
background:var(--card);text-align:center;box-shadow:0 1px 3px #0003}
.mark{font-size:2.5rem;line-height:1;color:var(--bad)}
.done .mark{color:var(--good)}.pending .mark{color:var(--soft)}
h1{margin:.75rem 0 .5rem;font-size:1.5rem}
p{margin:.5rem 0 0;color:var(--soft);overflow-wrap:anywhere}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Mapping[str, str] = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}
"""Sent with every page: nothing is cached, no referrer is sent, nothing else is loaded."""


def page_of(end: SignInEnd) -> Page:
    """The page that shows how a sign-in ended."""
    status, mark, heading, advice = _TEXTS[end.status]
    return Page(status, _html(end.status, mark, heading, (end.detail, advice)))


def not_found() -> Page:
    """The page for every URL that is not the callback."""
    texts = ("This address only answers a sign-in in progress.",)
    return Page(HTTPStatus.NOT_FOUND, _html(Status.FAILED, "✗", "Nothing here", texts))


def _html(tone: str, mark: str, heading: str, texts: tuple[str, ...]) -> bytes:
    paragraphs = "\n".join(f"<p>{escape(text)}</p>" for text in texts if text)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(heading)} - Salesforce runner</title>
<style>{_STYLE}</style>
</head>
<body>
<main class="{escape(tone)}">
<div class="mark" aria-hidden="true">{mark}</div>
<h1>{escape(heading)}</h1>
{paragraphs}
</main>
</body>
</html>
""".encode()

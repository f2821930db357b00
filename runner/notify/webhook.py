"""Sends over HTTP: a signed webhook, and what else is posted to a URL. Where secrets are read.

Follows no redirect. Nothing it raises contains a secret. Knows nothing of queues.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from urllib.parse import SplitResult, unquote, urlsplit

from runner.credentials import Secret, SecretReference
from runner.errors import RunnerError, UsageError
from runner.job.secrets import read_secret
from runner.notify.message import Document
from runner.redaction import register_secret
from runner.salesforce.http.messages import OrgRequest
from runner.salesforce.http.transport import Transport
from runner.salesforce.http.waits import time_limit

TIMEOUT_SECONDS = 2.0
"""For one message: a run does not wait longer for those who are notified."""
SECRET_SECONDS = 10.0
"""How long a command may take to print a secret."""
_SECRET_PREFIX = "whsec_"  # noqa: S105 - marks a secret in base64

Sender = Callable[[Document], None]
"""Sends one message; raises a RunnerError that says why it was not sent."""


class NotSentError(RunnerError):
    """A message was not sent; nothing else is affected."""


def post_to(
    url: Secret, body: bytes, headers: dict[str, str], timeout_seconds: float = TIMEOUT_SECONDS
) -> None:
    """Send a POST to a URL once, and follow no redirect.

    Raises:
        NotSentError: It was not answered with success in time.
    """
    request = OrgRequest("POST", url.reveal(), headers, body=body)
    try:
        with time_limit(timeout_seconds), Transport() as transport:
            status = transport.send(request).status
    except RunnerError as error:
        raise NotSentError(_without(error.message, url)) from None
    if not 200 <= status < 300:  # noqa: PLR2004 - a success of HTTP
        more = "; redirects are not followed" if 300 <= status < 400 else ""  # noqa: PLR2004
        raise NotSentError(f"it answered {status}{more}")


def own_secret(place: SecretReference, what: str) -> Secret:
    """Read a secret by its reference.

    Raises:
        SignInError: It is missing; says where it should be.
    """
    return read_secret(place, what=what, timeout_seconds=SECRET_SECONDS)


def url_of(place: SecretReference, what: str, schemes: tuple[str, ...]) -> SplitResult:
    """Read a URL by its reference; its secret parts are never shown from now on.

    Raises:
        SignInError: It is missing.
        UsageError: It has none of the schemes, or no host.
    """
    parts = _split(own_secret(place, what).reveal())
    if parts is None or parts.scheme not in schemes:
        forms = " or ".join(f"{each}://" for each in schemes)
        raise UsageError(f"{what[0].upper()}{what[1:]} in {place} does not begin with {forms}.")
    for part in (unquote(parts.password or ""), parts.path[1:], parts.query):
        register_secret(part)
    return parts


def _split(url: str) -> SplitResult | None:
    """The parts of a URL with a host; None if it is not one."""
    try:
        parts = urlsplit(url)
        is_one = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if is_one else None


def web_url(place: SecretReference, what: str) -> Secret:
    """Read the URL of something that is reached over HTTP.

    Raises:
        RunnerError: It is missing, or not such a URL.
    """
    return Secret(url_of(place, what, ("https", "http")).geturl())


def _without(text: str, url: Secret) -> str:
    """A message about a URL whose path is often secret, too."""
    path = urlsplit(url.reveal()).path
    return text.replace(path, "/…") if len(path) > 1 else text


def post_signed(
    url: Secret, secret: Secret | None, document: Document, timeout_seconds: float
) -> None:
    """Post a message as JSON, signed if there is a secret.

    Raises:
        NotSentError: It was not answered with success in time.
        UsageError: The secret is not what it claims to be.
    """
    body = json.dumps(document, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", **signed(document["id"], body, secret)}
    post_to(url, body, headers, timeout_seconds)


def signed(
    message_id: str, body: bytes, secret: Secret | None, now: datetime | None = None
) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0: id, timestamp and, with a secret, the signature.

    The key is the secret's text; after `whsec_` it is base64.
    """
    seconds = int((now or datetime.now(UTC)).timestamp())
    headers = {"webhook-id": message_id, "webhook-timestamp": str(seconds)}
    if secret is None:
        return headers
    text = secret.reveal()
    try:
        encoded = text.startswith(_SECRET_PREFIX)
        key = b64decode(text.removeprefix(_SECRET_PREFIX)) if encoded else text.encode()
    except BadBase64:
        raise UsageError(
            f"The secret of the webhook begins with {_SECRET_PREFIX}, and is not base64."
        ) from None
    signature = digest(key, f"{message_id}.{seconds}.".encode() + body, sha256)
    return {**headers, "webhook-signature": f"v1,{b64encode(signature).decode()}"}

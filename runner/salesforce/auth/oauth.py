"""Every sign-in, refresh and revoke: requests to send, answers to read.

Pure: builds request values and reads answers; its callers send them. Knows nothing of browsers,
files or retries.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from runner.credentials import Secret, Token
from runner.errors import OrgError, SignInError, TransientError, UnexpectedAnswerError
from runner.salesforce.auth.hints import refusal_hint
from runner.salesforce.http.error_bodies import (
    error_of,
    faults_of,
    lacking_hint,
    request_of,
)
from runner.salesforce.http.hosts import origin_of
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.ids import eighteen

SCOPES = ("api", "refresh_token")
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_TRANSIENT_CODES = frozenset({"rate_limit_exceeded", "unknown_error", "temporarily_unavailable"})
_IDENTITY_PARTS = 3


class TokenAnswer(msgspec.Struct):
    """What the token endpoint answers; all but the access token may be left out."""

    access_token: str | None = None
    refresh_token: str | None = None
    instance_url: str | None = None
    id: str | None = None
    """The identity URL."""
    scope: str | None = None
    issued_at: str | int | None = None


class Client(Struct, frozen=True):
    """The app that asks, and where."""

    login_url: str
    """Origin, such as `https://login.salesforce.com`."""
    client_id: str
    """The External Client App's consumer key; not a secret."""
    client_secret: Secret | None = None
    """Only where the app requires it."""


def authorize_url(
    client: Client,
    *,
    redirect_uri: str,
    state: str,
    code_challenge: str,
) -> str:
    """The page where a person allows the access.

    Args:
        client: The app and its login host.
        redirect_uri: A registered callback, character for character, its port included.
        state: Comes back in the redirect.
        code_challenge: BASE64URL(SHA256(verifier)), unpadded; the method is S256.
    """
    asked = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(SCOPES),
        "state": state,
        "code_challenge": code_challenge,
        "code_challenge_method": "S256",
    }
    return f"{client.login_url}/services/oauth2/authorize?{urlencode(asked, quote_via=quote)}"


def code_exchange(
    client: Client, *, redirect_uri: str, code: Secret, code_verifier: Secret
) -> OrgRequest:
    """Trade the code of a redirect (decoded) for a token. A code works once."""
    return _token_request(
        client,
        {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        },
    )


def refresh(client: Client, refresh_token: Secret) -> OrgRequest:
    """Trade a refresh token for a new access token, without scopes: naming any makes it fail.

    It is not repeatable: where the org rotates refresh tokens, using an old one twice ends the
    whole sign-in.
    """
    return _token_request(client, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def jwt_bearer(client: Client, assertion: Secret) -> OrgRequest:
    """Trade a signed assertion for an access token; may be repeated."""
    return OrgRequest(
        "POST",
        f"{client.login_url}/services/oauth2/token",
        headers={"Accept": "application/json"},
        form={"grant_type": JWT_BEARER, "assertion": assertion},
        idempotent=True,
    )


def client_credentials(client: Client) -> OrgRequest:
    """Trade the app's key and secret for an access token; My Domain only."""
    request = _token_request(client, {"grant_type": "client_credentials"})
    return replace(request, idempotent=True)


def revoke(login_url: str, token: Secret) -> OrgRequest:
    """Revoke a token. Revoking a refresh token ends its access tokens too."""
    return OrgRequest(
        "POST", f"{login_url}/services/oauth2/revoke", form={"token": token}, idempotent=True
    )


def token_of(response: OrgResponse, client: Client, *, previous: Token | None = None) -> Token:
    """The token in an answer of the token endpoint.

    Args:
        response: The answer.
        client: What the request was made with.
        previous: The token that was refreshed; it fills in what the answer leaves out, above all
            the refresh token.

    Raises:
        SignInError: The org refused; the hint says what to do.
        TransientError: It may work later.
        UnexpectedAnswerError: The answer contains no token.
    """
    if not response.ok:
        raise sign_in_error_of(response)
    answer = read_json(response, TokenAnswer)
    base = previous or Token(Secret(""), instance_url="")
    instance_url = answer.instance_url or base.instance_url
    if not answer.access_token or not instance_url:
        raise UnexpectedAnswerError(
            "The org's answer to the sign-in contains no token", status=response.status
        )
    rotated = answer.refresh_token
    org_id, user_id = _identity(answer.id or "")
    return replace(
        base,
        access_token=Secret(answer.access_token),
        instance_url=origin_of(instance_url),
        refresh_token=Secret(rotated) if rotated else base.refresh_token,
        client_id=client.client_id,
        login_url=client.login_url,
        org_id=org_id or base.org_id,
        user_id=user_id or base.user_id,
        scopes=tuple((answer.scope or "").split()) or base.scopes,
        issued_at=_moment(answer.issued_at) or base.issued_at,
        rotates=base.rotates or bool(rotated and base.refresh_token),
        renewal_began=None,
    )


def sign_in_error_of(response: OrgResponse) -> SignInError | OrgError:
    """The error for a refusal by the token or revoke endpoint."""
    found = faults_of(response)
    code = found[0].code if found else None
    if code is None:
        return error_of(response)
    lacking = lacking_hint(response)
    hint = lacking or refusal_hint(code, found[0].message)
    named = request_of(response) if lacking else ""
    message = f"The org refused the sign-in: {code}: {found[0].message}{named}"
    if code in _TRANSIENT_CODES or response.status >= 500:  # noqa: PLR2004 - the server's fault
        return TransientError(message, status=response.status, code=code, hint=hint)
    return SignInError(message, hint=hint)


def _token_request(client: Client, form: Mapping[str, str | Secret]) -> OrgRequest:
    secret = {"client_secret": client.client_secret} if client.client_secret else {}
    return OrgRequest(
        "POST",
        f"{client.login_url}/services/oauth2/token",
        headers={"Accept": "application/json"},
        form={**form, "client_id": client.client_id, **secret},
    )


def _identity(url: str) -> tuple[str | None, str | None]:
    """Org and user from `https://login.salesforce.com/id/<org>/<user>`."""
    parts = urlsplit(url).path.strip("/").split("/")
    if len(parts) != _IDENTITY_PARTS or parts[0] != "id":
        return None, None
    return eighteen(parts[1]), eighteen(parts[2])


def _moment(milliseconds: str | int | None) -> datetime | None:
    """`issued_at` is a text of milliseconds since 1970."""
    try:
        return datetime.fromtimestamp(int(milliseconds or "") / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None

"""How an expired access token is replaced: by a refresh, or by a new sign-in.

Knows which request each kind of token needs, and why a refresh may be refused. Sends nothing,
stores nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime

from runner.credentials import ClientCredentials, Grant, JwtBearer, Token
from runner.errors import SignInError
from runner.job.secrets import read_secret
from runner.salesforce.auth import oauth
from runner.salesforce.http.hosts import audience_of, origin_of, refuse_common_host
from runner.salesforce.http.messages import OrgRequest


def client_of(token: Token) -> oauth.Client:
    """The app that a token belongs to, and where the token is renewed.

    Raises:
        SignInError: The token does not say which app.
    """
    if token.client_id is None:
        raise SignInError(
            "The token does not say which app it belongs to",
            hint="Add `client_id` to the connection, then sign in again.",
        )
    login_url = origin_of(token.login_url or token.instance_url)
    secret = token.client_secret
    if isinstance(token.grant, ClientCredentials):
        secret = read_secret(token.grant.secret, what="the app's secret")
    return oauth.Client(login_url, token.client_id, secret)


def can_renew(token: Token) -> bool:
    """Whether the access token can be replaced without a person."""
    return token.grant is not None or token.refresh_token is not None


def renewal_request(token: Token, client: oauth.Client) -> OrgRequest:
    """The request for a new access token.

    Raises:
        SignInError: A key or secret cannot be read, or the token cannot be renewed at all.
    """
    match token.grant:
        case JwtBearer() as grant:
            return _by_assertion(grant, client)
        case ClientCredentials():
            refuse_common_host(client.login_url)
            return oauth.client_credentials(client)
        case None:
            pass
    if token.refresh_token is None:
        raise SignInError("There is no refresh token to renew the access token with")
    return oauth.refresh(client, token.refresh_token)


def _by_assertion(grant: JwtBearer, client: oauth.Client) -> OrgRequest:
    from runner.salesforce.auth.assertion import signed  # noqa: PLC0415 - slow; only a JWT sign-in needs it

    assertion = signed(
        client_id=client.client_id,
        username=grant.username,
        audience=audience_of(client.login_url),
        key=read_secret(grant.key, what="the private key"),
        passphrase=read_secret(grant.passphrase, what="the key's passphrase")
        if grant.passphrase
        else None,
        now=datetime.now(UTC),
    )
    return oauth.jwt_bearer(client, assertion)


def sign_in_method(token: Token) -> str:
    """How the token was obtained, in words."""
    return _METHODS[type(token.grant)] if token.grant else "browser or import"


_METHODS: dict[type[Grant], str] = {
    JwtBearer: "JWT bearer",
    ClientCredentials: "client credentials",
}


def lost_sign_in(token: Token, place: str) -> str | None:
    """Why the org no longer knows a refresh token, as far as this machine can tell."""
    if token.renewal_began is not None:
        return (
            f"A renewal of this token started at {_moment(token.renewal_began)} and was cut off "
            "before its answer could be saved; if the org replaces refresh tokens, the new one "
            "was lost with it."
        )
    if token.rotates:
        renewed = f", last renewed here at {_moment(token.issued_at)}," if token.issued_at else ""
        return (
            f"The org replaces the refresh token each time it is used, and the one in {place}"
            f"{renewed} was used before: another copy of this token file was used (a backup, a "
            "container image, a CI cache, another machine). The org then ends the whole sign-in. "
            "Use only one copy, and sign in separately on each machine."
        )
    return None


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

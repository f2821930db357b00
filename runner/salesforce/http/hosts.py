"""Which host a connection signs in at, and which hosts may be given a token.

Knows the host names of Salesforce (production, sandboxes, My Domain). Opens nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from runner.errors import SignInError, UsageError
from runner.job.model import Connection, Environment
from runner.job.my_domain import (
    LIVE_LOGIN_HOST,
    SANDBOX_LOGIN_HOST,
    environment_of_host,
    host_of,
    is_of_salesforce,
    names_no_sandbox,
    with_sandbox,
)

LIVE_LOGIN = f"https://{LIVE_LOGIN_HOST}"
SANDBOX_LOGIN = f"https://{SANDBOX_LOGIN_HOST}"


def login_url(connection: Connection) -> str:
    """The origin where a connection signs in, without a slash at its end.

    Its host is `my_domain.host_of` the connection's `domain`.

    Raises:
        UsageError: The domain is of another kind of org, or incomplete.
    """
    if connection.environment is Environment.LOCAL:
        return _local_url(connection)
    if connection.domain is None:
        live = connection.environment is Environment.LIVE
        return LIVE_LOGIN if live else SANDBOX_LOGIN
    host = host_of(connection.domain, connection.environment)
    _refuse_the_other_kind(host, connection)
    return f"https://{host}"


def audience_of(url: str) -> str:
    """The audience of a JWT sign-in's assertion: the kind of org, not its own host."""
    environment = environment_of(url)
    if environment is Environment.LOCAL:
        return url
    return SANDBOX_LOGIN if environment is Environment.SANDBOX else LIVE_LOGIN


def refuse_common_host(url: str) -> None:
    """Refuse the hosts that all orgs share, for a sign-in that only works on My Domain.

    Raises:
        SignInError: It is one of them.
    """
    if url in {LIVE_LOGIN, SANDBOX_LOGIN}:
        raise SignInError(
            f"The client credentials sign-in does not work at {url}, only on the org's My Domain.",
            hint="Set `domain` in the connection, such as `acme` for https://acme.my.salesforce.com.",
        )


def check_may_have_secrets(url: str, allowed: Collection[str] = ()) -> None:
    """Refuse to send a secret to a host that is neither Salesforce's nor this machine.

    Args:
        url: Where a request with a secret in it is about to go.
        allowed: Further hosts that the user trusts, such as `gateway.acme.example`.

    Raises:
        UsageError: It is not one of these, or not reached by https.
    """
    host = (urlsplit(origin_of(url)).hostname or "").lower()
    is_allowed = host in {each.lower() for each in allowed}
    if is_allowed or is_loopback(host) or is_of_salesforce(host):
        return
    raise UsageError(
        f"{host} is not a Salesforce host; no token is sent there.",
        hint="Correct `domain` in the connection, or the URLs in the token. If it is your own "
        f"gateway to the org, allow it with `--allow-host {host}` or SFRUNNER_ALLOW_HOST.",
    )


def environment_of(url: str) -> Environment | None:
    """Which kind of org a host belongs to; None where its name does not say."""
    host = (urlsplit(url).hostname or "").lower()
    if is_loopback(host):
        return Environment.LOCAL
    return environment_of_host(host)


def origin_of(url: str) -> str:
    """Scheme and host of a URL: https, or http on loopback.

    Raises:
        UsageError: It is neither, so that no token may be sent there.
    """
    parts = urlsplit(url.strip())
    host = parts.hostname or ""
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    if not host or not secure or parts.username is not None:
        raise UsageError(
            f"{url} is not the URL of an org: it must be https, or http on loopback",
            hint="Write it like https://acme.my.salesforce.com.",
        )
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _local_url(connection: Connection) -> str:
    if connection.url is None:
        raise UsageError(
            "The local org needs no sign-in", hint="Just run the job; it starts the local org."
        )
    return origin_of(connection.url)


def _refuse_the_other_kind(host: str, connection: Connection) -> None:
    found = environment_of_host(host)
    if connection.environment is Environment.LIVE and found is Environment.SANDBOX:
        raise UsageError(
            f"{connection.domain} is a sandbox's domain, but the environment is live",
            hint="Set `environment: sandbox`, or remove `--` and what follows from the domain.",
        )
    if names_no_sandbox(host):
        raise UsageError(
            f"{connection.domain} does not say which sandbox",
            hint=f"Write the domain with the sandbox's name after two hyphens, such as "
            f"`{with_sandbox(connection.domain or host)}`.",
        )
    if connection.environment is Environment.SANDBOX and found is Environment.LIVE:
        raise UsageError(
            f"{connection.domain} is a production org's domain, but the environment is sandbox",
            hint="Write the sandbox's domain, such as `acme--uat`, or set `environment: live`.",
        )

"""The connection: each environment with what it needs, and no more."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from runner.credentials import ClientCredentials
from runner.diagnostics import Diagnostic, Severity
from runner.job.model import Connection, Environment
from runner.job.partial_job import Draft

_Found = tuple[str, str, str, str]
"""Key, code, message, help."""


def check(draft: Draft) -> Iterator[Diagnostic]:
    """Find what does not go with the environment."""
    connection = draft.connection
    if connection is None:
        return
    is_local = connection.environment is Environment.LOCAL
    for key, code, message, hint in _local(connection) if is_local else _remote(connection):
        path = (*draft.connection_path, key)
        present = path in draft.connection_origin.positions
        at = path if present else draft.connection_path
        severity = Severity.WARNING if code == "job/domain-without-sandbox" else Severity.ERROR
        yield draft.connection_origin.diagnose(
            at, code, message, help=hint, severity=severity, at_key=not present
        )


def _local(connection: Connection) -> Iterator[_Found]:
    if connection.domain:
        message = "the local org has no My Domain"
        yield "domain", "job/domain-with-local", message, "remove it, or choose live or sandbox"
    if connection.url is None:
        if connection.auth is not None:
            message = "the embedded local org needs no sign-in"
            yield "auth", "job/auth-with-local", message, "remove it, or name a server by its `url`"
        return
    if not _is_loopback(connection.url):
        message = f"{connection.url[:60]} is not this machine's own address"
        hint = "write http://127.0.0.1:PORT; a real org is `environment: live` or `sandbox`"
        yield "url", "job/url-not-loopback", message, hint
    if connection.token is None and connection.auth is None:
        message = "a `url` needs a `token`, or an `auth`"
        yield "token", "job/no-token", message, "for one `token: {env: ORG_TOKEN}`"
    yield from _auth(connection)
    if connection.org_file is not None:
        message = "`org_file` is for the embedded local org, not for a server at a `url`"
        yield "org_file", "job/org-file-with-url", message, "remove one of the two"


def _remote(connection: Connection) -> Iterator[_Found]:
    environment = connection.environment
    if connection.url is not None:
        message = f"`url` goes with `environment: local` only, not with `{environment}`"
        yield "url", "job/url-not-local", message, "name the org by its `domain`"
    if connection.org_file is not None:
        message = f"`org_file` goes with `environment: local` only, not with `{environment}`"
        yield "org_file", "job/org-file-not-local", message, "remove it"
    if connection.token is None and connection.auth is None:
        message = f"`environment: {environment}` needs a `token`: the place of one, not the token"
        hint = f"add `token: tokens/{environment}.json`, then run `runner login`; or `auth`"
        yield "token", "job/no-token", message, hint
    yield from _auth(connection)
    if connection.domain:
        yield from _domain(connection.domain, environment)


def _auth(connection: Connection) -> Iterator[_Found]:
    auth, token = connection.auth, connection.token
    if auth is None:
        return
    if connection.client_id is None:
        message = "`auth` needs a `client_id`: the consumer key of the app that signs in"
        yield "client_id", "job/no-client-id", message, "add `client_id: 3MVG9…`"
    if token is not None and token.path is None and token.keyring is None:
        message = "`auth` gives the token, and so does this `token`"
        hint = "remove one of the two; a path is where `auth` keeps its token between runs"
        yield "token", "job/auth-with-token", message, hint
    remote = connection.environment is not Environment.LOCAL
    if isinstance(auth, ClientCredentials) and remote and connection.domain is None:
        message = "client credentials work on the org's My Domain only"
        yield "domain", "job/no-domain", message, "add `domain: acme`"


def _domain(domain: str, environment: Environment) -> Iterator[_Found]:
    is_sandbox = "--" in domain or ".sandbox." in domain
    if environment is Environment.LIVE and is_sandbox:
        message = f"`{domain}` is the domain of a sandbox"
        yield "domain", "job/domain-is-sandbox", message, "write `environment: sandbox`"
    if environment is Environment.SANDBOX and not is_sandbox and "." not in domain:
        message = f"`{domain}` does not look like the domain of a sandbox"
        hint = f"a sandbox's domain holds its name: {domain}--uat"
        yield "domain", "job/domain-without-sandbox", message, hint


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"):
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

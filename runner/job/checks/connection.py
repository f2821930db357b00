"""The connection fits its environment, and the job stays inside the folders it may use.

The author of a job need not be the person who runs it, so only the latter can allow other folders.
Rows may be read from anywhere: reading them changes no file.
"""

from __future__ import annotations

import ipaddress
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from runner.credentials import ClientCredentials, JwtBearer, SecretReference
from runner.diagnostics import Diagnostic, Location
from runner.job.endpoints import STANDARD_STREAM, FileTarget, FolderTarget, Target
from runner.job.model import Connection, Environment
from runner.job.my_domain import (
    environment_of_host,
    host_of,
    is_of_salesforce,
    is_other_page,
    names_no_sandbox,
    with_sandbox,
)
from runner.job.origin import Origin
from runner.job.partial_job import PartialJob, file_path, option_path, query_targets, task_path
from runner.job.permissions import Permissions

MissingLibrary = Callable[[], tuple[str, str] | None]
"""What is missing, and how to install it; None if nothing is."""

_Found = tuple[str, str, str, str]
"""Key, code, message, help."""
_LOCAL_SCHEMES = frozenset(("file", "local", "asynclocal"))
"""Schemes of URLs that name files on this machine."""
_INSIDE = "::"
"""Between the parts of a URL of one file system in another: `zip://rows.csv::file:///out.zip`."""


def environment(job: PartialJob) -> Iterator[Diagnostic]:
    """Keys that the environment needs, or cannot use."""
    if job.connection is not None:
        yield from environment_problems(
            job.connection,
            job.connection_origin,
            job.connection_path,
            job.permissions,
            is_whole=job.connection_is_whole,
        )


def environment_problems(
    connection: Connection,
    origin: Origin,
    path: Location,
    permissions: Permissions,
    *,
    is_whole: bool,
) -> Iterator[Diagnostic]:
    """Keys that the environment of a connection needs, or cannot use.

    Args:
        connection: The connection to check.
        origin: The file that holds it.
        path: Where in that file.
        permissions: Hosts that tokens may also be sent to.
        is_whole: Whether no key of it has a problem; if not, what seems missing may be there.
    """
    is_local = connection.environment is Environment.LOCAL
    found = _local(connection) if is_local else _remote(connection, permissions)
    for key, code, message, hint in found:
        if code in _OF_ABSENCE and not is_whole:
            continue
        place = (*path, key)
        present = place in origin.positions
        at = place if present else path
        yield origin.diagnose(at, code, message, help=hint, at_key=not present)


_OF_ABSENCE = frozenset({"job/no-token", "job/no-client-id", "job/no-domain"})


def _local(connection: Connection) -> Iterator[_Found]:
    if connection.domain:
        message = "the local org has no My Domain"
        hint = "remove it, or set `environment` to live or sandbox"
        yield "domain", "job/domain-with-local", message, hint
    if connection.url is None:
        if connection.auth is not None:
            message = "the embedded local org needs no sign-in"
            yield "auth", "job/auth-with-local", message, "remove it, or add a server's `url`"
        return
    if not _is_loopback(connection.url):
        message = f"{connection.url[:60]} is not an address of this machine"
        hint = "write http://127.0.0.1:PORT; for a real org set `environment` to live or sandbox"
        yield "url", "job/url-not-loopback", message, hint
    if connection.token is None and connection.auth is None:
        message = "a `url` needs a `token` or `auth`"
        yield "token", "job/no-token", message, "for example `token: {env: ORG_TOKEN}`"
    yield from _auth(connection)
    if connection.org_file is not None:
        message = "`org_file` is for the embedded local org, not for a server at a `url`"
        yield "org_file", "job/org-file-with-url", message, "remove one of them"


def _remote(connection: Connection, permissions: Permissions) -> Iterator[_Found]:
    environment = connection.environment
    if connection.url is not None:
        message = f"`url` works only with `environment: local`, not with `{environment}`"
        yield "url", "job/url-not-local", message, "give the org's `domain` instead"
    if connection.org_file is not None:
        message = f"`org_file` works only with `environment: local`, not with `{environment}`"
        yield "org_file", "job/org-file-not-local", message, "remove it"
    if connection.token is None and connection.auth is None:
        message = f"`environment: {environment}` needs a `token`: where it is, not the token itself"
        hint = f"add `token: tokens/{environment}.json` and run `runner login`, or add `auth`"
        yield "token", "job/no-token", message, hint
    yield from _auth(connection)
    if connection.domain:
        yield from _domain(connection.domain, environment, permissions)


def _auth(connection: Connection) -> Iterator[_Found]:
    auth, token = connection.auth, connection.token
    if auth is None:
        return
    if connection.client_id is None:
        message = "`auth` needs a `client_id`: the consumer key of the app that signs in"
        yield "client_id", "job/no-client-id", message, "add `client_id: 3MVG9…`"
    if token is not None and not token.is_stored:
        message = "`auth` and this `token` both provide the token"
        hint = "remove one of them, or write the path where `auth` saves its token between runs"
        yield "token", "job/auth-with-token", message, hint
    remote = connection.environment is not Environment.LOCAL
    if isinstance(auth, ClientCredentials) and remote and connection.domain is None:
        message = "client credentials work only on the org's My Domain"
        yield "domain", "job/no-domain", message, "add `domain: acme`"


def _domain(domain: str, environment: Environment, permissions: Permissions) -> Iterator[_Found]:
    host = host_of(domain, environment)
    found = environment_of_host(host)
    if host in permissions.hosts:
        return
    if not is_of_salesforce(host) and not is_other_page(host):
        message = f"`{host}` is not a host of Salesforce's"
        hint = (
            "write the name of My Domain, such as `acme` or `acme--uat`: see Setup, My Domain; if "
            f"it is your own gateway to the org, allow it with `--allow-host {host}`"
        )
        yield "domain", "job/domain-not-salesforce", message, hint
    elif is_other_page(host):
        message = f"no org signs in at `{host}`"
        hint = "write the name of My Domain, such as `acme` or `acme--uat`: see Setup, My Domain"
        yield "domain", "job/domain-is-page", message, hint
    elif environment is Environment.LIVE and found is Environment.SANDBOX:
        message = f"`{domain}` is the domain of a sandbox"
        yield "domain", "job/domain-is-sandbox", message, "write `environment: sandbox`"
    elif environment is Environment.SANDBOX and names_no_sandbox(host):
        message = f"`{domain}` does not look like the domain of a sandbox"
        hint = f"write the sandbox's name after two hyphens, such as `{with_sandbox(domain)}`"
        yield "domain", "job/domain-without-sandbox", message, hint
    elif environment is Environment.SANDBOX and found is Environment.LIVE:
        message = f"`{domain}` is the domain of a production org"
        hint = "write the sandbox's domain, such as `acme--uat`, or `environment: live`"
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


def outside_folder(job: PartialJob) -> Iterator[Diagnostic]:
    """Files that the job may not write, or read secrets from."""
    if job.connection is not None:
        yield from secrets_outside(
            job.connection, job.connection_origin, job.connection_path, job.folder, job.permissions
        )
    yield from _nested_targets(job)
    for at, place in _written_paths(job):
        if not job.permissions.covers(place, job.folder):
            yield _outside(job.origin, at, place, job.folder)
    for origin, path, metrics in job.all_metrics:
        folder = metrics.textfile
        if folder is not None and not job.permissions.covers(folder, job.folder):
            at = (*path, "textfile")
            hint = f"run with `--allow-outside {shlex.quote(str(folder))}`"
            yield replace(_outside(origin, at, folder, job.folder), help=hint)


def libraries_of_metrics(job: PartialJob, missing: MissingLibrary | None) -> Iterator[Diagnostic]:
    """The library of metrics, if they are wanted and it is not installed."""
    found = missing() if missing is not None and job.all_metrics else None
    if found is not None:
        origin, path, _ = job.all_metrics[0]
        yield origin.diagnose(path, "job/missing-library", found[0], help=found[1])


def secrets_outside(
    connection: Connection, origin: Origin, path: Location, home: Path, permissions: Permissions
) -> Iterator[Diagnostic]:
    """Files of secrets that a connection may not name.

    Args:
        connection: The connection to check.
        origin: The file that holds it.
        path: Where in that file.
        home: The job's folder.
        permissions: Other folders that the job may use.
    """
    named: dict[Location, SecretReference | None] = {("token",): connection.token}
    if isinstance(connection.auth, JwtBearer):
        named["auth", "jwt", "key"] = connection.auth.key
    for keys, reference in named.items():
        if reference is None or reference.path is None:
            continue
        if not permissions.covers(reference.path, home, secret=True):
            inner = (*path, *keys, "file")
            at = inner if inner in origin.positions else (*path, *keys)
            yield _outside(origin, at, reference.path, home)


def _written_paths(job: PartialJob) -> Iterator[tuple[Location, Path]]:
    for write in job.writes:
        if write.results is not None:
            yield option_path(job, write, "results"), write.results
    for query in job.queries:
        if query.files is not None:
            yield task_path(query, "files"), query.files
        for path, target in query_targets(query):
            place = _local_path(target)
            if place is not None:
                yield file_path(path, job), place


def _local_path(target: Target) -> Path | None:
    """The path on this machine that a query writes; None if there is none."""
    if isinstance(target, FolderTarget):
        return target.path
    if not isinstance(target, FileTarget) or target.path == STANDARD_STREAM:
        return None
    if target.url is None:
        return target.path
    scheme, _, rest = target.url.partition("://")
    # As fsspec reads it: nothing is unquoted, and ? and # belong to the path.
    return Path(rest).expanduser() if scheme.lower() in _LOCAL_SCHEMES else None


def _nested_targets(job: PartialJob) -> Iterator[Diagnostic]:
    """Targets within another file system, which decides what file of this machine is written."""
    for query in job.queries:
        for path, target in query_targets(query):
            url = target.url if isinstance(target, FileTarget) else None
            if url is None or _INSIDE not in url:
                continue
            parts = [each.partition("://") for each in url.split(_INSIDE)]
            if any(not rest or scheme.lower() in _LOCAL_SCHEMES for scheme, _, rest in parts):
                yield job.origin.diagnose(
                    file_path(path, job),
                    "job/outside-folder",
                    f"it cannot be told which file on this machine `{_INSIDE}` leads to",
                    help="write to a file by its path, or to an object store by its own address",
                )


def _outside(origin: Origin, at: Location, place: Path, home: Path) -> Diagnostic:
    real = Path(os.path.realpath(place))
    inside = place.is_relative_to(home)
    shown = f"{place.relative_to(home)} links to {real}, which is" if inside else f"{place} is"
    return origin.diagnose(
        at,
        "job/outside-folder",
        f"{shown} outside the job's folder",
        help=f"move it into {home}, or run with `--allow-outside {shlex.quote(str(real.parent))}`",
    )

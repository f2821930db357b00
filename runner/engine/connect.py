"""Connects to the org: checks that it is the one the job means, and picks the API version.

Knows what to ask first. Knows nothing of tasks.
"""

from __future__ import annotations

from msgspec import Struct

from runner import events
from runner.events import Sink
from runner.job.model import Connection
from runner.salesforce.expected_org import ExpectedOrg
from runner.salesforce.identity import Identity, identity_of
from runner.salesforce.session import Session
from runner.salesforce.versions import choose, served


class ConnectedOrg(Struct, frozen=True):
    """The org that answered, the user, and the API version in use."""

    identity: Identity
    version: str


def connect(
    connection: Connection, session: Session, sink: Sink, *, resumed_version: str | None = None
) -> ConnectedOrg:
    """Pick the API version and check that this is the org the job means.

    Args:
        connection: The org, and the version that the job writes.
        session: The org's session; its API version is set here.
        sink: Gets the Connected event.
        resumed_version: The version of the run that is resumed: the org shows a Bulk job only to
            the version that made it.

    Raises:
        UsageError: The org does not serve the version that the job writes.
        SignInError: The token belongs to another org than `environment`, `domain` and `org_id` say;
            by its URLs this is known before anything is sent.
    """
    expected = ExpectedOrg.of(connection, session.login_command)
    url = session.instance_url
    expected.check_urls(url, session.token.login_url or "")
    version = choose(resumed_version or connection.api_version, served(session))
    session.api_version = version
    identity = identity_of(session)
    if session.instance_url != url:  # a renewed token may be of another org
        url = session.instance_url
        expected.check_urls(url)
    expected.check_identity(identity)
    sink(events.Connected(url, identity.org_id, identity.username, version))
    return ConnectedOrg(identity, version)

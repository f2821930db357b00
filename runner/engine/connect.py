"""Connects to the org: picks the API version, checks the user and the pinned org.

Knows what to ask first. Knows nothing of tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner import events
from runner.errors import SignInError
from runner.events import Sink
from runner.job.model import Connection
from runner.salesforce.identity import Identity, identity_of
from runner.salesforce.session import Session
from runner.salesforce.versions import Choice, choose, served

SHORT_ID = 15
"""Characters of an Id that identify the record; three more are a checksum."""


@dataclass(frozen=True, slots=True)
class ConnectedOrg:
    """The org that answered, the user, and the API version in use."""

    identity: Identity
    choice: Choice


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
        SignInError: The token belongs to another org than `org_id` pins.
    """
    choice = choose(resumed_version or connection.api_version, served(session))
    session.api_version = choice.version
    identity = identity_of(session)
    _check_pin(connection, identity)
    sink(
        events.Connected(
            session.instance_url,
            identity.org_id,
            identity.username,
            choice.version,
            choice.lifted_from,
        )
    )
    return ConnectedOrg(identity, choice)


def _check_pin(connection: Connection, identity: Identity) -> None:
    pinned = connection.org_id
    if pinned is None or pinned[:SHORT_ID] == (identity.org_id or "")[:SHORT_ID]:
        return
    raise SignInError(
        f"The token belongs to org {identity.org_id}, but the job is pinned to {pinned}.",
        hint="Sign in to the pinned org, or change `connection.org_id`. Nothing was sent.",
    )

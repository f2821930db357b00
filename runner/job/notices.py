"""Who is notified of what, as a job or a connection declares it.

Values; no secret is among them, only where it is. Knows nothing of how a message is sent.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from runner.credentials import SecretReference

SMTP_VARIABLE = "SFRUNNER_SMTP_URL"
"""Contains the mail server's URL where a recipient does not say where that is."""


class NoticeEvent(StrEnum):
    """What people can be notified of."""

    FAILED = "failed"
    """The run did not do what it should: any exit code but 0 and 3."""
    PARTIAL = "partial"
    """It finished, and some rows failed."""
    TRIPPED = "tripped"
    """A limit of the job, or its protected connection, stopped it; it has failed, too."""
    RECOVERED = "recovered"
    """It is done, and the run before was not."""
    SLOW = "slow"
    """It took longer than it should, however it ended."""


USUAL_EVENTS = (
    NoticeEvent.FAILED,
    NoticeEvent.PARTIAL,
    NoticeEvent.TRIPPED,
    NoticeEvent.RECOVERED,
)


class Service(Struct, frozen=True):
    """A URL of Apprise's, or of a plain webhook: the secret itself says which."""

    url: SecretReference

    def __str__(self) -> str:
        return str(self.url)


class Webhook(Struct, frozen=True):
    """Gets the notification as JSON."""

    url: SecretReference
    secret: SecretReference | None = None
    """What requests are signed with; None: they are not."""

    def __str__(self) -> str:
        return f"webhook of {self.url}"


class Email(Struct, frozen=True):
    """Gets the notification as plain text."""

    address: str
    smtp: SecretReference = SecretReference(env=SMTP_VARIABLE)
    """Of the mail server's URL."""
    sender: str | None = None
    """None: the user of that URL, or the runner on this machine."""

    def __str__(self) -> str:
        return self.address


Recipient = Service | Webhook | Email


class Notice(Struct, frozen=True):
    """Who is notified of which events."""

    to: tuple[Recipient, ...]
    on: tuple[NoticeEvent, ...] = USUAL_EVENTS
    slower_than_seconds: float | None = None
    """From when on a run is slow."""
    rows: bool = False
    """Whether messages contain values of rows: errors of the org, and the first failed rows."""
    mask: tuple[str, ...] = ()
    """Columns whose values are masked then."""

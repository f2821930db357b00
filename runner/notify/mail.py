"""Sends a message by mail, through the server that a URL names.

A password is only sent over an encrypted connection, or on this machine. Knows nothing of queues.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from urllib.parse import SplitResult, unquote

from runner.job.notices import Email
from runner.notify.message import Document
from runner.notify.webhook import NotSentError
from runner.salesforce.http.hosts import is_loopback


def send_mail(
    recipient: Email, server: SplitResult, document: Document, timeout_seconds: float
) -> None:
    """Send one message as plain text.

    Raises:
        NotSentError: The server did not take it in time, or offers no encryption for a password.
    """
    host, user = server.hostname or "", unquote(server.username or "")
    own = user if "@" in user else f"sfrunner@{socket.gethostname()}"
    mail = EmailMessage()
    mail["Subject"] = " ".join(document["title"].split())
    mail["From"] = recipient.sender or own
    mail["To"] = recipient.address
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{document['id']}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(document["text"])
    try:
        with _mail_server(server, timeout_seconds) as smtp:
            if user:
                smtp.login(user, unquote(server.password or ""))
            smtp.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSentError(f"the mail server {host}: {_mail_reason(error)}") from None


@contextmanager
def _mail_server(server: SplitResult, timeout_seconds: float) -> Iterator[smtplib.SMTP]:
    """A connection; one to another machine is encrypted, unless nothing is offered or secret."""
    host, is_implicit = server.hostname or "", server.scheme == "smtps"
    trusted = ssl.create_default_context()
    kind: Any = smtplib.SMTP_SSL if is_implicit else smtplib.SMTP
    more = {"context": trusted} if is_implicit else {}
    # Without it, smtplib asks the name server what this machine is called, which has no limit.
    here = name if "." in (name := socket.gethostname()) else "[127.0.0.1]"
    port = server.port or (465 if is_implicit else 587 if server.username else 25)
    with kind(host, port, here, timeout=timeout_seconds, **more) as smtp:
        if not is_implicit and not is_loopback(host):
            smtp.ehlo()
            if smtp.has_extn("starttls"):
                smtp.starttls(context=trusted)
                smtp.ehlo()
            elif server.username:
                raise NotSentError(
                    f"the mail server {host} does not offer STARTTLS, so no password is sent"
                )
        yield smtp


def _mail_reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        return f"{error.smtp_code} {text}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "it refused the recipient"
    reason: str | None = error.strerror if isinstance(error, OSError) else None
    return reason or str(error) or type(error).__name__

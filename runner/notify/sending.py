"""Which way a message goes to a recipient: to a webhook, by mail, or through Apprise.

Nothing that is raised contains a secret. Knows nothing of queues.
"""

from __future__ import annotations

from runner.job.notices import Email, Recipient, Webhook
from runner.notify.mail import send_mail
from runner.notify.service import service_for
from runner.notify.webhook import (
    TIMEOUT_SECONDS,
    Sender,
    own_secret,
    post_signed,
    url_of,
    web_url,
)


def sender_for(recipient: Recipient, timeout_seconds: float = TIMEOUT_SECONDS) -> Sender:
    """What sends messages to a recipient; its secrets are read here.

    Raises:
        RunnerError: A secret or a library is missing, or a URL is not one.
    """
    if isinstance(recipient, Email):
        server = url_of(recipient.smtp, "the URL of the mail server", ("smtp", "smtps"))
        return lambda document: send_mail(recipient, server, document, timeout_seconds)
    secret = None
    if isinstance(recipient, Webhook):
        if recipient.secret is not None:
            secret = own_secret(recipient.secret, "the secret of the webhook")
    else:
        found = service_for(
            recipient, own_secret(recipient.url, "the URL of the recipient"), timeout_seconds
        )
        if found is not None:
            return found
    url = web_url(recipient.url, "the URL of the webhook")
    return lambda document: post_signed(url, secret, document, timeout_seconds)

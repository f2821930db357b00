"""Sends a message to a service by a URL that Apprise knows. The one importer of Apprise.

Knows nothing of queues.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from runner.credentials import Secret
from runner.errors import UsageError
from runner.job.notices import Service
from runner.notify.message import Document
from runner.notify.webhook import NotSentError, Sender
from runner.tables.extras import WEB_SCHEMES, extra


def service_for(recipient: Service, url: Secret, timeout_seconds: float) -> Sender | None:
    """What sends to a service; None for a web address that Apprise does not know, or without it.

    Raises:
        UsageError: It is no such address, and Apprise is missing or does not know it.
    """
    is_web = url.reveal().partition(":")[0].lower() in WEB_SCHEMES
    try:
        apprise: Any = extra("apprise", "notify", f"The URL in {recipient}", UsageError)
    except UsageError:
        if is_web:
            return None
        raise
    found = apprise.Apprise.instantiate(_limited(url.reveal(), timeout_seconds))
    if found is None and not is_web:
        raise UsageError(
            f"The URL in {recipient} is not one that Apprise knows.",
            hint="Apprise's documentation has its form for each service.",
        )
    return None if found is None else lambda document: _notify(apprise, found, document)


def _limited(url: str, seconds: float) -> str:
    """A URL of Apprise's with limits of time and without redirects, unless it says otherwise.

    A redirect makes most requests a GET without the message, and Apprise takes its 200 for success.
    """
    usual = {"cto": f"{seconds}", "rto": f"{seconds}", "redirect": "no"}
    given = urlsplit(url).query
    more = [f"{key}={value}" for key, value in usual.items() if f"{key}=" not in given]
    return "&".join([url if "?" in url else f"{url}?", *more]).replace("?&", "?")


def _notify(apprise: Any, service: Any, document: Document) -> None:  # noqa: ANN401 - its types are not known
    kinds = apprise.NotifyType
    kind = kinds.SUCCESS if document["event"] == "recovered" else kinds.FAILURE
    with _said_by_apprise() as said, _trusted_certificates():
        sent = service.notify(
            body=document["text"], title=document["title"], notify_type=kind, body_format="text"
        )
    if not sent:
        raise NotSentError(said[-1] if said else "the service refused it, or did not answer")


@contextmanager
def _said_by_apprise() -> Iterator[list[str]]:
    """What Apprise logs in this thread, instead of stderr."""
    said: list[str] = []
    own = threading.get_ident()

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == own:
                said.append(record.getMessage())

    logger, handler = logging.getLogger("apprise"), Collector(logging.WARNING)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(handler)


@contextmanager
def _trusted_certificates() -> Iterator[None]:
    """Trust what this machine trusts: Apprise's requests would read a list of their own."""
    name = "REQUESTS_CA_BUNDLE"
    file: str | None = ssl.get_default_verify_paths().cafile
    if file is None or name in os.environ:
        yield
        return
    os.environ[name] = file
    try:
        yield
    finally:
        os.environ.pop(name, None)

"""How an exchange over HTTP can fail, and what that means for the request.

Knows whether a request can have been executed, and what to advise. Knows nothing of how it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.errors import OrgError, TransportError, UnexpectedAnswerError
from runner.salesforce.http.messages import OrgRequest

if TYPE_CHECKING:
    from runner.salesforce.http.upload import FileUpload

_REFUSED_BY_PROXY = {
    "407": "The proxy wants a user and a password: HTTPS_PROXY=http://user:password@proxy:port.",
    "403": "Ask who runs the proxy to allow this host, or name another proxy in HTTPS_PROXY.",
}
_UNTRUSTED_HINT = (
    "If a proxy here inspects TLS, name the file of its certificate in SSL_CERT_FILE, "
    "or add the certificate to this machine's trusted ones. Check the clock, too."
)
_OF_OLD_FORM = ("Key Identifier", "key usage", "Key usage", "Constraints of CA cert")
"""What OpenSSL's strict check misses in a certificate; Python has it on since 3.13."""
_OLD_FORM_HINT = (
    "Since 3.13, Python refuses such certificates. Ask who issues it for one that follows RFC "
    "5280, or unset SSL_CERT_FILE and add the authority to this machine's trusted ones."
)


class ExchangeError(Exception):
    """There was no answer, or half of one; the text says why."""


class UnsentError(ExchangeError):
    """The request cannot have been executed: it did not leave this machine, or not completely."""


class CutOffError(UnsentError):
    """The connection broke while the request was sent: the server has not got all of it."""


class ProxyRefusedError(UnsentError):
    """The proxy does not connect; the text begins with its status."""


@contextmanager
def mapped_failures(request: OrgRequest, upload: FileUpload | None = None) -> Iterator[None]:
    """Turn a failed exchange inside into an error of the runner.

    Of an upload that did not get to its end, the org can have executed nothing.

    Raises:
        TransportError: With `may_have_arrived` by the kind of failure.
        UnexpectedAnswerError: The proxy refuses, or the certificate is not trusted; nothing was
            sent, and it will be the same at the next try.
    """
    try:
        yield
    except (ExchangeError, OSError) as failure:
        error = _error_of(failure, request)
        if isinstance(error, TransportError) and upload is not None and not upload.is_complete:
            error.may_have_arrived = False
        raise error from failure


def _error_of(failure: Exception, request: OrgRequest) -> OrgError:
    """What a failure means; only a TransportError may go away by itself."""
    host = urlsplit(request.url).netloc
    cause = str(failure) or type(failure).__name__
    if isinstance(failure, ProxyRefusedError) and cause[:3] in _REFUSED_BY_PROXY:
        return UnexpectedAnswerError(
            f"The proxy does not connect to {host}: {cause}",
            status=int(cause[:3]),
            hint=_REFUSED_BY_PROXY[cause[:3]],
        )
    if isinstance(failure, UnsentError) and "CERTIFICATE_VERIFY_FAILED" in cause:
        is_of_old_form = any(each in cause for each in _OF_OLD_FORM)
        return UnexpectedAnswerError(
            f"The certificate of {host} is not trusted: {cause}",
            hint=_OLD_FORM_HINT if is_of_old_form else _UNTRUSTED_HINT,
        )
    if isinstance(failure, UnsentError) and not isinstance(failure, CutOffError):
        return TransportError(
            f"{host} cannot be reached: {cause}",
            may_have_arrived=False,
            hint="Check the host name, the network, HTTPS_PROXY and SSL_CERT_FILE.",
        )
    return TransportError(
        f"No complete answer from {host} to {request.method} {urlsplit(request.url).path}: {cause}",
        may_have_arrived=not isinstance(failure, UnsentError),
        hint="The connection broke; try again later.",
    )

"""Sends requests and reads answers: the one place that speaks HTTP.

Decides which connections a request takes: ours, or those through a proxy. Decompresses bodies, and
refuses those that are damaged. Knows nothing of tokens, retries or what an answer means.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from runner.content_encoding import ACCEPTED, EncodingError, decode_body
from runner.credentials import Secret
from runner.errors import DamagedAnswerError, UsageError
from runner.salesforce.http.answer import Answer
from runner.salesforce.http.direct import Connections
from runner.salesforce.http.failures import mapped_failures
from runner.salesforce.http.hosts import check_may_have_secrets
from runner.salesforce.http.messages import FileBody, OrgRequest, OrgResponse
from runner.salesforce.http.outgoing import Outgoing
from runner.version import __version__

if TYPE_CHECKING:
    import ssl

    from runner.salesforce.http.proxied import Proxied
    from runner.salesforce.http.upload import FileUpload

CONNECT_TIMEOUT_SECONDS = 30.0
READ_TIMEOUT_SECONDS = 610.0
"""The org ends a request after 10 minutes; a shorter timeout would lose answers."""
QUESTION_TIMEOUT_SECONDS = 150.0
"""For a GET, which is safe to repeat; the org ends a query after 2 minutes."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""Never behind a proxy."""

Receiver = Callable[[Mapping[str, str], Iterator[bytes]], None]
"""Reads a body piece by piece, decompressed; also gets the headers, names in lower case."""


class Transport:
    """A pool of connections; threads may share it. Follows no redirects, stores no cookies."""

    def __init__(
        self,
        *,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        """Open nothing yet; `allowed_hosts` may be given secrets besides Salesforce's hosts."""
        self._allowed_hosts = allowed_hosts
        self._checked: set[tuple[str, str]] = set()
        """Schemes and hosts that may be given secrets, as checked before."""
        self._timeout = read_timeout_seconds
        self._question_timeout = min(read_timeout_seconds, QUESTION_TIMEOUT_SECONDS)
        self._connect_timeout = connect_timeout_seconds
        self._direct = Connections(connect_timeout_seconds, trusted)
        self._proxied: Proxied | None = None
        self._creating = Lock()

    def send(self, request: OrgRequest, receive: Receiver | None = None) -> OrgResponse:
        """Send a request once and read its whole answer, whatever its status.

        Args:
            request: Its URL must be absolute.
            receive: Reads the body of a success, which is then not in the answer. It raises a
                DamagedAnswerError for a body that is not what the org sent.

        Raises:
            TransportError: There was no answer, or half of one.
            DamagedAnswerError: Its body is cut off, corrupt or only a part.
            UsageError: It holds a secret, and its host may not be given one.
        """
        self._check_host(request)
        with ExitStack() as stack:
            upload = _upload(request)
            timeout = self._question_timeout if request.method == "GET" else self._timeout
            with mapped_failures(request, upload):
                outgoing = _outgoing(request, upload)
                answer = self._connections(request.url).send(outgoing, timeout)
            stack.callback(answer.close)
            headers = answer.headers
            if answer.status == HTTPStatus.NO_CONTENT:
                headers["content-length"] = "0"  # it cannot have a body, and need not say so
            asked = f"{request.method} {urlsplit(request.url).path}"
            if answer.status == HTTPStatus.PARTIAL_CONTENT:
                why = "it is a part (status 206) of what was asked for as a whole"
                raise DamagedAnswerError(f"The answer to {asked}", why)
            chunks = _chunks(request, answer, may_be_empty=receive is None)
            if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                return OrgResponse(answer.status, headers, _readable(chunks), request=asked)
            if receive is None:
                return OrgResponse(answer.status, headers, b"".join(chunks), request=asked)
            receive(headers, chunks)
            return OrgResponse(answer.status, headers, request=asked)

    def close(self) -> None:
        """Close every connection."""
        self._direct.close()
        if self._proxied is not None:
            self._proxied.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_host(self, request: OrgRequest) -> None:
        values = (*request.headers.values(), *(request.form or {}).values())
        if not any(isinstance(value, Secret) for value in values):
            return
        parts = urlsplit(request.url)
        origin = parts.scheme, parts.netloc
        if origin not in self._checked:
            check_may_have_secrets(request.url, self._allowed_hosts)
            self._checked.add(origin)

    def _connections(self, url: str) -> Connections | Proxied:
        if not _may_need_proxy(url):
            return self._direct
        with self._creating:
            if self._proxied is None:
                from runner.salesforce.http.proxied import Proxied  # noqa: PLC0415 - takes long

                try:
                    self._proxied = Proxied(self._connect_timeout, trusted())
                except (ValueError, ImportError) as error:
                    raise _unusable_settings(error) from error
            return self._proxied


def _may_need_proxy(url: str) -> bool:
    """Whether this machine's settings name a proxy; which hosts it is for is judged elsewhere."""
    if urlsplit(url).hostname in _LOOPBACK:
        return False
    named = (name.lower() for name, value in os.environ.items() if value)
    if any(name.endswith("_proxy") and name != "no_proxy" for name in named):
        return True
    if sys.platform not in {"darwin", "win32"}:
        return False
    from urllib.request import getproxies  # noqa: PLC0415 - these systems have settings of their own

    return bool(getproxies())


def _upload(request: OrgRequest) -> FileUpload | None:
    if not isinstance(request.body, FileBody):
        return None
    from runner.salesforce.http.upload import FileUpload  # noqa: PLC0415 - few requests have one

    return FileUpload(request.body)


def _outgoing(request: OrgRequest, upload: FileUpload | None) -> Outgoing:
    headers = {
        "User-Agent": f"sfrunner/{__version__}",
        "Accept": "*/*",
        "Accept-Encoding": ACCEPTED,
    }
    for name, value in request.headers.items():
        headers[name] = value.reveal() if isinstance(value, Secret) else value
    body: Iterable[bytes] = ()
    length: int | None = None
    if request.form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        form = request.encoded_form()
        body, length = (form,), len(form)
    elif upload is not None:
        body, length = upload.pieces(), upload.body.length
    elif isinstance(request.body, bytes):
        body, length = (request.body,), len(request.body)
    elif request.body is not None and not isinstance(request.body, FileBody):
        body, length = request.body.pieces(), request.body.length
    return Outgoing(request.method, request.target, headers, body, length)


def _chunks(request: OrgRequest, answer: Answer, *, may_be_empty: bool) -> Iterator[bytes]:
    """The body, decompressed here: httpx accepts a gzip stream that is cut off."""
    encoding = answer.headers.get("content-encoding", "")
    try:
        with mapped_failures(request):
            body = answer.pieces()
            if encoding:
                body = decode_body(body, encoding, may_be_empty=may_be_empty)
            yield from body
    except EncodingError as error:
        path = urlsplit(request.url).path
        what = f"The answer to {request.method} {path}"
        raise DamagedAnswerError(what, f"its body {error}") from error


def _readable(chunks: Iterator[bytes]) -> bytes:
    """What can be read of a refusal, whose status says more than its body."""
    read: list[bytes] = []
    with suppress(DamagedAnswerError):
        read.extend(chunks)
    return b"".join(read)


def trusted() -> ssl.SSLContext:
    """Trusts this machine's certificates, unless SSL_CERT_FILE or SSL_CERT_DIR names others."""
    import ssl  # noqa: PLC0415 - the local org has no TLS

    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    try:
        if file or folder:
            context = ssl.create_default_context(cafile=file or None, capath=folder or None)
        else:
            import truststore  # noqa: PLC0415 - as above

            context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["http/1.1"])
        # A connection that ends without TLS saying so may have been cut by anyone on its way.
        wrapped = partial(context.wrap_socket, suppress_ragged_eofs=False)
        context.wrap_socket = wrapped  # type: ignore[method-assign]
    except (OSError, ValueError, ImportError) as error:
        raise _unusable_settings(error) from error
    return context


def _unusable_settings(error: Exception) -> UsageError:
    return UsageError(
        f"This machine's network settings cannot be used: {error}",
        hint="Check SSL_CERT_FILE, SSL_CERT_DIR, HTTPS_PROXY, HTTP_PROXY and ALL_PROXY.",
    )

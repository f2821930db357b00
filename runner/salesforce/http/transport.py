"""Sends requests and reads answers: the one place that speaks HTTP.

Knows httpx and maps each of its failures to a TransportError. The timeouts of httpx start again
with every piece of an answer, so one that drips never times out; under a `time_limit`, every wait
is cut to what is left of it. Knows nothing of tokens, retries or what an answer means.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import urlsplit

import httpcore
import httpx

from runner.content_encoding import ACCEPTED, EncodingError, decode_body
from runner.credentials import Secret
from runner.errors import (
    DamagedAnswerError,
    OrgError,
    StateError,
    TransportError,
    UnexpectedAnswerError,
    UsageError,
)
from runner.lanes import check_stop, in_lane
from runner.salesforce.http.hosts import check_may_have_secrets
from runner.salesforce.http.messages import FileBody, OrgRequest, OrgResponse
from runner.salesforce.http.upload import FileUpload
from runner.version import __version__

CONNECT_TIMEOUT_SECONDS = 30.0
READ_TIMEOUT_SECONDS = 610.0
"""The org ends a request after 10 minutes; a shorter timeout would lose answers."""
QUESTION_TIMEOUT_SECONDS = 150.0
"""For a GET, which is safe to repeat; the org ends a query after 2 minutes."""
_CONNECTIONS = 32
_LOOK_UP_SECONDS = 0.5
"""How often a read in a lane looks whether it must stop."""
_NO_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For requests without TLS: to load certificates takes longer than a request."""
_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")

# The request cannot have been executed: it did not leave this machine, or not completely.
_NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.InvalidURL,
)
_FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)

_ends_at: ContextVar[float | None] = ContextVar("ends_at", default=None)
"""When the waits of this thread must have ended, by the monotonic clock; None: no limit."""

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
        self._timeout = httpx.Timeout(read_timeout_seconds, connect=connect_timeout_seconds)
        self._question_timeout = httpx.Timeout(
            min(read_timeout_seconds, QUESTION_TIMEOUT_SECONDS), connect=connect_timeout_seconds
        )
        self._clients: dict[bool, httpx.Client] = {}  # with TLS, and without
        self._creating = Lock()

    def send(self, request: OrgRequest, receive: Receiver | None = None) -> OrgResponse:
        """Send a request once and read its whole answer, whatever its status.

        Args:
            request: Its URL must be absolute.
            receive: Reads the body of a success, which is then not in the answer. It raises a
                DamagedAnswerError for a body that is not what the org sent.

        Raises:
            TransportError: There was no answer, or half of one.
            DamagedAnswerError: Its body is cut off or corrupt.
            UsageError: It holds a secret, and its host may not be given one.
        """
        self._check_host(request)
        with ExitStack() as stack:
            upload = FileUpload(request.body) if isinstance(request.body, FileBody) else None
            with mapped_failures(request, upload):
                client = self._client(request)
                outgoing = self._outgoing(client, request, upload, stack)
                answer = client.send(outgoing, stream=True)
            stack.callback(answer.close)
            headers = {name.lower(): value for name, value in answer.headers.items()}
            if answer.status_code == HTTPStatus.NO_CONTENT:
                headers["content-length"] = "0"  # it cannot have a body, and need not say so
            asked = f"{request.method} {urlsplit(request.url).path}"
            chunks = _chunks(request, answer, may_be_empty=receive is None)
            if not answer.is_success:
                body = _readable(chunks)
                return OrgResponse(answer.status_code, headers, body, request=asked)
            if receive is None:
                return OrgResponse(answer.status_code, headers, b"".join(chunks), request=asked)
            receive(headers, chunks)
            return OrgResponse(answer.status_code, headers, request=asked)

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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

    def _client(self, request: OrgRequest) -> httpx.Client:
        tls = not request.url.startswith("http://")
        with self._creating:
            if tls not in self._clients:
                self._clients[tls] = _client(tls=tls)
            return self._clients[tls]

    def _outgoing(
        self, client: httpx.Client, request: OrgRequest, upload: FileUpload | None, stack: ExitStack
    ) -> httpx.Request:
        headers = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in request.headers.items()
        }
        content: bytes | BinaryIO | Iterator[bytes] | None
        if request.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            content = request.encoded_form()
        elif isinstance(request.body, Path):
            content = stack.enter_context(_opened(request.body))
        elif upload is not None:
            headers["Content-Length"] = str(upload.body.length)
            content = upload.pieces()
        else:
            content = request.body if isinstance(request.body, bytes) else None
        timeout = self._question_timeout if request.method == "GET" else self._timeout
        return client.build_request(
            request.method, request.target, headers=headers, content=content, timeout=timeout
        )


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit the waits of this thread inside the block, all together."""
    outer = _ends_at.get()
    own = time.monotonic() + seconds
    token = _ends_at.set(own if outer is None else min(own, outer))
    try:
        yield
    finally:
        _ends_at.reset(token)


@contextmanager
def mapped_failures(request: OrgRequest, upload: FileUpload | None = None) -> Iterator[None]:
    """Turn whatever httpx raises inside into an error of ours.

    Of an upload that did not get to its end, the org can have executed nothing.

    Raises:
        TransportError: With `may_have_arrived` by the kind of failure.
        UnexpectedAnswerError: The proxy refuses, or the certificate is not trusted; nothing was
            sent, and it will be the same at the next try.
    """
    try:
        yield
    except _FAILURES as failure:
        error = transport_error_of(failure, request)
        if isinstance(error, TransportError) and upload is not None and not upload.is_complete:
            error.may_have_arrived = False
        raise error from failure


def transport_error_of(failure: Exception, request: OrgRequest) -> OrgError:
    """What a failure of httpx means; only a TransportError may go away by itself."""
    host = urlsplit(request.url).netloc
    cause = str(failure) or type(failure).__name__
    if isinstance(failure, httpx.ProxyError) and cause[:3] in _REFUSED_BY_PROXY:
        return UnexpectedAnswerError(
            f"The proxy does not connect to {host}: {cause}",
            status=int(cause[:3]),
            hint=_REFUSED_BY_PROXY[cause[:3]],
        )
    if isinstance(failure, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in cause:
        return UnexpectedAnswerError(
            f"The certificate of {host} is not trusted: {cause}",
            hint="If a proxy here inspects TLS, name the file of its certificate in SSL_CERT_FILE, "
            "or add the certificate to this machine's trusted ones. Check the clock, too.",
        )
    if isinstance(failure, _NOTHING_SENT):
        return TransportError(
            f"{host} cannot be reached: {cause}",
            may_have_arrived=False,
            hint="Check the host name, the network, HTTPS_PROXY and SSL_CERT_FILE.",
        )
    return TransportError(
        f"No complete answer from {host} to {request.method} {urlsplit(request.url).path}: {cause}",
        may_have_arrived=True,
        hint="The connection broke; try again later.",
    )


_REFUSED_BY_PROXY = {
    "407": "The proxy wants a user and a password: HTTPS_PROXY=http://user:password@proxy:port.",
    "403": "Ask who runs the proxy to allow this host, or name another proxy in HTTPS_PROXY.",
}


def _chunks(request: OrgRequest, answer: httpx.Response, *, may_be_empty: bool) -> Iterator[bytes]:
    """The body, decompressed here: httpx accepts a gzip stream that is cut off."""
    encoding = answer.headers.get("content-encoding", "")
    try:
        with mapped_failures(request):
            body = answer.iter_raw()
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


def _opened(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        raise StateError(
            f"{file} cannot be read: {error.strerror}",
            hint="It belongs to this run; start a new run.",
        ) from error


def _trusted() -> ssl.SSLContext | bool:
    """This machine's trusted certificates, unless SSL_CERT_FILE or SSL_CERT_DIR names others.

    By default httpx would trust its own list, and not a company's certificates.
    """
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return True
    import truststore  # noqa: PLC0415 - the local org has no TLS

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _client(*, tls: bool) -> httpx.Client:
    client = _unlimited_client(tls=tls)
    # httpx has no public way to its network; a test sends an answer drop by drop.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool  # noqa: SLF001
            pool._network_backend = _LimitedNetwork(pool._network_backend)  # noqa: SLF001
    return client


def _unlimited_client(*, tls: bool) -> httpx.Client:
    try:
        return httpx.Client(
            headers={"User-Agent": f"sfrunner/{__version__}", "Accept-Encoding": ACCEPTED},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            follow_redirects=False,
            limits=httpx.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS
            ),
            # Loopback never goes through a proxy.
            mounts=dict.fromkeys(_LOOPBACK),
            verify=_trusted() if tls else _NO_TRUST,
        )
    except (OSError, ssl.SSLError, ValueError, httpx.InvalidURL, ImportError) as error:
        raise UsageError(
            f"This machine's network settings cannot be used: {error}",
            hint="Check SSL_CERT_FILE, SSL_CERT_DIR, HTTPS_PROXY, HTTP_PROXY and ALL_PROXY.",
        ) from error


class _LimitedNetwork(httpcore.NetworkBackend):
    """Opens connections whose every wait ends with the thread's limit."""

    def __init__(self, network: httpcore.NetworkBackend) -> None:
        self._network = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        timeout = _left(timeout, httpcore.ConnectTimeout)
        stream = self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _LimitedStream(stream)

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._network.connect_unix_socket(path, timeout, socket_options))

    def sleep(self, seconds: float) -> None:
        """Wait before another try to connect."""
        self._network.sleep(_left(seconds, httpcore.ConnectTimeout) or 0.0)


class _LimitedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self.close = stream.close  # type: ignore[method-assign]
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while in_lane():  # a lane has to notice that it must stop
            check_stop()
            left = _left(timeout, httpcore.ReadTimeout)
            if left is not None and left <= _LOOK_UP_SECONDS:
                break
            with suppress(httpcore.ReadTimeout):
                return self._stream.read(max_bytes, _LOOK_UP_SECONDS)
            timeout = None if timeout is None else timeout - _LOOK_UP_SECONDS
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._stream.start_tls(ssl_context, server_hostname, timeout))


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    """How long to wait at most; raises when nothing is left."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return timeout
    left = ends_at - time.monotonic()
    if left <= 0:
        raise error("the time is up")
    return left if timeout is None else min(timeout, left)

"""Requests through a proxy, by httpx, which knows every kind of them.

Maps each failure of httpx to an error of ours. Knows nothing of tokens, retries or what an answer
means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from ssl import SSLContext

import httpcore
import httpx

from runner.salesforce.http.failures import ExchangeError, ProxyRefusedError, UnsentError
from runner.salesforce.http.outgoing import Outgoing
from runner.salesforce.http.waits import left, wait

_CONNECTIONS = 32
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


class Proxied:
    """Connections through the proxies that this machine's settings name; threads may share it.

    Follows no redirects, stores no cookies.
    """

    def __init__(self, connect_timeout: float, trusted: SSLContext) -> None:
        """Open nothing yet.

        Raises:
            ValueError, ImportError: The settings cannot be used.
        """
        try:
            self._client = httpx.Client(
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                follow_redirects=False,
                limits=httpx.Limits(
                    max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS
                ),
                # Loopback never goes through a proxy.
                mounts=dict.fromkeys(_LOOPBACK),
                verify=trusted,
            )
        except httpx.InvalidURL as error:
            raise ValueError(str(error)) from error
        self._connect_timeout = connect_timeout
        # httpx has no public way to its network; a test sends an answer drop by drop.
        for transport in (self._client._transport, *self._client._mounts.values()):  # noqa: SLF001
            if isinstance(transport, httpx.HTTPTransport):
                pool = transport._pool  # noqa: SLF001
                pool._network_backend = _LimitedNetwork(pool._network_backend)  # noqa: SLF001

    def send(self, request: Outgoing, timeout: float) -> ProxiedAnswer:
        """Send a request and read the head of its answer.

        Raises:
            ExchangeError: It failed.
        """
        headers = dict(request.headers)
        if request.length is not None:
            headers["Content-Length"] = str(request.length)
        with as_ours():
            outgoing = self._client.build_request(
                request.method,
                request.url,
                headers=headers,
                content=None if request.length is None else request.pieces(),
                timeout=httpx.Timeout(timeout, connect=self._connect_timeout),
            )
            return ProxiedAnswer(self._client.send(outgoing, stream=True))

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


class ProxiedAnswer:
    """An answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer
        self.status = answer.status_code
        self.headers = {name.lower(): value for name, value in answer.headers.items()}

    def pieces(self) -> Iterator[bytes]:
        """The body, as it comes."""
        with as_ours():
            yield from self._answer.iter_raw()

    def close(self) -> None:
        """Give the connection back."""
        self._answer.close()


@contextmanager
def as_ours() -> Iterator[None]:
    """Turn whatever httpx raises inside into an error that knows whether anything was sent."""
    try:
        yield
    except _FAILURES as failure:
        cause = str(failure) or type(failure).__name__
        if isinstance(failure, httpx.ProxyError):
            raise ProxyRefusedError(cause) from failure
        kind = UnsentError if isinstance(failure, _NOTHING_SENT) else ExchangeError
        raise kind(cause) from failure


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
        timeout = left(timeout, httpcore.ConnectTimeout)
        stream = self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _LimitedStream(stream)

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        timeout = left(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._network.connect_unix_socket(path, timeout, socket_options))

    def sleep(self, seconds: float) -> None:
        """Wait before another try to connect."""
        self._network.sleep(left(seconds, httpcore.ConnectTimeout) or 0.0)


class _LimitedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self.close = stream.close  # type: ignore[method-assign]
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        def once(seconds: float | None) -> bytes:
            return self._stream.read(max_bytes, seconds)

        return wait(once, timeout, httpcore.ReadTimeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, left(timeout, httpcore.WriteTimeout))

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = left(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

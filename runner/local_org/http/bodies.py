"""Bodies of requests and responses: with a length, chunked or gzipped.

Knows bytes and framing. Knows no route and no resource.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

IN_MEMORY_BYTES = 4 * 1024 * 1024
"""Bodies up to this size stay in memory; bigger ones go to a temporary file."""
_BLOCK = 256 * 1024
_GZIP_OR_ZLIB = 47
_GZIP = 31
_WORTH_GZIP_BYTES = 1000


class FramingError(Exception):
    """The end of the body is unknown, so the connection cannot be used any more."""


class ReceivedBody:
    """Collects blocks; becomes bytes, or an open temporary file if they are large."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._size = 0
        self._file: BinaryIO | None = None

    def add(self, block: bytes) -> None:
        """Add one block."""
        self._size += len(block)
        if self._file is None and self._size > IN_MEMORY_BYTES:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - its reader closes it
            self._file.write(b"".join(self._blocks))
            self._blocks.clear()
        if self._file is None:
            self._blocks.append(block)
        else:
            self._file.write(block)

    def done(self) -> tuple[bytes, BinaryIO | None]:
        """The body: its bytes and None, or no bytes and the rewound file."""
        if self._file is not None:
            self._file.seek(0)
        return b"".join(self._blocks), self._file


def receive(stream: BinaryIO, headers: Mapping[str, str]) -> tuple[bytes, BinaryIO | None]:
    """Read one request's body, unchunked and uncompressed.

    Raises:
        FramingError: the length or the compression is broken.
    """
    if "chunked" in headers.get("transfer-encoding", "").lower():
        blocks = _chunked(stream)
    else:
        blocks = _measured(stream, headers.get("content-length", "0"))
    if headers.get("content-encoding", "").lower() in {"gzip", "x-gzip", "deflate"}:
        blocks = _inflated(blocks)
    body = ReceivedBody()
    for block in blocks:
        body.add(block)
    return body.done()


def _measured(stream: BinaryIO, length: str) -> Iterator[bytes]:
    if not length.isdecimal():
        raise FramingError("Content-Length is not a number")
    left = int(length)
    while left:
        block = stream.read(min(left, _BLOCK))
        if not block:
            raise FramingError("the body ended early")
        left -= len(block)
        yield block


def _chunked(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        head = stream.readline(1024).split(b";")[0].strip()
        try:
            size = int(head, 16)
        except ValueError:
            raise FramingError("a chunk has no size") from None
        if size == 0:
            break
        yield from _measured(stream, str(size))
        stream.readline(3)
    while stream.readline(65536).strip():
        pass


def _inflated(blocks: Iterable[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        for block in blocks:
            yield inflater.decompress(block)
        yield inflater.flush()
    except zlib.error as error:
        raise FramingError("the body is not gzip") from error


def wants_gzip(accept_encoding: str) -> bool:
    """Whether a client accepts gzip."""
    offers = [offer.strip().replace(" ", "") for offer in accept_encoding.lower().split(",")]
    return any(
        offer.split(";")[0] in {"gzip", "*"} and not offer.endswith((";q=0", ";q=0.0"))
        for offer in offers
    )


def deflated(body: bytes) -> bytes | None:
    """A gzipped body, or None if it is too short to gain."""
    if len(body) < _WORTH_GZIP_BYTES:
        return None
    return b"".join(deflated_stream([body]))


def deflated_stream(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Gzipped blocks, as they come."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    for block in blocks:
        packed = packer.compress(block)
        if packed:
            yield packed
    yield packer.flush()

"""The encodings in which HTTP sends a body: gzip, or none.

Decodes a stream as it comes, every gzip member of it, and refuses one that ends before its
checksum: a body that was cut off on its way would pass for a shorter one. Knows bytes and the
headers about them. Knows nothing of requests.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

ACCEPTED = "gzip"
"""For `Accept-Encoding`."""
_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_MOST_BYTES = 1 << 20
"""That are decompressed at once: a megabyte of zeros arrives as a kilobyte."""


class EncodingError(Exception):
    """A body that cannot be decoded; the text says why, to follow "the body"."""


def is_delimited(headers: Mapping[str, str]) -> bool:
    """Whether an answer says where its body ends; others end with the connection, cut or not.

    Args:
        headers: Names in lower case.
    """
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    return chunked or "content-length" in headers


def decode_body(
    chunks: Iterator[bytes], encoding: str, *, may_be_empty: bool = False
) -> Iterator[bytes]:
    """Decode a body.

    Args:
        chunks: The body as it comes.
        encoding: The header `Content-Encoding`.
        may_be_empty: Whether no body at all is accepted as an empty one, whatever the header says.

    Raises:
        EncodingError: The body is cut off or corrupt, or in an encoding that was not asked for.
    """
    for name in reversed(encoding.lower().split(",")):
        if name.strip() in _GZIP:
            chunks = _members(chunks, may_be_empty=may_be_empty)
        elif name.strip() not in _PLAIN:
            raise EncodingError(f"has the encoding {name.strip()}, which was not asked for")
    yield from chunks


def _members(chunks: Iterator[bytes], *, may_be_empty: bool) -> Iterator[bytes]:
    member = None
    ended = may_be_empty
    for chunk in chunks:
        rest = chunk
        while rest:
            if member is None:
                rest = rest.lstrip(b"\0") if ended else rest  # padding may follow a member
                member = zlib.decompressobj(_GZIP_WINDOW) if rest else None
                continue
            try:
                yield member.decompress(rest, _MOST_BYTES)
                rest = member.unconsumed_tail
                while not (rest or member.eof) and (held := member.decompress(b"", _MOST_BYTES)):
                    yield held
            except zlib.error as error:
                raise EncodingError(f"is not valid gzip: {error}") from error
            if member.eof:
                rest, member, ended = member.unused_data, None, True
    if member is not None or not ended:
        raise EncodingError("ends in the middle of its gzip stream")

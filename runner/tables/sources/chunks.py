"""A source's bytes as UTF-8, cut into slabs that each hold whole CSV records.

A slab is a few megabytes, so memory does not grow with the source, and slabs are read side by
side. A cut stands at a line feed with an even number of quotes before it. Where a source holds a
stray quote in an unquoted value, a cut may stand inside a value: the reader of that slab then
meets an unterminated quote and says so, it never reads a wrong value.

Knows bytes, encodings and quotes. Knows nothing of columns.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from runner.errors import SourceError
from runner.job.endpoints import Compression, FileShape
from runner.tables.compression import opened

SLAB_BYTES = 4_000_000
_BLOCK_BYTES = 1_000_000
LONGEST_RECORD_BYTES = 64_000_000
_BOM = codecs.BOM_UTF8


class Digest(Protocol):
    """What `hashlib.sha256()` gives."""

    def update(self, block: bytes, /) -> None:
        """Take more bytes in."""

    def hexdigest(self) -> str:
        """Give the digest of all bytes so far."""


class UncutError(Exception):
    """No record ends where one should: the quotes do not match. Never leaves this package."""


def utf8_blocks(
    path: Path, encoding: str, digest: Digest, compression: Compression = Compression.NONE
) -> Iterator[bytes]:
    """Give a file's bytes in blocks, as UTF-8, without a byte order mark.

    A file declared as UTF-8 is passed on as it is: whoever reads it finds what cannot be decoded.

    Args:
        path: The file.
        encoding: A name that Python's codecs know.
        digest: Told every byte as it stands in the file, unpacked.
        compression: What the file is packed with.

    Raises:
        SourceError: The file cannot be read or, with another encoding, decoded.
    """
    try:
        with opened(path, compression) as stream:
            raw = _told(stream, digest)
            plain = codecs.lookup(encoding).name == "utf-8"
            blocks = raw if plain else decoded(raw, path, encoding)
            first = next(blocks, b"")
            yield first.removeprefix(_BOM)
            yield from blocks
    except OSError as error:
        raise unreadable(path, error) from error


def first_bytes(path: Path, compression: Compression, size: int) -> bytes:
    """Give a file's first bytes, unpacked.

    Raises:
        SourceError: The file cannot be read.
    """
    try:
        with opened(path, compression) as stream:
            return stream.read(size)
    except OSError as error:
        raise unreadable(path, error) from error


def decoded_text(path: Path, shape: FileShape) -> TextIO:
    """Open a file as text, its line ends as they are, once every byte of it is known to be text.

    Raises:
        SourceError: The file cannot be read or decoded; names the byte.
    """
    try:
        with opened(path, shape.compression) as stream:
            raw = iter(lambda: stream.read(_BLOCK_BYTES), b"")
            for _ in decoded(raw, path, shape.encoding):
                pass
        plain = codecs.lookup(shape.encoding).name == "utf-8"
        encoding = "utf-8-sig" if plain else shape.encoding
        return io.TextIOWrapper(opened(path, shape.compression), encoding, newline="")
    except OSError as error:
        raise unreadable(path, error) from error


def _told(stream: BinaryIO, digest: Digest) -> Iterator[bytes]:
    while block := stream.read(_BLOCK_BYTES):
        digest.update(block)
        yield block


def decoded(raw: Iterator[bytes], path: Path, encoding: str) -> Iterator[bytes]:
    """Turn blocks of another encoding into UTF-8.

    Raises:
        SourceError: A byte does not belong to the encoding; names its place, from 1.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = 0
    for block in raw:
        kept = len(decoder.getstate()[0])
        try:
            text = decoder.decode(block)
        except UnicodeDecodeError as error:
            raise _undecodable(path, encoding, offset - kept + error.start) from error
        offset += len(block)
        yield text.encode()
    kept = len(decoder.getstate()[0])
    try:
        yield decoder.decode(b"", final=True).encode()
    except UnicodeDecodeError as error:
        raise _undecodable(path, encoding, offset - kept) from error


def slabs(blocks: Iterator[bytes], quote: bytes, slab_bytes: int = SLAB_BYTES) -> Iterator[bytes]:
    """Cut UTF-8 CSV into slabs of about `slab_bytes` that end where a record ends.

    Raises:
        UncutError: A quote without its partner: at the end, or after 64 MB without a record's end.
    """
    held = bytearray()
    for block in blocks:
        held += block
        if len(held) < slab_bytes:
            continue
        end = _last_record_end(held, quote)
        if end:
            with memoryview(held) as view:
                piece = bytes(view[:end])
            del held[:end]
            yield piece
        elif len(held) > LONGEST_RECORD_BYTES:
            raise UncutError
    if held.count(quote) % 2:
        raise UncutError
    if held:
        yield bytes(held)


def _last_record_end(held: bytearray, quote: bytes) -> int:
    """Find where the last whole record ends; 0 for nowhere."""
    odd = held.count(quote) % 2
    stop = len(held)
    while (end := held.rfind(b"\n", 0, stop)) >= 0:
        odd ^= held.count(quote, end, stop) % 2
        if not odd:
            return end + 1
        stop = end
    return 0


def unreadable(path: Path, error: OSError) -> SourceError:
    """Say that a source cannot be opened or read, and why."""
    return SourceError(
        f"{path} cannot be read: {error.strerror or error}.",
        hint="Check the path in `from` and that this user may read the file.",
    )


def _undecodable(path: Path, encoding: str, offset: int) -> SourceError:
    return SourceError(
        f"{path}: byte {offset + 1:,} is not {encoding}.",
        hint=encoding_hint(path),
    )


def encoding_hint(path: Path) -> str:
    """What to write about a file that is not of its encoding."""
    return f"Write its real encoding in `from`: {{file: {path.name}, encoding: windows-1252}}."

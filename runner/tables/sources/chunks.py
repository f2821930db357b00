"""A source's bytes as UTF-8, cut into chunks of whole CSV records.

A chunk is a few megabytes, so memory does not grow with the source, and chunks are read in
parallel. A cut is made after a line feed with an even number of quotes before it. If an unquoted
value contains a stray quote, a cut may fall inside a value: the reader of that chunk then finds
an unterminated quote and reports it; it never reads a wrong value.

Knows bytes, encodings and quotes. Knows nothing of columns.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from runner.errors import SourceError
from runner.job.endpoints import Compression, FileShape
from runner.tables.database import UnreadableRowsError
from runner.tables.unchanged import UnchangedFile, unreadable
from runner.wording import format_size

CHUNK_BYTES = 4_000_000
_BLOCK_BYTES = 1_000_000
LONGEST_RECORD_BYTES = 64_000_000
_OPEN = "a value that begins with a quote is never closed"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""UTF-32 first: its mark begins with that of UTF-16."""
_FIRST_OF_OTHERS = b"\x1f(PS\xd0< \t\r\n"
"""With one of these begins each file that `signatures` knows."""


class Digest(Protocol):
    """What `hashlib.sha256()` gives."""

    def update(self, block: bytes, /) -> None:
        """Add more bytes."""

    def hexdigest(self) -> str:
        """The digest of all bytes so far."""


class UncutError(UnreadableRowsError):
    """No record ends where one should. Never leaves this package."""


def file_blocks(
    path: Path, compression: Compression = Compression.NONE, digest: Digest | None = None
) -> Iterator[bytes]:
    """Read a file, decompressed, in blocks.

    Args:
        path: The file.
        compression: How it is compressed.
        digest: Updated with every block.

    Raises:
        SourceError: The file cannot be read or decompressed, or changes meanwhile.
    """
    try:
        with _open(path, compression) as stream:
            while block := stream.read(_BLOCK_BYTES):
                if digest is not None:
                    digest.update(block)
                yield block
    except OSError as error:
        raise unreadable(path, error) from error


def text_blocks(path: Path, shape: FileShape, digest: Digest | None = None) -> Iterator[bytes]:
    """Read a source's file, decompressed, in blocks, unless it is no text.

    Raises:
        SourceError: As of `file_blocks`; or it is in another format.
    """
    for number, block in enumerate(file_blocks(path, shape.compression, digest)):
        if number == 0 and block[:1] in _FIRST_OF_OTHERS:
            from runner.tables.sources.signatures import refuse_other_format

            refuse_other_format(path, block, shape)
        yield block


def open_text(path: Path, shape: FileShape) -> TextIO:
    """Open a file as text, line ends unchanged, after checking that all of it can be decoded.

    Raises:
        SourceError: The file cannot be read or decoded; gives the byte's position.
    """
    blocks = text_blocks(path, shape)
    start, encoding = next(blocks, b""), shape.encoding
    if "encoding" in shape.undeclared:
        encoding = marked_encoding(start) or encoding
    for _ in decoded(chain([start], blocks), path, encoding):
        pass
    if codecs.lookup(encoding).name == "utf-8":
        encoding = "utf-8-sig"
    try:
        return io.TextIOWrapper(_open(path, shape.compression), encoding, newline="")
    except OSError as error:
        raise unreadable(path, error) from error


def marked_encoding(start: bytes) -> str | None:
    """The encoding that the byte order mark of a text means, if it has one."""
    return next((name for mark, name in _MARKS if start.startswith(mark)), None)


def _open(path: Path, compression: Compression) -> BinaryIO:
    if compression is Compression.NONE:
        return io.BufferedReader(UnchangedFile(path), _BLOCK_BYTES)
    from runner.tables.compression import open_compressed

    return open_compressed(path, compression)


def decoded(blocks: Iterator[bytes], path: Path, encoding: str) -> Iterator[bytes]:
    """Convert blocks of another encoding to UTF-8.

    Raises:
        SourceError: A byte cannot be decoded; gives its line and position, from 1. Or the file
            lacks the byte order mark of its encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    offset = lines = 0
    # Looked at here, for Python says it in other ways from version to version.
    needed = codecs.lookup(encoding).name
    needs_mark = needed in {name for _, name in _MARKS if name != "utf-8"}
    for block in chain(blocks, [b""]):
        if needs_mark and not offset and block and marked_encoding(block) != needed:
            raise SourceError(
                f"{path} is not {encoding}: it does not start with a byte order mark.",
                hint=encoding_hint(path),
            )
        pending = len(decoder.getstate()[0])
        try:
            text = decoder.decode(block, final=not block)
            yield text.encode()
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(encoding, "replace")
            line = 1 + lines + before.count("\n")
            raise _undecodable(path, encoding, offset - pending + error.start, line) from error
        except UnicodeError as error:  # of encodings such as IDNA
            raise SourceError(
                f"{path} is not {encoding}: {error}.", hint=encoding_hint(path)
            ) from error
        offset += len(block)
        lines += text.count("\n")


def cut_chunks(
    blocks: Iterator[bytes], quote: bytes, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[bytes]:
    """Cut UTF-8 CSV into chunks of about `chunk_bytes` that end where a record ends.

    Raises:
        UncutError: A quote is unpaired at the end, or no record ends within 64 MB.
    """
    pending: list[bytes] = []
    size = odd = 0
    for block in blocks:
        pending.append(block)
        size += len(block)
        odd ^= block.count(quote) % 2
        if size < chunk_bytes:
            continue
        # Most blocks have an end of a record: then no byte is copied twice.
        end = _last_record_end(pending[-1], quote, odd)
        if not end and len(pending) > 1:
            pending = [b"".join(pending)]
            end = _last_record_end(pending[-1], quote, odd)
        if end:
            last = pending.pop()
            yield b"".join([*pending, memoryview(last)[:end]])
            pending = [last[end:]]
            size = len(last) - end
        elif size > LONGEST_RECORD_BYTES:
            raise UncutError(
                f"a row is longer than {format_size(LONGEST_RECORD_BYTES)}, or {_OPEN}"
            )
    if odd:
        raise UncutError(_OPEN)
    if size:
        yield b"".join(pending)


def _last_record_end(block: bytes, quote: bytes, odd: int) -> int:
    """Find where the last complete record in a block ends; 0 if none does.

    Args:
        block: The last of the bytes so far.
        quote: The sign.
        odd: Whether there is an odd number of quotes from the first record's beginning to the
            block's end.
    """
    stop = len(block)
    while (end := block.rfind(b"\n", 0, stop)) >= 0:
        odd ^= block.count(quote, end, stop) % 2
        if not odd:
            return end + 1
        stop = end
    return 0


def _undecodable(path: Path, encoding: str, offset: int, line: int) -> SourceError:
    return SourceError(
        f"{path}: line {line:,}: byte {offset + 1:,} of the file is not {encoding}.",
        hint=encoding_hint(path),
    )


def encoding_hint(path: Path) -> str:
    """How to declare the encoding of a file."""
    return (
        "Save it as UTF-8, or give its actual encoding in `from`:"
        f" {{file: {path.name}, encoding: windows-1252}}."
    )

"""Files compressed with gzip or Zstandard, read and written as streams.

Knows compression and its errors. Knows nothing of what the bytes mean.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from runner.errors import SourceError
from runner.job.endpoints import Compression
from runner.tables.unchanged import UnchangedFile

if TYPE_CHECKING:
    from typing_extensions import Buffer

BLOCK_BYTES = 1_000_000
_ZSTD_LEVEL = 3
_GZIP_LEVEL = 6
_GZIP_START = b"\x1f\x8b"
_ZSTD_START = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = b"\x2a\x4d\x18"
"""The rest of the magic number of a frame without data, which may come first (RFC 8878)."""


def open_compressed(path: Path, compression: Compression) -> BinaryIO:
    """Open a compressed file for reading, decompressed.

    Raises:
        OSError: It cannot be opened.
        SourceError: Later, on reading: it is not compressed like this, is damaged or cut off, or
            changes meanwhile.
    """
    stream = io.BufferedReader(UnchangedFile(path))
    return io.BufferedReader(_Decompressed(path, stream, compression), BLOCK_BYTES)


class Writable(Protocol):
    """A stream that accepts bytes."""

    def write(self, block: Any, /) -> int:  # noqa: ANN401 - anything that holds bytes
        """Write bytes."""


@contextmanager
def write_compressed(file: Path, compression: Compression) -> Iterator[Writable]:
    """Open a file for writing; the same bytes always give the same file."""
    with file.open("wb") as stream:
        if compression is Compression.GZIP:
            # By default the file's name and the time would be part of it.
            with gzip.GzipFile("", "wb", _GZIP_LEVEL, stream, mtime=0) as writer:
                yield writer
        elif compression is Compression.ZSTD:
            import zstandard

            zstd = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
            with zstd.stream_writer(stream, closefd=False) as writer:
                yield writer
        else:
            yield stream


class _Decompressed(io.RawIOBase):
    """The decompressed bytes of a stream."""

    def __init__(self, path: Path, stream: BinaryIO, compression: Compression) -> None:
        self._stream = stream
        self._blocks = _blocks(path, stream, compression)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        self._stream.close()
        super().close()


def _blocks(path: Path, stream: BinaryIO, compression: Compression) -> Iterator[bytes]:
    try:
        yield from (_gzip if compression is Compression.GZIP else _zstd)(stream)
    except EOFError as error:
        raise SourceError(
            f"{path} ends in the middle of its compressed bytes.",
            hint="It was not written or copied completely; fetch it again.",
        ) from error
    except _DamagedError as error:
        raise SourceError(
            f"{path} is damaged: {error}.",
            hint="Its compressed bytes are corrupt; fetch it again.",
        ) from error
    except _NotCompressedError as error:
        raise SourceError(
            f"{path} is not compressed with {compression}: {error}.",
            hint="Check its file extension, or set `compression` in `from`.",
        ) from error


class _NotCompressedError(Exception):
    """The bytes are not compressed in this format."""


class _DamagedError(Exception):
    """Compressed bytes are corrupt."""


def _gzip(stream: BinaryIO) -> Iterator[bytes]:
    start = stream.read(len(_GZIP_START))
    if start != _GZIP_START:
        raise _NotCompressedError(f"it begins with {start!r}" if start else "it is empty")
    stream.seek(0)
    try:
        with gzip.GzipFile(fileobj=stream) as content:
            while block := content.read(BLOCK_BYTES):
                yield block
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _DamagedError(str(error).rstrip(".")) from error


def _zstd(stream: BinaryIO) -> Iterator[bytes]:
    import zstandard

    start = stream.read(len(_ZSTD_START))
    if start != _ZSTD_START and start[1:] != _ZSTD_SKIPPED:
        raise _NotCompressedError(f"it begins with {start!r}" if start else "it is empty")
    stream.seek(0)
    decompressor = None
    try:
        while block := stream.read(BLOCK_BYTES // 4):
            while block:
                decompressor = decompressor or zstandard.ZstdDecompressor().decompressobj()
                yield decompressor.decompress(block)
                block = decompressor.unused_data if decompressor.eof else b""
                decompressor = None if decompressor.eof else decompressor
    except zstandard.ZstdError as error:
        raise _DamagedError(str(error).rstrip(".")) from error
    if decompressor is not None:
        raise EOFError

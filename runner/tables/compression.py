"""Bytes of files that may be packed: gzip and Zstandard, read and written as they flow.

Knows compression and its faults. Knows nothing of what the bytes say.
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

if TYPE_CHECKING:
    from typing_extensions import Buffer

BLOCK_BYTES = 1_000_000
_ZSTD_LEVEL = 3
_GZIP_LEVEL = 6
_GZIP_START = b"\x1f\x8b"
_ZSTD_START = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED = b"\x2a\x4d\x18"
"""How a frame goes on that holds no rows, which may come first (RFC 8878)."""


def opened(path: Path, compression: Compression) -> BinaryIO:
    """Open a file for reading, unpacked.

    Raises:
        OSError: It cannot be opened.
        SourceError: Later, as bytes are read: they are not packed so, or end in the middle.
    """
    stream = path.open("rb")
    if compression is Compression.NONE:
        return stream
    return io.BufferedReader(_Unpacked(path, stream, compression), BLOCK_BYTES)


class Writable(Protocol):
    """What bytes can be written to."""

    def write(self, block: Any, /) -> int:  # noqa: ANN401 - anything that holds bytes
        """Take bytes in."""


@contextmanager
def packed(file: Path, compression: Compression) -> Iterator[Writable]:
    """Open a file for writing; the same bytes are packed the same way every time."""
    with file.open("wb") as stream:
        if compression is Compression.GZIP:
            # The file's name and the time would stand in it.
            with gzip.GzipFile("", "wb", _GZIP_LEVEL, stream, mtime=0) as packer:
                yield packer
        elif compression is Compression.ZSTD:
            import zstandard

            zstd = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
            with zstd.stream_writer(stream, closefd=False) as writer:
                yield writer
        else:
            yield stream


class _Unpacked(io.RawIOBase):
    """The unpacked bytes of a stream."""

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
            hint="The file was not written or copied whole: fetch it again.",
        ) from error
    except _DamagedError as error:
        raise SourceError(
            f"{path} is damaged: {error}.",
            hint="Its compressed bytes are not what was packed: fetch it again.",
        ) from error
    except _NotPackedError as error:
        raise SourceError(
            f"{path} is not packed with {compression}: {error}.",
            hint="Check the ending of its name, or write `compression` in `from`.",
        ) from error


class _NotPackedError(Exception):
    """The bytes are not packed so."""


class _DamagedError(Exception):
    """They are, and some of them are wrong."""


def _gzip(stream: BinaryIO) -> Iterator[bytes]:
    start = stream.read(len(_GZIP_START))
    if start != _GZIP_START:
        raise _NotPackedError(f"it begins with {start!r}" if start else "it is empty")
    stream.seek(0)
    try:
        with gzip.GzipFile(fileobj=stream) as unpacked:
            while block := unpacked.read(BLOCK_BYTES):
                yield block
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _DamagedError(str(error).rstrip(".")) from error


def _zstd(stream: BinaryIO) -> Iterator[bytes]:
    import zstandard

    start = stream.read(len(_ZSTD_START))
    if start != _ZSTD_START and start[1:] != _ZSTD_SKIPPED:
        raise _NotPackedError(f"it begins with {start!r}" if start else "it is empty")
    stream.seek(0)
    unpacker = None
    try:
        while block := stream.read(BLOCK_BYTES // 4):
            while block:
                unpacker = unpacker or zstandard.ZstdDecompressor().decompressobj()
                yield unpacker.decompress(block)
                block = unpacker.unused_data if unpacker.eof else b""
                unpacker = None if unpacker.eof else unpacker
    except zstandard.ZstdError as error:
        raise _DamagedError(str(error).rstrip(".")) from error
    if unpacker is not None:
        raise EOFError

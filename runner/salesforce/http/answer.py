"""An answer as it comes over HTTP/1.1: its head, then its body piece by piece.

Knows where an answer ends, and refuses one that is cut off or that could be read in two ways.
Knows nothing of sockets, of encodings of a body, or of what it means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Protocol

from msgspec import Struct

from runner.salesforce.http.failures import ExchangeError

PIECE_BYTES = 256 * 1024
_LONGEST_LINE = 64 * 1024
_MOST_HEADER_BYTES = 256 * 1024
_MOST_ANNOUNCEMENTS = 100
_LENGTH = re.compile(r"[0-9]{1,19}")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0\f\v]*)?\r?\n")
_VALUE = rb"[ \t]*([^\r\n\0\f\v]*?)[ \t]*\r?\n"
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):" + _VALUE)
_FOLDED = re.compile(rb"[ \t]" + _VALUE)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_TOO_LONG = "its headers are too long"
_BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Answer(Protocol):
    """An answer whose status line and headers have been read."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""

    def pieces(self) -> Iterator[bytes]:
        """The body, as it comes."""

    def close(self) -> None:
        """Read nothing more."""


class Head(Struct, frozen=True):
    """What precedes a body."""

    status: int
    headers: dict[str, str]
    """Names in lower case; values of one name are joined by a comma."""
    keeps_alive: bool
    """Whether the connection can be used again, once the body has been read."""


class Stream(Protocol):
    """A buffered connection."""

    def readline(self, size: int) -> bytes:
        """One line, or what there is of it at the end."""

    def read1(self, size: int) -> bytes:
        """What there is of the next bytes; nothing at the end."""


def read_head(stream: Stream) -> Head:
    """Read status line and headers of an answer, skipping informational (1xx) ones.

    Raises:
        ExchangeError: There is none.
    """
    for _ in range(_MOST_ANNOUNCEMENTS):
        line = stream.readline(_LONGEST_LINE)
        if not line:
            raise ExchangeError("the server disconnected without sending an answer")
        found = _STATUS.fullmatch(line)
        if found is None:
            raise ExchangeError(f"the answer begins with {line[:40]!r}")
        status, headers = int(found[2]), _read_headers(stream)
        if status >= HTTPStatus.OK:
            break
    else:
        raise ExchangeError("it is announced again and again")
    options = headers.get("connection", "").lower().replace(" ", "").split(",")
    keeps_alive = "close" not in options if found[1] == b"1" else "keep-alive" in options
    return Head(status, headers, keeps_alive)


def body_of(head: Head, method: str, stream: Stream) -> tuple[Iterator[bytes], bool]:
    """The body that follows a head, and whether its end is marked.

    Raises:
        ExchangeError: It cannot be told where it ends; while it is read: it is cut off.
    """
    coding = head.headers.get("transfer-encoding", "").lower()
    if coding not in {"", "chunked"}:
        raise ExchangeError(f"its Transfer-Encoding is {coding[:40]!r}")
    text = head.headers.get("content-length")
    length = None if text is None else _length_of(text)
    if method == "HEAD" or head.status in _BODILESS:
        return iter(()), True
    if coding:  # with a length besides, it is in doubt what follows its end
        return _chunks(stream), length is None
    if length is not None:
        return _counted(stream, length), True
    return iter(lambda: stream.read1(PIECE_BYTES), b""), False


def _read_headers(stream: Stream) -> dict[str, str]:
    fields: list[tuple[str, str]] = []
    left = _MOST_HEADER_BYTES
    while (line := stream.readline(_LONGEST_LINE)) not in {b"\r\n", b"\n"}:
        left -= len(line)
        if left < 0:
            raise ExchangeError(_TOO_LONG)
        if found := _HEADER.fullmatch(line):
            fields.append((found[1].decode("ascii").lower(), _text(found[2])))
        elif fields and (found := _FOLDED.fullmatch(line)):  # goes on with the line before
            name, before = fields.pop()
            fields.append((name, f"{before} {_text(found[1])}".strip()))
        else:
            raise ExchangeError(_fault_of(line))
    headers: dict[str, str] = {}
    for name, value in fields:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _fault_of(line: bytes) -> str:
    if line.endswith(b"\n"):
        return f"it has the header {line[:40]!r}"
    return _TOO_LONG if len(line) >= _LONGEST_LINE else "the connection ended within its headers"


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _length_of(text: str) -> int:
    """The length that all `Content-Length` headers agree on."""
    lengths = {each.strip() for each in text.split(",")}
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise ExchangeError(f"its Content-Length is {text[:40]!r}")
    return int(length)


def _counted(stream: Stream, length: int) -> Iterator[bytes]:
    left = length
    while left:
        piece = stream.read1(min(left, PIECE_BYTES))
        if not piece:
            raise ExchangeError(f"it ended after {length - left} of {length} bytes")
        left -= len(piece)
        yield piece


def _chunks(stream: Stream) -> Iterator[bytes]:
    while True:
        found = _CHUNK.fullmatch(stream.readline(_LONGEST_LINE))
        if found is None:
            raise ExchangeError("a chunk of it has no length: the connection ended, or is damaged")
        size = int(found[1], 16)
        if not size:
            _read_headers(stream)
            return
        yield from _counted(stream, size)
        if stream.readline(2) != b"\r\n":
            raise ExchangeError("a chunk of it is longer than its length, or has no end")

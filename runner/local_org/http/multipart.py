"""Splits a multipart/form-data body into its parts, byte for byte.

Knows boundaries and part headers. Knows nothing of what the parts are for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from mmap import mmap

from msgspec import Struct

_BOUNDARY = re.compile(r'boundary=(?:\\?"([^"\\]+)\\?"|([^;\s]+))', re.IGNORECASE)
_NAME = re.compile(rb'\bname="([^"]*)"')
_FILE_NAME = re.compile(rb'\bfilename="')
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class MultipartError(ValueError):
    """The body does not match its Content-Type."""


class Part(Struct, frozen=True):
    """One part: where its content is in the body."""

    name: str
    is_file: bool
    """Whether it has a file name."""
    start: int
    end: int


def parts_in(body: bytes | mmap, content_type: str) -> Iterator[Part]:
    """The parts of a body, which may be a file in memory; none of them is copied.

    Raises:
        MultipartError: there is no boundary, or a part has no name or no content.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise MultipartError("no boundary")
    marks = list(_marks(body, b"--" + (found[1] or found[2]).encode()))
    for (_, start), (end, _) in zip(marks, [*marks[1:], (len(body), 0)], strict=True):
        if body[start : start + 2] == b"--":
            return
        blank = _HEAD_END.search(body, start, end)
        head = body[start : blank.start()] if blank else b""
        name = _NAME.search(head)
        if blank is None or name is None:
            raise MultipartError("a part without name or content")
        is_file = _FILE_NAME.search(head) is not None
        yield Part(name[1].decode(), is_file, blank.end(), end)


def _marks(body: bytes | mmap, mark: bytes) -> Iterator[tuple[int, int]]:
    """Where each boundary is; a line ending before it belongs to it. A search beats a pattern."""
    at = body.find(mark)
    while at >= 0:
        start = at - 1 if body[at - 1 : at] == b"\n" else at
        if start < at or at == 0:
            yield start - (body[start - 1 : start] == b"\r"), at + len(mark)
        at = body.find(mark, at + len(mark))


def parts_of(body: bytes, content_type: str) -> dict[str, bytes]:
    """The contents of all parts by name; see `parts_in`."""
    return {each.name: body[each.start : each.end] for each in parts_in(body, content_type)}

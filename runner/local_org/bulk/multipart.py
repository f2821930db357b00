"""Splits a multipart/form-data body into its parts, byte for byte.

Knows boundaries and part names. Knows no job.
"""

from __future__ import annotations

import re

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_NAME = re.compile(rb'\bname="([^"]*)"')


class MultipartError(ValueError):
    """The body does not match its Content-Type."""


def parts_of(body: bytes, content_type: str) -> dict[str, bytes]:
    """The parts of a body by name, without their headers.

    Raises:
        MultipartError: there is no boundary, or a part has no name or no content.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise MultipartError("no boundary")
    mark = b"--" + (found[1] or found[2]).encode()
    parts = {}
    # Each boundary but the first follows a line ending that belongs to it.
    for piece in re.split(rb"(?:^|\r?\n)" + re.escape(mark), body)[1:]:
        if piece.startswith(b"--"):
            break
        head, blank, content = _split(piece)
        name = _NAME.search(head)
        if not blank or name is None:
            raise MultipartError("a part without name or content")
        parts[name[1].decode()] = content
    return parts


def _split(piece: bytes) -> tuple[bytes, bytes, bytes]:
    found = re.search(rb"\r?\n\r?\n", piece)
    if found is None:
        return piece, b"", b""
    return piece[: found.start()], found[0], piece[found.end() :]

"""Which columns of a Parquet file are durations: Parquet has no type for them.

Programs that use Apache Arrow (pandas, polars, R) write a duration as a whole number, and its unit
only into the schema of Arrow's that they add to the file's metadata: a message of Arrow's IPC
format, which is a FlatBuffer, in base64. Knows this format as far as durations need it. Knows
nothing of DuckDB or of rows.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator

METADATA_KEY = "ARROW:schema"
_CONTINUES = b"\xff\xff\xff\xff"
_SCHEMA_HEADER, _DURATION_TYPE = 1, 18
"""Of the unions MessageHeader and Type, in Arrow's Message.fbs and Schema.fbs."""
_MESSAGE_KIND, _MESSAGE_HEADER = 1, 2
_SCHEMA_FIELDS = 1
_FIELD_NAME, _FIELD_KIND, _FIELD_TYPE = 0, 2, 3
_DURATION_UNIT = 0
"""Places of members in their tables."""
_UNITS_IN_A_SECOND = (1, 1_000, 1_000_000, 1_000_000_000)
_MILLISECONDS = 1
"""The unit of a duration that names none."""


def durations_of(metadata: bytes) -> dict[str, int]:
    """The columns that are durations, and how many of the unit make a second.

    Args:
        metadata: What the file has as METADATA_KEY; nothing is found in what cannot be read.
    """
    try:
        return dict(_durations(base64.b64decode(metadata)))
    except (struct.error, binascii.Error, UnicodeDecodeError, IndexError):
        return {}


def _durations(message: bytes) -> Iterator[tuple[str, int]]:
    content = message.removeprefix(_CONTINUES)[4:]  # after its length
    root = _Table(content, _offset(content, 0))
    if root.byte(_MESSAGE_KIND) != _SCHEMA_HEADER:
        return
    schema = root.table(_MESSAGE_HEADER)
    for field in schema.tables(_SCHEMA_FIELDS) if schema else ():
        if field.byte(_FIELD_KIND) == _DURATION_TYPE and (kind := field.table(_FIELD_TYPE)):
            unit = kind.byte(_DURATION_UNIT, _MILLISECONDS)
            yield field.text(_FIELD_NAME), _UNITS_IN_A_SECOND[unit]


class _Table:
    """A table of a FlatBuffer: its members are found through a list of their places."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self._at = at
        (back,) = struct.unpack_from("<i", content, at)
        self._places = at - back
        (size,) = struct.unpack_from("<H", content, self._places)
        self._members = (size - 4) // 2

    def _place(self, member: int) -> int:
        """Where a member is; 0 if the table does not have it."""
        if member >= self._members:
            return 0
        (found,) = struct.unpack_from("<H", self._content, self._places + 4 + 2 * member)
        return self._at + found if found else 0

    def byte(self, member: int, otherwise: int = 0) -> int:
        """A member of one byte, or a small number of two."""
        place = self._place(member)
        return self._content[place] if place else otherwise

    def table(self, member: int) -> _Table | None:
        place = self._place(member)
        return _Table(self._content, _offset(self._content, place)) if place else None

    def tables(self, member: int) -> Iterator[_Table]:
        place = self._place(member)
        if not place:
            return
        start = _offset(self._content, place)
        (count,) = struct.unpack_from("<I", self._content, start)
        for at in range(count):
            yield _Table(self._content, _offset(self._content, start + 4 + 4 * at))

    def text(self, member: int) -> str:
        place = self._place(member)
        if not place:
            return ""
        start = _offset(self._content, place)
        (length,) = struct.unpack_from("<I", self._content, start)
        return self._content[start + 4 : start + 4 + length].decode()


def _offset(content: bytes, place: int) -> int:
    """Where what a place refers to begins."""
    (distance,) = struct.unpack_from("<I", content, place)
    return int(place + distance)

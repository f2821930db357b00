"""Texts of workbooks: many of them outside of memory, escapes that XML needs, dates as ISO 8601."""

from __future__ import annotations

import mmap
import re
from array import array
from typing import BinaryIO

_ESCAPE = re.compile("(?:_x[0-9A-Fa-f]{4}_)+")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(\.\d*)?)?Z?")
_MIDNIGHT = re.compile("00:00(:00)?")
_CODE = re.compile("_x([0-9A-Fa-f]{4})_")


def unescaped(text: str) -> str:
    """A text whose `_x000D_` is the character that XML could not hold (ECMA-376, 22.9.2.19)."""
    return _ESCAPE.sub(_characters, text) if "_x" in text else text


def _characters(escapes: re.Match[str]) -> str:
    units = b"".join(int(code, 16).to_bytes(2, "little") for code in _CODE.findall(escapes[0]))
    try:
        return units.decode("utf-16-le")
    except UnicodeDecodeError:  # half a character
        return escapes[0]


def moment_text(iso: str) -> str:
    """A date as ISO 8601, maybe with a time; without a `Z`, as a sheet has no time zones."""
    found = _MOMENT.fullmatch(iso)
    if found is None:
        return iso
    day, time, fraction = found.groups("")
    fraction = fraction.rstrip("0.")
    is_day = not time or (_MIDNIGHT.fullmatch(time) and not fraction)
    return day if is_day else f"{day} {time}{fraction}"


class StoredTexts:
    """A list of texts in a file; only where each ends is in memory."""

    def __init__(self, file: BinaryIO) -> None:
        """Keep the texts in an empty file that can be read and written."""
        self._file = file
        self._ends = array("Q", [0])
        self._map: mmap.mmap | None = None

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, text: str) -> None:
        """Add a text; none may have been read before."""
        self._ends.append(self._ends[-1] + self._file.write(text.encode()))

    def __getitem__(self, at: int) -> str:
        if not 0 <= at < len(self):
            raise ValueError(f"there is no shared text {at}")
        if self._map is None:
            if not self._ends[-1]:
                return ""
            self._file.flush()
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map[self._ends[at] : self._ends[at + 1]].decode()

"""Plain CSV whose values are sent as they are read: found by looking at its bytes.

DuckDB takes longer, as it makes a value of each cell, so it is given only the columns of which
bytes alone do not tell, such as keys. Knows plain CSV and kinds. Knows nothing of mappings.
"""

from __future__ import annotations

import codecs
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.luajit import compiled
from runner.tables.field_types import FieldKind
from runner.tables.plain_csv import record_blocks

_LOOK = Path(__file__).with_name("as_is.lua")
_BLOCK_BYTES = 64_000
_NO_LIMIT = 2**32 - 1
_LETTERS = {
    FieldKind.TEXT: b"T",
    FieldKind.BOOLEAN: b"B",
    FieldKind.INTEGER: b"I",
    FieldKind.NUMBER: b"N",
    FieldKind.DATE: b"D",
    FieldKind.DATETIME: b"M",
    FieldKind.TIME: b"C",
}
_OTHER = b"O"
KINDS = frozenset(_LETTERS)
"""Kinds whose values bytes show to be sent as they are read."""


class Look(Struct, frozen=True):
    """What to look for."""

    columns: int
    """At least two."""
    kinds: Mapping[int, FieldKind]
    """Of values that are to be canonical, or texts that stay as they are, by their place."""
    longest: Mapping[int, int]
    """How many bytes texts may have, where there is a limit."""

    @property
    def others(self) -> Sequence[int]:
        """The places of the other columns."""
        return [at for at in range(self.columns) if at not in self.kinds]


class Known(Struct, frozen=True):
    """A chunk of which all values but those of the other columns are sent as they are read."""

    rows: int
    others: bytes
    """Plain CSV of the other columns; empty if there is none."""


def find_known(content: bytes, look: Look) -> Known | None:
    """Look whether values are sent as they are read.

    Args:
        content: CSV with commas, quotes and line feeds, without CR and U+0000.
        look: What to look for.

    Returns:
        None if LuaJIT is not there, a value may be sent otherwise, a row may be blank, or the
        content is not, byte for byte, what DuckDB writes of these values.
    """
    function = compiled(_LOOK, len(content))
    if function is None or content.startswith(codecs.BOM_UTF8) or not content.endswith(b"\n"):
        return None
    try:
        if not content.isascii():
            content.decode()
        return _known(function, content, look)
    except ValueError:  # not UTF-8, or a quote that is never closed
        return None


def _known(function: Callable[..., Any], content: bytes, look: Look) -> Known | None:
    places = range(look.columns)
    kinds = b"".join(_LETTERS[look.kinds[at]] if at in look.kinds else _OTHER for at in places)
    longest = array("I", (look.longest.get(at, _NO_LIMIT) for at in places)).tobytes()
    rows, others = 0, []
    for start, end in record_blocks(content, _BLOCK_BYTES):
        found = function(content[start:end], kinds, longest)
        if found is None:
            return None
        rows += found[0]
        others.append(found[1])
    if others[0].startswith(codecs.BOM_UTF8):  # DuckDB would drop it, which is part of a value
        return None
    return Known(rows, b"".join(others))

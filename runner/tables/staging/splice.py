"""Rows to send, put together from cells as they were read and cells that DuckDB has computed.

Knows plain CSV. Knows nothing of mappings or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from runner.luajit import PAYS_FROM, compiled

_READ_BYTES = 64_000
_SPLICE = Path(__file__).with_name("splice.lua")


def splice(rows: Iterable[bytes], computed: BinaryIO, columns: int) -> Iterator[bytes]:
    """Put computed cells into rows, some at a time.

    Args:
        rows: To send, with U+0000 where a computed cell is to come.
        computed: Plain CSV of these cells.
        columns: How many it has.

    Raises:
        ValueError: There are fewer or more cells than places, or LuaJIT is not there.
    """
    function = compiled(_SPLICE, PAYS_FROM)  # who has looked at the rows has had enough of them
    if function is None:
        raise ValueError("no LuaJIT")
    cells, used = b"", 0
    for block in rows:
        if len(cells) <= used:  # the block before it needed as many
            cells += computed.read(_READ_BYTES)
        while (found := function(block, cells, columns)) is None:
            # Twice as much each time: the rows are begun anew with it.
            more = computed.read(max(_READ_BYTES, len(cells)))
            if not more:
                raise ValueError("too few cells")
            cells += more
        done, used = found
        yield done
        cells = cells[used:]
    if cells or computed.read(1):
        raise ValueError("too many cells")

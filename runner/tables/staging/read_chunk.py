"""A chunk that is read and not yet mapped, and whether its bytes tell that it need not be.

Knows mappings. Knows nothing of how rows are mapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from runner import luajit
from runner.job.choices import Blank
from runner.tables.staging.as_is import look_in_bytes
from runner.tables.staging.chunk import RowChunk
from runner.tables.staging.mapping import ColumnMapping, Pass

if TYPE_CHECKING:
    from runner.tables.staging.as_is_bytes import Known, Look

MOST_TRIES = 3
"""Chunks that are tried in vain at most, one after the other."""


class ReadChunk(Struct, frozen=True):
    """A chunk whose rows are in its file, and not yet mapped."""

    index: int
    """Which chunk of the source."""
    chunk: RowChunk
    has_null: bool
    has_return: bool
    plain_rows: int | None
    """Its rows, if it is what is sent where every value is sent as it is read."""
    others: bytes | None = None
    """Plain CSV of the columns of which that is not known yet; None: it is of no column."""
    hashes: bytes = b""
    """Of its rows' keys, if it is known of every column and rows have keys."""

    @property
    def goal(self) -> Pass:
        """What to look for in its rows."""
        return Pass(self.has_null, self.has_return, explains=False)

    @property
    def is_ordinary(self) -> bool:
        """Whether values have no character that needs a look at each."""
        return not (self.has_null or self.has_return)


class KnownChunks(Struct):
    """Finds chunks whose bytes show that all rows can be sent as they were read."""

    _tries: int = MOST_TRIES
    _is_used: bool = False
    _look: Look | None = None
    """The same for all chunks of a source."""

    @property
    def may_come(self) -> bool:
        """Whether it is worth trying."""
        return self._tries > 0

    def find(self, content: bytes, mappings: Sequence[ColumnMapping], blank: Blank) -> Known | None:
        """Look at the rows of a chunk, whose columns are sent in their order.

        Returns:
            What is known of it, with hashes of its keys if rows have some; None if that is not all.
        """
        if not self.may_come:
            return None
        known = None
        if self._is_used or len(content) >= luajit.PAYS_FROM:
            from runner.tables.staging.as_is_bytes import find_known

            if self._look is None:
                self._look = look_in_bytes(mappings, blank, hashes=True)
            known = None if self._look.others else find_known(content, self._look)
        self._tries = MOST_TRIES if known else self._tries - 1
        self._is_used = self._is_used or known is not None
        return known

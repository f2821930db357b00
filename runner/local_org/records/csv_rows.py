"""The rows of a CSV as they were read: lists of texts under one header.

Knows places and names. Knows nothing of fields or values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import overload


class CsvRows(Sequence[Mapping[str, object]]):
    """Rows that are mappings for who looks at one, and columns for who reads all of them."""

    def __init__(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Each row has as many values as the header."""
        self.header = header
        self._rows = rows

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Mapping[str, object]: ...
    @overload
    def __getitem__(self, place: slice) -> CsvRows: ...
    def __getitem__(self, place: int | slice) -> Mapping[str, object] | CsvRows:
        """One row, or some as they are."""
        if isinstance(place, slice):
            return CsvRows(self.header, self._rows[place])
        return dict(zip(self.header, self._rows[place], strict=True))

    def columns(self) -> list[Sequence[str]]:
        """The texts of each column, in the order of the header."""
        return list(zip(*self._rows, strict=True))

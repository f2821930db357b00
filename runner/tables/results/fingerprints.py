"""What rows and their results are recognized by: SQL of a text or number that both have.

Knows how the org echoes values. Knows nothing of files or of where rows are.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from runner.tables.field_types import NUMBERS
from runner.tables.staging.canonical_values import comparable
from runner.tables.staging.mapping import ColumnMapping

DIGITS_OF_A_DOUBLE = 15
"""A number of no more digits is read from its double as it was written."""


class Way(Struct, frozen=True):
    """A way to identify rows: by a fingerprint of some columns."""

    columns: Sequence[ColumnMapping]
    is_as_returned: bool = False
    """It is the record as Bulk API returns it."""
    is_exact: bool = False
    """A value that the org echoes in another form counts as another one, which is faster.

    Its 64 bits may be equal by chance: it serves only if each row sent has its own fingerprint, and
    each result is of one of them.
    """
    tells_digits: bool = False
    """Numbers are compared digit by digit, not as the doubles as which the org may echo them."""

    @property
    def numbers(self) -> list[ColumnMapping]:
        """Those of the columns that hold numbers."""
        return [each for each in self.columns if each.column.kind in NUMBERS]

    def fingerprint(self, cells: Sequence[str]) -> str:
        """Write the SQL of a row's fingerprint, given that of each column's text.

        A single text, mostly the key, is its own; of several it is 128 bits, never equal by chance.
        """
        if self.is_as_returned:
            values = ", ".join(f"replace(coalesce({each}, ''), '\"', '\"\"')" for each in cells)
            return f"',\"' || concat_ws('\",\"', {values}) || '\"'"
        if self.is_exact:
            return f"hash({', '.join(cells)})"
        pairs = zip(self.columns, cells, strict=True)
        texts = [comparable(mapping.column.kind, cell) for mapping, cell in pairs]
        if self.tells_digits:
            for at, (mapping, cell) in enumerate(zip(self.columns, cells, strict=True)):
                if mapping.column.kind in NUMBERS:
                    digits = f"CAST(try_cast({cell} AS DECIMAL(38, 18)) AS VARCHAR)"
                    texts[at] = f"coalesce({digits}, {texts[at]})"
        if len(texts) == 1:
            return texts[0]
        return f"md5_number(concat_ws(chr(31), {', '.join(texts)}))"

"""A run of staged rows.

Knows where they are and which numbers they have. Knows nothing of what is in them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slab:
    """A run of staged rows in one table."""

    table: str
    first_row: int
    """Number of its first row in the source, from 1."""
    rows: int
    rejected: int
    """Rows of it that are not sent."""

    @property
    def last_row(self) -> int:
        """Number of its last row in the source."""
        return self.first_row + self.rows - 1

    @property
    def relation(self) -> str:
        """SQL of its rows with their number in the source as `row`."""
        return f"(SELECT *, rowid + {self.first_row} AS row FROM {self.table})"


def rows_between(slabs: tuple[Slab, ...], first_row: int, last_row: int) -> str:
    """Write the relation of the rows to send in a range of row numbers, in their order."""
    touched = [s for s in slabs if s.first_row <= last_row and s.last_row >= first_row]
    union = " UNION ALL ".join(f"FROM {slab.relation}" for slab in touched)
    return f"(FROM ({union}) WHERE problem IS NULL AND row BETWEEN {first_row} AND {last_row})"

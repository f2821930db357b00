"""Merges: which records become one, and what the one that is left takes from the others.

Values. Knows the names of the columns that a merge sends besides the fields of its master.
"""

from __future__ import annotations

from msgspec import Struct

MASTER = "master"
"""Column of the Id of the record that is left; no field has its name."""
LOSERS = ("loser", "second loser")
"""Columns of the Ids of the records that are merged into it."""
COLUMNS = (MASTER, *LOSERS)
MERGEABLE = ("Account", "Contact", "Lead", "Individual")
"""Objects whose records the SOAP call merges. Source: SOAP API developer guide, `merge()`."""


class Merge(Struct, frozen=True):
    """How the rows of a task name records, as SQL over the source's columns."""

    master: str
    losers: tuple[str, ...]
    """One or two."""
    fill: tuple[str, ...] = ()
    """Fields that the master takes from its losers where its own are blank."""

    @property
    def expressions(self) -> dict[str, str]:
        """What fills each column."""
        return {MASTER: self.master, **dict(zip(LOSERS, self.losers, strict=False))}

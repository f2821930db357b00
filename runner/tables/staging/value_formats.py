"""How people write numbers and dates where it is not as SQL does, in SQL.

Knows decimal commas and formats of strptime. Knows nothing of fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from runner.job.endpoints import FileShape
from runner.tables.field_types import EXPLICIT_NULL, FieldKind
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import EXPECTED

_COMMA = r"[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]*)(,[0-9]*)?([eE][+-]?[0-9]{1,3})?"
_EXAMPLE = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Spelling:
    """How values of one kind are written in a source."""

    kind: FieldKind
    format: str | None = None
    """In strptime's codes; None: a number with a decimal comma."""

    @property
    def example(self) -> str:
        """What to write, for messages."""
        if self.format is None:
            return "a number such as 1.234,56"
        return f"a date such as {_EXAMPLE.strftime(self.format)}, nor {EXPECTED[self.kind]}"

    def sql(self, text: str) -> str:
        """Give the SQL of a text as SQL would write it; NULL for what does not fit."""
        kept = literal(EXPLICIT_NULL)
        return f"CASE WHEN {text} = {kept} THEN {kept} ELSE {self._plain(text)} END"

    def _plain(self, text: str) -> str:
        if self.format is None:
            plain = f"replace(replace({text}, '.', ''), ',', '.')"
            return f"CASE WHEN regexp_full_match({text}, {literal(_COMMA)}) THEN {plain} END"
        moment = f"try_strptime({text}, {literal(self.format)})"
        written = (
            f"strftime({moment}, '%Y-%m-%d')"
            if self.kind is FieldKind.DATE
            else f"CAST({moment} AS VARCHAR)"
        )
        # %Y reads `26` as the year 26.
        return f"CASE WHEN year({moment}) < 1000 THEN NULL ELSE coalesce({written}, {text}) END"


def spelling(shape: FileShape, kind: FieldKind) -> Spelling | None:
    """Tell how a source writes values of a kind; None: as everybody does."""
    if kind in {FieldKind.NUMBER, FieldKind.INTEGER} and shape.decimal == ",":
        return Spelling(kind)
    form = {FieldKind.DATE: shape.dates, FieldKind.DATETIME: shape.datetimes}.get(kind)
    return Spelling(kind, form) if form else None

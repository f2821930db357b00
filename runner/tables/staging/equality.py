"""When a field already holds what would be sent to it, as SQL.

Equal means that to write the value would leave the record as it is, by what Salesforce does when it
saves. Where that is not certain, values are not equal: a needless write is harmless, a missing one
is not. Shared by a comparison before a write (`comparison`) and by an undo (`undo.rules`). Knows
values. Knows nothing of records or tables.

Sources: Apex Developer Guide, Primitive Data Types (blanks of texts; no text is empty); Salesforce
Help 000387302 and 000385689 (an API may store more decimals than a field has, the UI does not).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from runner.job.endpoints import EXPLICIT_NULL
from runner.tables.field_types import NUMBERS, FieldKind
from runner.tables.sql import literal
from runner.tables.staging.canonical_values import as_stored, same_key

_UNREADABLE = frozenset({"encryptedstring", "base64"})
"""Types of which a query returns something else than what was written."""
_MOST_DIGITS = 38
_MOST_SCALE = 18
"""Of any field: it has 18 digits, before or after the point."""
_NULL = literal(EXPLICIT_NULL)


class HeldField(Struct, frozen=True):
    """A field of a record, as a query reads it and as a column of a write fills it."""

    column: str
    """As it is sent: `Name`, `Account.ERP_Id__c`."""
    type: str
    """Describe type of the values."""
    scale: int = 0
    lookup: str | None = None
    """The reference behind a relationship column, whose values are keys of the parent."""
    tells_case: bool = True
    """Of a parent's key: whether `a1` and `A1` are two."""
    is_rich: bool = False
    """Whether it holds rich text, whose markup the org rewrites."""

    @property
    def kind(self) -> FieldKind:
        """Kind of the values."""
        return FieldKind.of(self.type)

    @property
    def is_readable(self) -> bool:
        """Whether a query returns what was written."""
        # `Contact:Who.Key__c` names a parent of one of several objects.
        return not self.is_rich and self.type not in _UNREADABLE and ":" not in self.column


def is_held(field: HeldField, sent: str, held: str, lookup: str | None = None) -> str:
    """Give the SQL of whether a record already holds what is sent; never NULL.

    Args:
        field: The field.
        sent: SQL of the cell to send; NULL leaves the field as it is.
        held: SQL of what the record holds, as either API writes it; NULL for null.
        lookup: SQL of the reference that it holds, for a relationship column.
    """
    return (
        f"CASE WHEN {sent} IS NULL THEN true WHEN {sent} = {_NULL} THEN {lookup or held} IS NULL"
        f" WHEN {sent} = {held} THEN true ELSE coalesce({_is_same(field, sent, held)}, false) END"
    )


def plain(field: HeldField, text: str, *, sent: bool, lookup: str | None = None) -> str:
    """Give the SQL of a text that two values have in common only if they are equal; NULL for null.

    Cheaper than `is_held`, and enough to find most rows that change nothing: texts that differ may
    still be equal.

    Args:
        field: The field.
        text: SQL of the value.
        sent: Whether it is a cell to send, not what the record holds.
        lookup: SQL of the reference that the record holds, for a relationship column.
    """
    if field.lookup is not None:
        own = f"nullif({text}, {_NULL})" if sent else text
        key = same_key(field.kind, own, tells_case=field.tells_case)
        value = key if sent else f"coalesce({key}, chr(30) || {lookup})"
    elif field.kind is FieldKind.NUMBER or (field.kind is FieldKind.INTEGER and not sent):
        digits = f"rtrim(rtrim({text}, '0'), '.')"
        value = f"CASE WHEN contains({text}, '.') THEN {digits} ELSE {text} END"
    elif field.kind is FieldKind.ID:
        value = f"left({text}, 15)"
    elif field.kind is FieldKind.BOOLEAN:
        value = text if sent else f"coalesce({text}, 'false')"
    elif field.kind is FieldKind.DATETIME:
        is_utc = f"({text}[-1] = 'Z' OR right({text}, 5) = '+0000')"
        value = f"CASE WHEN {is_utc} THEN {second(text)} ELSE {text} END"
    else:
        value = as_stored(text) if sent and field.kind is FieldKind.TEXT else text
    # Outside of the others, whose texts may be written several times.
    return f"nullif({value}, {_NULL})" if sent else value


def _is_same(field: HeldField, sent: str, held: str) -> str:
    """SQL of whether two texts that differ mean the same to the field; may be NULL."""
    if field.lookup is not None:
        sides = (same_key(field.kind, each, tells_case=field.tells_case) for each in (sent, held))
        return " = ".join(sides)
    if field.kind in NUMBERS:
        return is_same_number(field, sent, held)
    if field.type == "multipicklist":
        return f"{as_set(as_stored(sent))} = {as_set(held)}"
    return _SAME[field.kind](sent, held) if field.kind in _SAME else "false"


def is_same_number(field: HeldField, sent: str, held: str) -> str:
    """Give the SQL of whether a number is the other one, or that one at the field's scale.

    What a record holds with more decimals than its field has, an API has written: only the same
    value leaves it as it is.
    """
    scale = min(field.scale, _MOST_SCALE)
    wrote, holds = number(sent), number(held)
    rounded = _rounded(wrote, scale, to_even=field.type == "currency")
    return f"({holds} = {wrote} OR {holds} = {rounded})"


def _rounded(value: str, scale: int, *, to_even: bool) -> str:
    """SQL of a number at a scale; halves go away from zero, or to the even digit."""
    away = f"round({value}, {scale})"
    if not to_even:
        return away
    unit = number(f"'1e-{scale}'")
    is_half = f"abs({away} - {value}) = {half_a_unit(scale)}"
    digits = f"CAST(CAST({away} AS DECIMAL({_MOST_DIGITS}, {scale})) AS VARCHAR)"
    is_odd = f"right({digits}, 1) IN ('1', '3', '5', '7', '9')"
    return f"CASE WHEN {is_half} AND {is_odd} THEN {away} - sign({away}) * {unit} ELSE {away} END"


def number(text: str) -> str:
    """Give the SQL of a text's number; NULL if it is none that a field can hold."""
    return f"try_cast({text} AS DECIMAL({_MOST_DIGITS}, {_MOST_SCALE}))"


def half_a_unit(scale: int) -> str:
    """Give the SQL of half a unit of the last decimal of a field with this scale."""
    return number(f"'5e-{min(scale, _MOST_SCALE) + 1}'")


def second(text: str) -> str:
    """Give the SQL of a datetime's second: the org stores no fraction of it."""
    return f"left({text}, 19)"


def _is_same_moment(sent: str, held: str) -> str:
    # Both APIs write UTC; anything else is not compared.
    return f"{second(sent)} = {second(held)} AND ({held} LIKE '%Z' OR {held} LIKE '%+0000')"


def as_set(text: str) -> str:
    """Give the SQL of the values of a multi-select picklist in some order, each once, no blanks."""
    values = f"regexp_replace(trim({text}, ';'), ';+', ';', 'g')"
    return f"list_sort(list_distinct(string_split({values}, ';')))"


_SAME: dict[FieldKind, Callable[[str, str], str]] = {
    FieldKind.TEXT: lambda sent, held: f"{as_stored(sent)} = {held}",
    FieldKind.BOOLEAN: lambda sent, held: f"{sent} = coalesce({held}, 'false')",
    FieldKind.DATETIME: _is_same_moment,
    FieldKind.ID: lambda sent, held: f"left({sent}, 15) = left({held}, 15)",
}
"""How texts of a kind are the same if they differ; those of other kinds never are."""

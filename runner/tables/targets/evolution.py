"""How the columns of a target and of a query come together: added, widened, or no longer fitting.

Knows kinds of columns. Knows nothing of files or databases.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import StateError
from runner.job.endpoints import SchemaChanges
from runner.tables.field_types import FieldKind
from runner.tables.targets.column_types import MOST_DIGITS, TypedColumn

_INTEGER_DIGITS = 19
_TYPED = frozenset(
    {FieldKind.BOOLEAN, FieldKind.INTEGER, FieldKind.DATE, FieldKind.DATETIME, FieldKind.TIME}
)
_HINT = "Select the field as before, or write the rows once with `mode: replace`."


class KeptColumn(Struct, frozen=True):
    """A column that a target has."""

    name: str
    typed: TypedColumn | None
    """None if it is of a type that no field has."""
    type: str = "text"
    """As the target calls it, for messages."""


class JoinedColumn(Struct, frozen=True):
    """A column of the target as it is to be."""

    written: TypedColumn
    """Under the target's own name, if it has one."""
    kept: str | None = None
    """Its name in the target; None if it is new."""
    fresh: str | None = None
    """Its name in the query; None if the query does not have it."""
    is_wider: bool = False
    """Whether the target's own type is too narrow."""
    is_typed: bool = True
    """Whether `written` shows the type of a column that is not in the query."""


def join_columns(
    place: str,
    kept: Sequence[KeptColumn],
    fresh: Sequence[TypedColumn],
    schema: SchemaChanges,
) -> tuple[JoinedColumn, ...]:
    """Match columns by name, whatever their letter case; those of the target come first.

    Args:
        place: What the target is called in messages.
        kept: Columns of the target; none if it does not exist.
        fresh: Columns of the query.
        schema: Whether columns may be added or widened.

    Raises:
        StateError: A type does not fit, or a change is not allowed; it names the column.
    """
    wanted = {each.name.lower(): each for each in fresh}
    known = {each.name.lower() for each in kept}
    joined = [_joined(place, each, wanted.get(each.name.lower())) for each in kept]
    new = [each for each in fresh if each.name.lower() not in known]
    if kept and schema is SchemaChanges.FREEZE:
        changed = next((f"has no column {each.name}" for each in new), None) or next(
            (f"has a column {each.kept} that is too narrow" for each in joined if each.is_wider),
            None,
        )
        if changed is not None:
            raise StateError(
                f"{place} {changed}, and `schema: freeze` keeps it so; nothing was written.",
                hint="Change it yourself, or write `schema: evolve`.",
            )
    return (*joined, *(JoinedColumn(each, fresh=each.name) for each in new))


def _joined(place: str, kept: KeptColumn, wanted: TypedColumn | None) -> JoinedColumn:
    if wanted is None:
        typed = kept.typed or TypedColumn(kept.name, FieldKind.TEXT)
        return JoinedColumn(typed, kept.name, is_typed=kept.typed is not None)
    fitted = None if kept.typed is None else _fitted(kept.typed, wanted)
    if fitted is None:
        raise StateError(
            f"{place}: the column {kept.name} is of type {kept.type}, which no longer fits: the"
            f" query gives {_called(wanted)}. Nothing was written.",
            hint=_HINT,
        )
    return JoinedColumn(
        replace(fitted, name=kept.name), kept.name, wanted.name, is_wider=fitted != kept.typed
    )


def is_text(column: TypedColumn) -> bool:
    """Whether a column's values are written as text."""
    return not column.is_decimal and column.kind not in _TYPED


def _called(column: TypedColumn) -> str:
    return "text" if is_text(column) else column.kind.value


def _fitted(kept: TypedColumn, wanted: TypedColumn) -> TypedColumn | None:
    """The type that holds the values of both; None if there is none."""
    if _called(kept) == "text":
        return kept
    if _called(kept) == _called(wanted) and not kept.is_decimal:
        return kept
    numbers = [_as_decimal(each) for each in (kept, wanted)]
    if numbers[0] is None or numbers[1] is None:
        return None
    (whole, scale), (other_whole, other_scale) = numbers[0], numbers[1]
    scale, whole = max(scale, other_scale), max(whole, other_whole)
    if whole + scale > MOST_DIGITS:
        return None
    wide = TypedColumn(kept.name, FieldKind.NUMBER, whole + scale, scale)
    return kept if kept.is_decimal and wide == kept else wide


def _as_decimal(column: TypedColumn) -> tuple[int, int] | None:
    """Digits before and after the decimal mark; None if it is not a number."""
    if column.kind is FieldKind.INTEGER:
        return _INTEGER_DIGITS, 0
    return (column.precision - column.scale, column.scale) if column.is_decimal else None

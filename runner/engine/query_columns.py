"""The columns of a query: header, place in a REST answer, and type, all from its SELECT list.

Knows what the functions of SOQL return. Knows nothing of answers or files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

from msgspec.structs import replace

from runner.errors import OrgError, TransientError
from runner.job.soql import AGGREGATES, ItemKind, Selection, SelectItem
from runner.salesforce.describe import Describes
from runner.salesforce.described import BLOB, FieldDescribe
from runner.tables.field_types import FieldKind
from runner.tables.targets.rest_rows import QueryColumn

_COMPOUNDS = frozenset({"address", "location"})
_TEXTS = frozenset({"tolabel", "format"})
_COUNTS = frozenset({"count", "count_distinct", "grouping"})
_DATE_PARTS = (
    frozenset(f"{kind}_{part}" for kind in ("calendar", "fiscal") for part in ("month", "quarter"))
    | {"calendar_year", "fiscal_year", "day_in_month", "day_in_week", "day_in_year"}
    | {"hour_in_day", "week_in_month", "week_in_year"}
)
_NUMBERS = frozenset({"avg", "distance"})
_SAME_AS_FIELD = (AGGREGATES - _COUNTS - _NUMBERS) | {"convertcurrency", "converttimezone"}
_FIELD_SETS: dict[str, Callable[[FieldDescribe], bool]] = {
    "all": lambda _: True,
    "standard": lambda field: not field.custom,
    "custom": lambda field: field.custom,
}


def query_columns(selected: Selection, describes: Describes) -> tuple[QueryColumn, ...]:
    """A query's columns; those of FIELDS(…) as described, to be checked with the first record."""
    sobject = selected.sobject if _is_described(selected.sobject, describes) else ""
    return tuple(column for item in selected.items for column in _columns(sobject, item, describes))


def _is_described(sobject: str, describes: Describes) -> bool:
    try:
        return bool(sobject and describes.of(sobject))
    except TransientError:
        raise
    except OrgError:
        return False  # the org will refuse the query itself, in its own words


def _columns(sobject: str, item: SelectItem, describes: Describes) -> Iterator[QueryColumn]:
    if item.kind is ItemKind.FIELDS:
        yield from _field_set(sobject, item.fields_of, describes)
    elif item.kind in {ItemKind.CHILDREN, ItemKind.TYPEOF}:
        optional = item.kind is ItemKind.TYPEOF
        yield QueryColumn(item.column, FieldKind.JSON, member=item.member, optional=optional)
    elif item.kind is not ItemKind.UNREADABLE:
        yield _column(sobject, item, describes)


def _field_set(sobject: str, word: str, describes: Describes) -> Iterator[QueryColumn]:
    is_in_set = _FIELD_SETS.get(word)
    if not sobject or is_in_set is None:
        return
    for field in describes.of(sobject).fields.values():
        if is_in_set(field):
            yield _typed(QueryColumn(field.name, member=(field.name,), from_fields=True), field)


def _column(sobject: str, item: SelectItem, describes: Describes) -> QueryColumn:
    column = QueryColumn(item.column, member=item.member)
    for function in item.functions:
        kind = _kind_of_result(function)
        if kind is not None:
            return QueryColumn(item.column, kind, member=item.member)
        if function not in _SAME_AS_FIELD:
            return column
    field = _field_of(sobject, item, describes)
    return _typed(column, field) if field else column


def _kind_of_result(function: str) -> FieldKind | None:
    """What a function returns for any field; None if that depends on the field."""
    if function in _TEXTS:
        return FieldKind.TEXT
    if function in _COUNTS or function in _DATE_PARTS:
        return FieldKind.INTEGER
    if function in _NUMBERS:
        return FieldKind.NUMBER
    return FieldKind.DATE if function == "day_only" else None


def _typed(column: QueryColumn, field: FieldDescribe) -> QueryColumn:
    kind = FieldKind.JSON if field.type in _COMPOUNDS else FieldKind.of(field.type)
    return replace(
        column,
        kind=kind,
        precision=field.precision,
        scale=field.scale,
        is_blob=field.type == BLOB,
    )


def _field_of(sobject: str, item: SelectItem, describes: Describes) -> FieldDescribe | None:
    if item.path is None or not sobject:
        return None
    try:
        return describes.follow(sobject, item.path)
    except TransientError:
        raise
    except OrgError:
        return None  # a parent that the user may not see


def datetimes_of(describes: Describes) -> Callable[[str], frozenset[str]]:
    """Names, in lower case, of an object's fields that hold datetimes."""

    @cache
    def find(sobject: str) -> frozenset[str]:
        if not _is_described(sobject, describes):
            return frozenset()  # `Name`, the type of a parent that can be one of several objects
        fields = describes.of(sobject).fields.items()
        return frozenset(name for name, field in fields if field.type == "datetime")

    return find

"""The answer to `columns=true`: the columns of a query, without running it.

Knows the shape that clients read: one entry per column, columns of parents and children inside
`joinColumns`, where `aggregate` marks a list of children. Knows no SQL. Source: the Salesforce CLI.
"""

from __future__ import annotations

from runner.local_org.soql.kinds import NUMERIC, Kind
from runner.local_org.soql.prepare import Prepared
from runner.local_org.soql.select_list import ColumnNote

_APEX_TYPES = {
    Kind.TEXT: "String",
    Kind.ID: "Id",
    Kind.BOOLEAN: "Boolean",
    Kind.INTEGER: "Integer",
    Kind.DOUBLE: "Double",
    Kind.DATE: "Date",
    Kind.DATETIME: "Datetime",
    Kind.TIME: "Time",
    Kind.CHOICES: "String",
    Kind.COMPOUND: "Address",
    Kind.BLOB: "Blob",
}


def column_metadata(prepared: Prepared) -> dict[str, object]:
    """The whole answer."""
    return {
        "columnMetadata": _columns(prepared.notes),
        "entityName": prepared.entity.name,
        "groupBy": prepared.grouped,
        "idSelected": any(note.path == ("Id",) for note in prepared.notes),
        "keyPrefix": prepared.entity.key_prefix,
    }


def _columns(notes: tuple[ColumnNote, ...]) -> list[dict[str, object]]:
    parents: dict[str, list[ColumnNote]] = {}
    for note in notes:
        parents.setdefault(note.path[0], []).append(note)
    return [_entry(name, inside) for name, inside in parents.items()]


def _entry(name: str, inside: list[ColumnNote]) -> dict[str, object]:
    first = inside[0]
    if first.expression is None:
        return _column(name, joined=_columns(first.children), aggregate=True)
    if len(first.path) > 1:
        deeper = tuple(ColumnNote(note.path[1:], note.expression) for note in inside)
        return _column(name, joined=_columns(deeper), foreign_key=_foreign_key(name))
    return _column(name, first)


def _column(
    name: str,
    note: ColumnNote | None = None,
    *,
    joined: list[dict[str, object]] | None = None,
    aggregate: bool = False,
    foreign_key: str | None = None,
) -> dict[str, object]:
    expression = note.expression if note else None
    kind = expression.kind if expression else None
    field = expression.field if expression and expression.plain else None
    aggregate = aggregate or bool(expression and expression.aggregate)
    return {
        "aggregate": aggregate,
        "apexType": _APEX_TYPES[kind] if kind and not aggregate else None,
        "booleanType": kind is Kind.BOOLEAN,
        "columnName": name,
        "custom": bool(field and field.custom),
        "displayName": _spelled(expression.name) if expression and not field else name,
        "foreignKeyName": foreign_key,
        "insertable": bool(field and field.createable),
        "joinColumns": joined or [],
        "numberType": kind in NUMERIC,
        "textType": kind in {Kind.TEXT, Kind.CHOICES},
        "updatable": bool(field and field.updateable),
    }


def _foreign_key(relationship: str) -> str:
    """The lookup field of a relationship."""
    custom = relationship.lower().endswith("__r")
    return f"{relationship[:-1]}c" if custom else f"{relationship}Id"


def _spelled(call: str) -> str:
    """`AVG(Amount)` as Salesforce shows it: `avg(Amount)`, whatever the query's case."""
    function, opening, rest = call.partition("(")
    return function.lower() + opening + rest

"""The select list of a record query: the columns to fetch and how they form a record.

Knows fields, parents, TYPEOF, compounds, FIELDS(). Knows nothing of filters and grouping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from runner.local_org.catalog.model import Field, SObject
from runner.local_org.records.compounds import compound_parts
from runner.local_org.soql import record_shape
from runner.local_org.soql.expressions import AGGREGATES, CONVERSIONS, Expression
from runner.local_org.soql.kinds import Kind, kind_of
from runner.local_org.soql.printing import csv_sql, rest_sql
from runner.local_org.soql.scope import Place
from runner.local_org.soql.select_compiler import Select
from runner.soql.syntax import (
    Call,
    ChildItem,
    Comparator,
    Comparison,
    Condition,
    Distance,
    FieldItem,
    Junction,
    Membership,
    Path,
    TypeofItem,
)

_FIELDS_FROM = 51.0
_TYPEOF_FROM = 46.0
_MOST_UNBOUNDED = 200
_FIELD_SETS: dict[str, Callable[[Field], bool]] = {
    "ALL": lambda _field: True,
    "STANDARD": lambda field: not field.custom,
    "CUSTOM": lambda field: field.custom,
}


_SHAPES: dict[Kind, Callable[[str, int], record_shape.Output]] = {
    Kind.BOOLEAN: record_shape.Flag,
    Kind.DOUBLE: record_shape.Number,
}


class ColumnNote(Struct, frozen=True):
    """One selected column, for `columns=true` and Bulk's header."""

    path: tuple[str, ...]
    """Its key, after the keys of its parents."""
    expression: Expression | None
    """None for a child subquery."""
    children: tuple[ColumnNote, ...] = ()


class SelectList:
    """Reads a select list; the result is in its attributes."""

    def __init__(self, select: Select, add_child: Callable[[ChildItem], ColumnNote]) -> None:
        """`add_child` compiles a child subquery and returns its column."""
        self.columns: list[str] = []
        """SQL of the fetched columns."""
        self.notes: list[ColumnNote] = []
        self.compound = False
        self.has_typeof = False
        self.unbounded = False
        """Whether FIELDS(ALL) or FIELDS(CUSTOM) is selected."""
        self._select = select
        self._statement = select.context.statement
        self._add_child = add_child
        self._places: dict[str, int] = {}
        self._shapes: dict[tuple[str, ...], record_shape.RecordShape] = {}
        self._selected: set[str] = set()
        self._typeofs: dict[tuple[str, ...], int] = {}
        """Relationships, in lower case, and where TYPEOF is used with them."""
        self.shape = self._shape_of(select.scope.root)
        self._unnamed = 0
        for item in select.query.items:
            self._read(item)
        self._check_typeofs()

    def csv_columns(self) -> list[tuple[str, str]]:
        """Header and SQL of each column of a Bulk result."""
        return [
            (".".join(note.path), csv_sql(note.expression))
            for note in self.notes
            if note.expression is not None
        ]

    def _read(self, item: FieldItem | ChildItem | TypeofItem) -> None:
        plain = not isinstance(item, FieldItem) or isinstance(item.operand, Path)
        if plain and item.alias is not None:
            at = item.operand.at if isinstance(item, FieldItem) else item.at
            raise self._statement.malformed(at, "only aggregate expressions use field aliasing")
        match item:
            case ChildItem():
                self._child(item)
            case TypeofItem():
                self._typeof(item)
            case FieldItem(Call() as call, alias):
                self._call(call, alias)
            case FieldItem(Distance() as distance, alias):
                self._distance(distance, alias)
            case FieldItem(Path() as path):
                self._path(path)

    # --- fields

    def _path(self, path: Path) -> None:
        self._add(self._select.operands.resolve(path), path.at)

    def _add(self, found: Expression, at: int, alias: str | None = None) -> None:
        column = found.column
        if column is None:
            return
        key = alias or column.field.name
        own = column.place if alias is None else self._select.scope.root
        self._once((*own.relationships, key), at)
        self.notes.append(ColumnNote((*own.relationships, key), found))
        output = self._output(key, found, column.place)
        self._shape_of(own).outputs.append(output)

    def _once(self, path: tuple[str, ...], at: int) -> None:
        spelt = ".".join(path)
        if spelt.lower() in self._selected:
            raise self._statement.refusal("INVALID_FIELD", at, f"duplicate field selected: {spelt}")
        self._selected.add(spelt.lower())

    def _output(self, key: str, found: Expression, place: Place) -> record_shape.Output:
        if found.kind is Kind.COMPOUND and found.field is not None:
            self.compound = True
            return record_shape.Compound(key, self._parts(found.field, place))
        at = self._fetch(rest_sql(found, self._select.context.version))
        return _SHAPES.get(found.kind, record_shape.Plain)(key, at)

    def _parts(self, compound: Field, place: Place) -> tuple[record_shape.Output, ...]:
        """The parts of a compound, with their positions in the row."""
        scope, sobject = self._select.scope, place.variants[0].sobject
        return tuple(
            _SHAPES.get(kind_of(part), record_shape.Plain)(
                name, self._fetch(scope.field(place, part.name, 0).sql)
            )
            for name, part in compound_parts(sobject, compound)
        )

    def _fetch(self, sql: str) -> int:
        """The position of an SQL expression in the row; each expression is fetched once."""
        if sql not in self._places:
            self._places[sql] = len(self.columns)
            self.columns.append(sql)
        return self._places[sql]

    def _shape_of(self, place: Place) -> record_shape.RecordShape:
        key = place.relationships
        if key not in self._shapes:
            shape = self._new_shape(place)
            self._shapes[key] = shape
            if key:
                above = self._shapes.get(key[:-1]) or self._shape_of(self._above(place))
                above.outputs.append(record_shape.Parent(key[-1], shape))
        return self._shapes[key]

    def _above(self, place: Place) -> Place:
        return self._select.scope.follow(place.relationships[:-1], 0, self._select.scope.root)

    def _new_shape(self, place: Place) -> record_shape.RecordShape:
        return record_shape.RecordShape(
            url=f"/services/data/v{self._select.context.version}/sobjects/",
            entity=place.entity,
            id_place=self._fetch(place.id_sql),
            sobject_of=self._namer(place),
        )

    def _namer(self, place: Place) -> Callable[[str], str]:
        names = {each.sobject.key_prefix: each.sobject.name for each in place.variants}
        only = place.variants[0].sobject.name
        return (
            (lambda record_id: names.get(record_id[:3], only))
            if len(names) > 1
            else (lambda _record_id: only)
        )

    # --- functions

    def _call(self, call: Call, alias: str | None) -> None:
        name = call.name.upper()
        if name == "FIELDS":
            self._field_set(call)
        elif name in CONVERSIONS:
            self._add(self._select.operands.resolve(call), call.at, alias)
        elif name in AGGREGATES:
            raise self._statement.malformed(call.at, f"Invalid use of aggregate function: {call}")
        else:
            self._select.operands.resolve(call)
            raise self._statement.malformed(
                call.at, f"Field must be grouped or aggregated: {call.argument}"
            )

    def _distance(self, distance: Distance, alias: str | None) -> None:
        key = alias or f"expr{self._unnamed}"
        self._unnamed += alias is None
        found = self._select.operands.resolve(distance)
        self._once((key,), distance.at)
        self.notes.append(ColumnNote((key,), found))
        at = self._fetch(rest_sql(found, self._select.context.version))
        self.shape.outputs.append(record_shape.Number(key, at))

    def _field_set(self, call: Call) -> None:
        word = str(call.argument or "").upper()
        if self._select.context.version < _FIELDS_FROM or word not in _FIELD_SETS:
            raise self._statement.unexpected(call.at)
        if word != "STANDARD":
            self.unbounded = True
            most = (self._select.query.limit, _most_ids(self._select.query.where))
            if not any(count is not None and count <= _MOST_UNBOUNDED for count in most):
                raise self._statement.malformed(
                    call.at, "The SOQL FIELDS function must have a LIMIT of at most 200"
                )
        for field in self._select.root.fields:
            if _FIELD_SETS[word](field):
                self._path(Path((field.name,), call.at))

    # --- children and TYPEOF

    def _child(self, item: ChildItem) -> None:
        note = self._add_child(item)
        self._once(note.path, item.at)
        self.notes.append(note)
        self.shape.outputs.append(record_shape.ChildList(note.path[-1], self.shape.id_place))

    def _typeof(self, item: TypeofItem) -> None:
        self.has_typeof = True
        if self._select.context.version < _TYPEOF_FROM:
            raise self._statement.unexpected(item.at)
        place = self._select.scope.follow(item.relationship.names, item.relationship.at)
        if not place.polymorphic:
            raise self._statement.refusal(
                "INVALID_FIELD",
                item.relationship.at,
                f"TYPEOF can only be used with a polymorphic relationship: {item.relationship}",
            )
        self._once(place.relationships, item.at)
        self._typeofs[tuple(map(str.lower, place.relationships))] = item.at
        branches = {
            variant.name: self._branch(place.of(variant), fields)
            for variant, fields in self._variants(place, item)
        }
        otherwise = self._branch(place, item.otherwise) if item.otherwise else None
        key = place.relationships[-1]
        switch = record_shape.Switch(
            key, self._fetch(place.id_sql), self._namer(place), branches, otherwise
        )
        self._shape_of(self._above(place)).outputs.append(switch)

    def _check_typeofs(self) -> None:
        """Refuse fields of a relationship that TYPEOF is used with.

        Source: "TYPEOF" of the SOQL reference, which says so, but not in which words.
        """
        for note in self.notes:
            path = tuple(map(str.lower, note.path))
            for depth in range(1, len(path)):
                if path[:depth] in self._typeofs:
                    spelt = ".".join(note.path[:depth])
                    raise self._statement.malformed(
                        self._typeofs[path[:depth]],
                        f"TYPEOF {spelt} and {'.'.join(note.path)} cannot both be selected",
                    )

    def _variants(
        self, place: Place, item: TypeofItem
    ) -> Iterator[tuple[SObject, tuple[Path, ...]]]:
        known = {each.sobject.name.lower(): each.sobject for each in place.variants}
        for branch in item.branches:
            if branch.sobject.lower() not in known:
                raise self._statement.no_sobject(item.at, branch.sobject)
            yield known[branch.sobject.lower()], branch.fields

    def _branch(self, place: Place, paths: tuple[Path, ...]) -> record_shape.RecordShape:
        shape = self._new_shape(place)
        for path in paths:
            column = self._select.scope.column(path, place)
            found = Expression(column.sql, column.kind, column.field.name, column, plain=True)
            shape.outputs.append(self._output(column.field.name, found, column.place))
        return shape


def _most_ids(condition: Condition | None) -> int | None:
    """How many records a condition can find, if it is on their Ids; None if it is not."""
    found: int | None = None
    match condition:
        case Comparison(Path((name,)), Comparator.EQUAL) if name.lower() == "id":
            found = 1
        case Membership(Path((name,)), members, False) if name.lower() == "id":
            found = len(members)
        case Junction(word, parts):
            counts = [_most_ids(part) for part in parts]
            known = [count for count in counts if count is not None]
            if word == "AND":
                found = min(known, default=None)
            elif len(known) == len(counts):
                found = sum(known)
    return found

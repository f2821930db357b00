"""Resolves the names in one SELECT: from its sObject through parents to columns.

Knows relationships and their joins. Knows nothing of operators or result shapes.
"""

from __future__ import annotations

from msgspec import Struct

from runner.local_org.catalog.model import Field, SObject
from runner.local_org.soql.kinds import Kind, kind_of
from runner.local_org.soql.refusals import Statement, too_complicated
from runner.local_org.soql.schema import Schema
from runner.local_org.store import quoted
from runner.soql.syntax import Path

_MOST_LEVELS = 5
_MOST_PARENTS = 55
_MOST_TABLES = 64
"""SQLite's limit for a join."""
_NAME = "Name"
"""Salesforce's name for the sObject of a polymorphic path."""
_NAME_FIELDS = {
    name.lower(): Field(name, name, kind)
    for kind, names in {
        "id": ("Id",),
        "string": ("Name", "FirstName", "LastName", "Title", "Alias", "Username", "NameOrAlias"),
        "email": ("Email",),
        "phone": ("Phone",),
        "boolean": ("IsActive",),
        "reference": ("UserRoleId", "ProfileId", "RecordTypeId"),
        "datetime": ("LastViewedDate", "LastReferencedDate"),
    }.items()
    for name in names
}
"""Fields of Name, the sObject that stands for a parent of several types; `type` is another one."""
_TYPE = Field("Type", "Type", "string", length=40)


class Variant(Struct, frozen=True):
    """One sObject that a path can lead to, and its alias in the SQL."""

    alias: str
    sobject: SObject


class Place(Struct, frozen=True):
    """Where a path leads: to a record of one sObject, or of one of several."""

    relationships: tuple[str, ...]
    """The path to here, in the catalog's spelling; empty at the root."""
    variants: tuple[Variant, ...]
    polymorphic: bool = False

    @property
    def entity(self) -> str:
        """Its name in messages and `attributes`."""
        return _NAME if self.polymorphic else self.variants[0].sobject.name

    @property
    def id_sql(self) -> str:
        """SQL of the record's Id; NULL if there is no such parent."""
        return _either([f'{variant.alias}."Id"' for variant in self.variants])

    def of(self, sobject: SObject) -> Place:
        """This place, for a record of one sObject only."""
        chosen = tuple(each for each in self.variants if each.sobject.name == sobject.name)
        return Place(self.relationships, chosen)


class Column(Struct, frozen=True):
    """A resolved field and its SQL."""

    place: Place
    field: Field
    sql: str

    @property
    def kind(self) -> Kind:
        """The kind of its values."""
        return kind_of(self.field)

    @property
    def path(self) -> str:
        """Its path in the catalog's spelling."""
        return ".".join((*self.place.relationships, self.field.name))


class Scope:
    """The names of one SELECT.

    Raises, from its methods, ApiRefusal INVALID_FIELD for names that the org does not have.
    """

    def __init__(
        self, schema: Schema, statement: Statement, root: SObject, own_names: frozenset[str]
    ) -> None:
        """Open a scope.

        Args:
            schema: what can be queried.
            statement: the text, for error messages.
            root: the sObject of FROM.
            own_names: what may precede a field of the root itself, in lower case.
        """
        self.schema = schema
        self.statement = statement
        self.root = Place((), (Variant("t0", root),))
        self._own_names = own_names
        self._aliases: dict[str, Place] = {}
        self._places: dict[tuple[str, ...], Place] = {(): self.root}
        self._joins: list[str] = []
        self._next_alias = 1

    @property
    def from_sql(self) -> str:
        """SQL for FROM: the root's table and every join so far."""
        root = self.root.variants[0]
        return " ".join([f"{self.schema.table(root.sobject)} AS {root.alias}", *self._joins])

    def name(self, alias: str, path: Path) -> None:
        """Add an alias for a path (`FROM Contact c, c.Account a`)."""
        self._aliases[alias.lower()] = self.follow(path.names, path.at)

    def column(self, path: Path, start: Place | None = None) -> Column:
        """The field of a path, from the root or another place."""
        place = self.follow(path.names[:-1], path.at, start)
        return self.field(place, path.names[-1], path.at)

    def field(self, place: Place, name: str, at: int) -> Column:
        """A field of the record at a place."""
        if place.polymorphic and name.lower() == "type":
            return Column(place, _TYPE, _type_sql(place))
        found = [
            (variant, field)
            for variant in place.variants
            if (field := variant.sobject.field(name)) is not None
        ]
        field = found[0][1] if found else None
        if place.polymorphic:
            of_name = _NAME_FIELDS.get(name.lower())
            field = of_name and (field or of_name)
        if field is None:
            raise self.statement.no_column(at, name, place.entity)
        sql = _either([_column_sql(variant, each) for variant, each in found] or ["NULL"])
        if kind_of(field) is Kind.BOOLEAN and place.relationships:
            sql = f"COALESCE({sql}, 0)"
        return Column(place, field, sql)

    def follow(self, names: tuple[str, ...], at: int, start: Place | None = None) -> Place:
        """The place that relationship names lead to."""
        place = start or self.root
        if start is None and names:
            head = names[0].lower()
            if head in self._aliases:
                place, names = self._aliases[head], names[1:]
            elif head in self._own_names and self.root.variants[0].sobject.parent(head) is None:
                names = names[1:]
        for name in names:
            place = self._parent(place, name, at)
        return place

    def _parent(self, place: Place, name: str, at: int) -> Place:
        key = (*(each.lower() for each in place.relationships), name.lower())
        if key not in self._places:
            self._places[key] = self._joined(place, name, at)
        return self._places[key]

    def _joined(self, place: Place, name: str, at: int) -> Place:
        found = [
            (variant, field)
            for variant in place.variants
            if (field := variant.sobject.parent(name)) is not None
        ]
        targets = {
            target.name: target for _, field in found for target in self.schema.targets(field)
        }
        if not found or not targets:
            raise self.statement.no_relationship(at, name)
        if len(place.relationships) >= _MOST_LEVELS or len(self._places) > _MOST_PARENTS:
            raise self.statement.malformed(at, "Too many levels or number of parent relationships")
        key_sql = _either([_column_sql(variant, field) for variant, field in found])
        first = found[0][1]
        return Place(
            (*place.relationships, first.relationship_name or name),
            tuple(self._join(target, key_sql) for target in targets.values()),
            polymorphic=any(len(field.reference_to) > 1 for _, field in found),
        )

    def _join(self, target: SObject, key_sql: str) -> Variant:
        if self._next_alias >= _MOST_TABLES:
            raise too_complicated()
        variant = Variant(f"t{self._next_alias}", target)
        self._next_alias += 1
        table = self.schema.table(target)
        on = f'{variant.alias}."Id" = {key_sql}'
        self._joins.append(f"LEFT JOIN {table} AS {variant.alias} ON {on}")
        return variant


def _either(expressions: list[str]) -> str:
    return expressions[0] if len(expressions) == 1 else f"COALESCE({', '.join(expressions)})"


def _column_sql(variant: Variant, field: Field) -> str:
    """A field's SQL; fields without a column are empty."""
    if not field.stored:
        return "CAST(0 AS INTEGER)" if kind_of(field) is Kind.BOOLEAN else "NULL"
    return f"{variant.alias}.{quoted(field.name)}"


def _type_sql(place: Place) -> str:
    cases = [
        f"WHEN {variant.alias}.\"Id\" IS NOT NULL THEN '{variant.sobject.name}'"
        for variant in place.variants
    ]
    # Salesforce tells a queue from other groups: `WHERE Owner.Type = 'Queue'`.
    queues = (
        f"WHEN {variant.alias}.\"Type\" = 'Queue' THEN 'Queue'"
        for variant in place.variants
        if variant.sobject.name == "Group"
    )
    return f"CASE {' '.join([*queues, *cases])} END"

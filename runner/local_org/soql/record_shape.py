"""Turns a row of SQLite into a record of REST: attributes, then keys in the order of the query.

Knows the shapes of records. Knows no SQL and no syntax.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field

from runner.local_org import exact_numbers

Row = Sequence[object]
JsonRecord = dict[str, object]
Children = Mapping[str, Mapping[str, object]]
"""Fetched lists of children: by relationship name, then by the parent's Id."""


class Output(Protocol):
    """One key of a record."""

    @property
    def key(self) -> str:
        """The key."""
        ...

    def read(self, row: Row, children: Children) -> object:
        """Its value."""
        ...


class Plain(Struct, frozen=True):
    """A value as SQLite returns it."""

    key: str
    place: int

    def read(self, row: Row, _children: Children) -> object:
        """The value."""
        return row[self.place]


class Number(Struct, frozen=True):
    """A number, stored as text if a double would lose digits."""

    key: str
    place: int

    def read(self, row: Row, _children: Children) -> object:
        """The number as a JSON value."""
        return exact_numbers.marked(row[self.place])


class Flag(Struct, frozen=True):
    """A checkbox, stored as 0 or 1."""

    key: str
    place: int

    def read(self, row: Row, _children: Children) -> object:
        """True or False."""
        return bool(row[self.place])


class Compound(Struct, frozen=True):
    """An address or a location from its parts; null if all of them are."""

    key: str
    parts: tuple[Output, ...]

    def read(self, row: Row, children: Children) -> object:
        """The parts by name, or None."""
        value = {part.key: part.read(row, children) for part in self.parts}
        return value if any(part is not None for part in value.values()) else None


class ChildList(Struct, frozen=True):
    """A child subquery."""

    key: str
    id_place: int

    def read(self, row: Row, children: Children) -> object:
        """The list, or None if it is empty."""
        return children[self.key].get(str(row[self.id_place]))


class RecordShape(Struct):
    """A record, or the parent of one."""

    url: str
    """Path of all records, up to the slash before the sObject's name."""
    entity: str
    """The type in attributes."""
    id_place: int
    sobject_of: Callable[[str], str]
    """The sObject of an Id, for the URL of a polymorphic parent."""
    outputs: list[Output] = field(default_factory=list)

    def read(self, row: Row, children: Children) -> JsonRecord | None:
        """The record; None if the parent is missing."""
        record_id = row[self.id_place]
        if record_id is None:
            return None
        url = f"{self.url}{self.sobject_of(str(record_id))}/{record_id}"
        record: JsonRecord = {"attributes": {"type": self.entity, "url": url}}
        for output in self.outputs:
            record[output.key] = output.read(row, children)
        return record


class Parent(Struct, frozen=True):
    """A parent record inside its child."""

    key: str
    shape: RecordShape

    def read(self, row: Row, children: Children) -> object:
        """The parent's record, or None."""
        return self.shape.read(row, children)


class Switch(Struct, frozen=True):
    """TYPEOF: the shape depends on which sObject the parent is."""

    key: str
    id_place: int
    sobject_of: Callable[[str], str]
    shapes: Mapping[str, RecordShape]
    """By sObject name."""
    otherwise: RecordShape | None

    def read(self, row: Row, children: Children) -> object:
        """The parent's record; None if no branch matches."""
        record_id = row[self.id_place]
        if record_id is None:
            return None
        shape = self.shapes.get(self.sobject_of(str(record_id)), self.otherwise)
        return None if shape is None else shape.read(row, children)

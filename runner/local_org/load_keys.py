"""Finds parents by the values of their fields, among the rows of a load and in the org.

Knows keys and where they are. Knows nothing of how rows are written.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from runner.local_org.catalog.model import SObject
from runner.local_org.load_columns import VALUES, Column
from runner.local_org.store import quoted

_RECORD_TYPE = "RecordType"
_OF_OBJECT = "SobjectType"
Key = tuple[str, ...]


def text_of(value: object) -> str:
    """A value as a key has it; a number without a fraction as a whole one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


class Keys:
    """The keys of one load."""

    def __init__(
        self, conn: sqlite3.Connection, rows: Sequence[tuple[str, Mapping[str, object]]]
    ) -> None:
        self._conn = conn
        self._rows = rows
        self._of_load: dict[tuple[str, Key], dict[Key, list[int]]] = {}
        self._of_org: dict[tuple[str, Key], dict[Key, list[str]]] = {}

    def find(self, column: Column, value: str, child: str) -> list[int] | list[str]:
        """The rows of the load with a key, by position, else the Ids of records of the org.

        `child` is the object of the row that asks: its record types are meant.
        """
        wanted = [value] if len(column.keys) == 1 else value.split(VALUES)
        rows = [
            at for parent in column.parents for at in self._in_load(parent, column.keys, wanted)
        ]
        if rows:
            return rows
        return [
            each
            for parent in column.parents
            for each in self.in_org(parent, *_of_child(parent, column.keys, wanted, child))
        ]

    def in_org(self, sobject: SObject, keys: Sequence[str], texts: Sequence[str]) -> list[str]:
        """The Ids of records with these values in these fields; of all without keys."""
        fields = [sobject.field(key) for key in keys]
        names = tuple(each.name for each in fields if each is not None and each.stored)
        if len(names) < len(keys):
            return []  # a key through a parent, which only a row of the load can have
        index = sobject.name, names
        if index not in self._of_org:
            columns = ", ".join(quoted(name) for name in ("Id", *names))
            found: dict[Key, list[str]] = defaultdict(list)
            for record_id, *values in self._conn.execute(
                f'SELECT {columns} FROM {quoted(sobject.name)} WHERE NOT "IsDeleted"'  # noqa: S608
            ):
                found[_folded(text_of(each) for each in values)].append(record_id)
            self._of_org[index] = found
        return self._of_org[index].get(_folded(texts), [])

    def _in_load(self, sobject: SObject, keys: Key, wanted: Sequence[str]) -> list[int]:
        index = sobject.name, keys
        if index not in self._of_load:
            found: dict[Key, list[int]] = defaultdict(list)
            for at, (name, values) in enumerate(self._rows):
                if name.lower() == sobject.name.lower():
                    folded = {key.lower(): value for key, value in values.items()}
                    found[_folded(text_of(folded.get(key.lower())) for key in keys)].append(at)
            self._of_load[index] = found
        return self._of_load[index].get(_folded(wanted), [])


def _of_child(
    parent: SObject, keys: Key, wanted: Sequence[str], child: str
) -> tuple[Sequence[str], Sequence[str]]:
    if parent.name == _RECORD_TYPE and _OF_OBJECT not in keys:
        return (*keys, _OF_OBJECT), (*wanted, child)
    return keys, wanted


def _folded(texts: Iterable[str]) -> Key:
    return tuple(text.casefold() for text in texts)

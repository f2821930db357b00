"""Finds records by Id and by key, many at once, and caches what it found during one write.

Knows queries over the store. Knows nothing of rows or of errors.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import islice

from runner.local_org.catalog.model import Field, SObject
from runner.local_org.records.stored import Stored
from runner.local_org.store import key_expression, quoted

_BATCH = 500
"""Values per statement: few statements, each prepared once."""


class Existence(StrEnum):
    """Whether a record exists."""

    ALIVE = "alive"
    BINNED = "binned"
    MISSING = "missing"


class Lookups:
    """Queries about other records, batched within one write."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._alive: dict[str, set[str]] = defaultdict(set)
        self._by_key: dict[tuple[str, str], dict[Stored, list[str]]] = defaultdict(dict)

    def existence(self, sobject: SObject, ids: Collection[str]) -> dict[str, Existence]:
        """Whether records exist; a record found alive is not queried again."""
        known = self._alive[sobject.name]
        found = dict.fromkeys(ids, Existence.MISSING)
        rows = self._select(
            f"SELECT Id, IsDeleted FROM {quoted(sobject.name)} WHERE Id IN",  # noqa: S608
            [record_id for record_id in found if record_id not in known],
        )
        for record_id, deleted in rows:
            found[record_id] = Existence.BINNED if deleted else Existence.ALIVE
        for record_id, existence in found.items():
            if record_id in known:
                found[record_id] = Existence.ALIVE
            elif existence is Existence.ALIVE:
                known.add(record_id)
        return found

    def by_key(
        self, sobject: SObject, key: Field, values: Collection[Stored]
    ) -> dict[Stored, list[str]]:
        """Ids of the live records with each of the (comparable) values.

        What was found is cached for this write; what was not is queried again.
        """
        known = self._by_key[sobject.name, key.name]
        known.update(
            self.fresh_by_key(sobject, key, [value for value in values if value not in known])
        )
        return known

    def fresh_by_key(
        self, sobject: SObject, key: Field, values: Collection[Stored]
    ) -> dict[Stored, list[str]]:
        """Like `by_key`, but always from the store."""
        expression = key_expression(key)
        rows = self._select(
            f"SELECT {expression}, Id FROM {quoted(sobject.name)} "  # noqa: S608 - names
            f"WHERE {quoted(key.name)} IS NOT NULL AND IsDeleted = 0 AND {expression} IN",
            values,
        )
        found: dict[Stored, list[str]] = defaultdict(list)
        for value, record_id in rows:
            found[value].append(record_id)
        return dict(found)

    def by_pair(
        self, sobject: SObject, fields: tuple[str, str], pairs: Collection[tuple[str, ...]]
    ) -> dict[tuple[str, ...], str]:
        """Ids of the live records that have one of the pairs of values in two fields."""
        first, second = map(quoted, fields)
        rows = self._select(
            f"SELECT {first}, {second}, Id FROM {quoted(sobject.name)} "  # noqa: S608 - names
            f"WHERE IsDeleted = 0 AND {second} IS NOT NULL AND {second} IN",
            {pair[1] for pair in pairs},
        )
        found = {(one, other): record_id for one, other, record_id in rows}
        return {pair: found[pair] for pair in found.keys() & set(pairs)}

    def records(
        self, sobject: SObject, ids: Collection[str], names: Sequence[str] = ()
    ) -> dict[str, dict[str, Stored]]:
        """Records by Id, as stored, including the recycle bin: all columns, or Id and others."""
        names = names or sobject.columns
        columns = ", ".join(quoted(name) for name in names)
        rows = self._select(
            f"SELECT {columns} FROM {quoted(sobject.name)} WHERE Id IN",  # noqa: S608 - names
            ids,
        )
        records: Iterator[dict[str, Stored]] = (dict(zip(names, row, strict=True)) for row in rows)
        return {str(record["Id"]): record for record in records}

    def _select(self, statement: str, values: Iterable[Stored]) -> Iterator[tuple[str, ...]]:
        for batch in batches(values, _BATCH):
            yield from self._conn.execute(f"{statement} ({marks(len(batch))})", batch)


def batches(values: Iterable[Stored], size: int) -> Iterator[Sequence[Stored]]:
    """Cut values into lists of at most `size`."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def marks(count: int) -> str:
    """This many question marks."""
    return ", ".join("?" * count)

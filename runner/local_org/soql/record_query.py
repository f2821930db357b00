"""A compiled query for records: runs it as a whole, by pages of Ids, or as flat text.

Knows SQL. Knows nothing of how pages are saved between requests.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from runner.local_org.soql.functions import register
from runner.local_org.soql.record_shape import JsonRecord, RecordShape, Row

_CHUNK = 500
_CHUNK_WITH_CHILDREN = 50
"""Parents whose children are fetched together: few, as each may have a page of them."""
_EVERYTHING = 1 << 62


class ChildPaging(Struct, frozen=True):
    """How a long list of children is split into pages."""

    size: int
    next_url: Callable[[tuple[int, ...], str, int], str]
    """URL of the next page: the child subquery, the parent's Id, the number already returned."""


class Body(Struct, frozen=True):
    """What a query and a child subquery share."""

    columns: tuple[str, ...]
    shape: RecordShape
    from_sql: str
    where_sql: str
    bindings: Mapping[str, object]
    children: tuple[ChildQuery, ...]

    def records(
        self, conn: sqlite3.Connection, rows: Sequence[Row], paging: ChildPaging | None
    ) -> Iterator[JsonRecord]:
        """The records of some rows, each with its children."""
        ids = [str(row[self.shape.id_place]) for row in rows]
        children = {
            child.key: child.fetch(conn, ids, start=0, paging=paging) for child in self.children
        }
        for row in rows:
            record = self.shape.read(row, children)
            if record is not None:
                yield record


class ChildQuery(Struct, frozen=True):
    """A child subquery: fetches the lists of several parents at once."""

    key: str
    """Name of the relationship."""
    path: tuple[int, ...]
    """Its position among the outer query's child subqueries, and theirs."""
    parent_sql: str
    body: Body
    order_sql: str
    limit: int | None
    offset: int

    def fetch(
        self,
        conn: sqlite3.Connection,
        parents: Sequence[str],
        *,
        start: int,
        paging: ChildPaging | None,
    ) -> dict[str, object]:
        """Each parent's list from child `start` on, without empty lists."""
        size = _EVERYTHING if paging is None else paging.size
        cap = _EVERYTHING if self.limit is None else self.limit
        parameters = {
            "_parents": json.dumps(list(parents)),
            "_first": self.offset + start,
            "_last": self.offset + min(cap, start + size),
        }
        rows = conn.execute(self._sql(), {**self.body.bindings, **parameters}).fetchall()
        lists: dict[str, list[JsonRecord]] = defaultdict(list)
        totals: dict[str, int] = {}
        for row, record in zip(rows, self.body.records(conn, rows, paging), strict=True):
            lists[row[-2]].append(record)
            totals[row[-2]] = min(row[-1] - self.offset, cap)
        return {
            parent: self._shape(parent, records, start, totals[parent], paging)
            for parent, records in lists.items()
        }

    def _shape(
        self,
        parent: str,
        records: list[JsonRecord],
        start: int,
        total: int,
        paging: ChildPaging | None,
    ) -> JsonRecord:
        given = start + len(records)
        shape: JsonRecord = {"totalSize": total, "done": given >= total}
        if given < total and paging is not None:
            shape["nextRecordsUrl"] = paging.next_url(self.path, parent, given)
        return {**shape, "records": records}

    def _sql(self) -> str:
        columns = ", ".join(f"{sql} AS c{place}" for place, sql in enumerate(self.body.columns))
        names = ", ".join(f"c{place}" for place in range(len(self.body.columns)))
        return (
            f"SELECT {names}, _parent, _total FROM (SELECT {columns}, "  # noqa: S608 - compiled
            f"{self.parent_sql} AS _parent, ROW_NUMBER() OVER (PARTITION BY {self.parent_sql} "
            f"ORDER BY {self.order_sql}) AS _n, COUNT(*) OVER (PARTITION BY {self.parent_sql}) "
            f"AS _total FROM {self.body.from_sql}{self.body.where_sql}) "
            "WHERE _n > :_first AND _n <= :_last ORDER BY _n"
        )


class RecordQuery(Struct, frozen=True):
    """A query for records."""

    body: Body
    csv_columns: tuple[tuple[str, str], ...]
    """Header and SQL of each column of a flat result."""
    order_sql: str
    limit_sql: str

    def total(self, conn: sqlite3.Connection) -> int:
        """The number of records."""
        found = self._run(conn, f"SELECT COUNT(*) FROM (SELECT 1{self._rest})")  # noqa: S608
        return int(found.fetchone()[0])

    def execute(self, conn: sqlite3.Connection) -> Iterator[JsonRecord]:
        """Every record, with complete lists of children."""
        rows = self._run(conn, f"SELECT {', '.join(self.body.columns)}{self._rest}")
        size = _CHUNK_WITH_CHILDREN if self.body.children else _CHUNK
        while chunk := rows.fetchmany(size):
            yield from self.body.records(conn, chunk, None)

    def ids(self, conn: sqlite3.Connection) -> Iterator[str]:
        """Id of every record, in the order of the result."""
        return (row[0] for row in self._run(conn, f'SELECT t0."Id"{self._rest}'))

    def records(
        self, conn: sqlite3.Connection, ids: Sequence[str], paging: ChildPaging
    ) -> Iterator[JsonRecord | None]:
        """The record of each Id, in this order; None if it is deleted."""
        size = _CHUNK_WITH_CHILDREN if self.body.children else _CHUNK
        sql = (
            f"SELECT {', '.join(self.body.columns)} FROM {self.body.from_sql} "  # noqa: S608
            'WHERE t0."Id" IN (SELECT value FROM json_each(:_ids))'
        )
        for start in range(0, len(ids), size):
            wanted = ids[start : start + size]
            place = self.body.shape.id_place
            found = {row[place]: row for row in self._run(conn, sql, _ids=json.dumps(wanted))}
            rows = [found[each] for each in wanted if each in found]
            records = self.body.records(conn, rows, paging)
            for each in wanted:
                yield next(records) if each in found else None

    def flat(self, conn: sqlite3.Connection) -> Iterator[list[str]]:
        """Every record as the texts of a Bulk result."""
        columns = ", ".join(sql for _, sql in self.csv_columns)
        return map(list, self._run(conn, f"SELECT {columns}{self._rest}"))

    def child(self, path: tuple[int, ...]) -> ChildQuery | None:
        """The child subquery at a path; None if there is none."""
        children, found = self.body.children, None
        for place in path:
            if place >= len(children):
                return None
            found = children[place]
            children = found.body.children
        return found

    @property
    def _rest(self) -> str:
        return f" FROM {self.body.from_sql}{self.body.where_sql}{self.order_sql}{self.limit_sql}"

    def _run(self, conn: sqlite3.Connection, sql: str, **more: object) -> sqlite3.Cursor:
        register(conn)
        return conn.execute(sql, {**self.body.bindings, **more})

"""Queries without records: COUNT() and aggregates, with or without GROUP BY.

Knows grouping, subtotals and the names of results. Knows nothing of WHERE.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from msgspec import Struct

from runner.local_org import exact_numbers
from runner.local_org.api_errors import ApiRefusal
from runner.local_org.soql.expressions import GROUPING, Expression, grouping_sql
from runner.local_org.soql.functions import register
from runner.local_org.soql.kinds import Kind
from runner.local_org.soql.printing import rest_sql
from runner.local_org.soql.record_shape import JsonRecord
from runner.local_org.soql.select_compiler import Select
from runner.local_org.soql.select_list import ColumnNote
from runner.soql.syntax import Call, Distance, FieldItem, Operand, Query, Subtotals

_MOST_GROUPS = 2_000
_MOST_SUBTOTALS = 3
_TOO_MANY = (
    "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single "
    "batch"
)


class CountQuery(Struct, frozen=True):
    """`SELECT COUNT() FROM …`: only totalSize is returned."""

    sql: str
    bindings: Mapping[str, object]

    def total(self, conn: sqlite3.Connection) -> int:
        """The number of records."""
        register(conn)
        return int(conn.execute(self.sql, self.bindings).fetchone()[0])

    def execute(self, _conn: sqlite3.Connection) -> Iterator[JsonRecord]:
        """No records."""
        return iter(())


class GroupedQuery(Struct, frozen=True):
    """Aggregates: one AggregateResult per group."""

    sql: str
    bindings: Mapping[str, object]
    keys: tuple[tuple[str, Kind], ...]

    def execute(self, conn: sqlite3.Connection) -> Iterator[JsonRecord]:
        """Every group; ApiRefusal EXCEEDED_ID_LIMIT if there are more than 2,000."""
        register(conn)
        rows = conn.execute(self.sql, self.bindings).fetchmany(_MOST_GROUPS + 1)
        if len(rows) > _MOST_GROUPS:
            raise ApiRefusal(400, "EXCEEDED_ID_LIMIT", _TOO_MANY)
        for row in rows:
            record: JsonRecord = {"attributes": {"type": "AggregateResult"}}
            for (key, kind), value in zip(self.keys, row, strict=False):
                record[key] = _shown(kind, value)
            yield record

    def total(self, conn: sqlite3.Connection) -> int:
        """The number of groups."""
        return sum(1 for _ in self.execute(conn))


def _shown(kind: Kind, value: object) -> object:
    if kind is Kind.DOUBLE:
        return exact_numbers.marked(value)
    return bool(value) if kind is Kind.BOOLEAN and value is not None else value


def count_query(select: Select) -> CountQuery:
    """Compile `SELECT COUNT()`."""
    query, statement = select.query, select.context.statement
    if query.group or query.order:
        at = (query.group or tuple(sort.operand for sort in query.order))[0].at
        raise statement.malformed(at, "COUNT() cannot be used with GROUP BY or ORDER BY")
    rest = f"{select.where_sql()}{select.limit_sql()}"
    sql = f"SELECT COUNT(*) FROM (SELECT 1 FROM {select.scope.from_sql}{rest})"  # noqa: S608
    return CountQuery(sql, select.bindings.values)


class Grouping:
    """Compiles one query with aggregates."""

    def __init__(self, select: Select) -> None:
        self._select = select
        self._statement = select.context.statement
        self._query: Query = select.query
        self._groups = [self._groupable(operand) for operand in self._query.group]
        self._next_unnamed = 0
        self.notes: list[ColumnNote] = []

    def compile(self) -> GroupedQuery:
        """The compiled query; ApiRefusal for a field that cannot be grouped."""
        self._check_whole()
        outputs = [self._output(item) for item in self._query.items]
        sorts = self._select.sorts()
        for (expression, _), sort in zip(sorts, self._query.order, strict=True):
            self._check_grouped(expression, sort.operand)
        keys = [(each, sql, how) for each, how in sorts for sql in each.order_sqls]
        where, having = self._select.where_sql(), self._select.having_sql(self._check_grouped)
        wanted = [
            *(
                (expression, rest_sql(expression, self._select.context.version))
                for expression in outputs
            ),
            *((expression, sql) for expression, sql, _ in keys),
        ]
        selects = [
            self._grouping_set(grouped_by, wanted, where, having)
            for grouped_by in self._grouping_sets()
        ]
        order = [f"{len(outputs) + place} {how}" for place, (*_, how) in enumerate(keys, start=1)]
        order_sql = f" ORDER BY {', '.join(order)}" if order else ""
        sql = f"{' UNION ALL '.join(selects)}{order_sql}{self._select.limit_sql()}"
        named = tuple(
            (note.path[-1], each.kind) for note, each in zip(self.notes, outputs, strict=True)
        )
        return GroupedQuery(sql, self._select.bindings.values, named)

    # --- groups

    def _groupable(self, operand: Operand) -> Expression:
        found = self._select.operands.resolve(operand)
        refused = found.aggregate or found.kind in {Kind.COMPOUND, Kind.BLOB, Kind.CHOICES}
        refused = refused or isinstance(operand, Distance)
        if found.plain and found.field is not None:
            refused = refused or not found.field.groupable
        if refused:
            raise self._statement.cannot_be("grouped", operand.at, found.name)
        return found

    def _grouping_sets(self) -> Iterator[frozenset[str]]:
        """SQL of the group fields of each grouping set; the full set first."""
        all_groups = [group.sql for group in self._groups]
        if self._query.subtotals is not Subtotals.NONE and len(all_groups) > _MOST_SUBTOTALS:
            raise self._statement.malformed(
                self._query.group[-1].at, "ROLLUP and CUBE take at most 3 fields"
            )
        if self._query.subtotals is Subtotals.ROLLUP:
            for count in range(len(all_groups), -1, -1):
                yield frozenset(all_groups[:count])
        elif self._query.subtotals is Subtotals.CUBE:
            for count in range(len(all_groups), -1, -1):
                yield from map(frozenset, combinations(all_groups, count))
        else:
            yield frozenset(all_groups)

    def _grouping_set(
        self,
        grouped_by: frozenset[str],
        wanted: Sequence[tuple[Expression, str]],
        where: str,
        having: str,
    ) -> str:
        columns = ", ".join(self._in_set(each, sql, grouped_by) for each, sql in wanted)
        having = self._with_groupings(having, grouped_by)
        keys = [group.key_sql for group in self._groups if group.sql in grouped_by]
        # A grand total is a group too: without rows there is none.
        group_sql = f" GROUP BY {', '.join(keys) or 'NULL'}" if self._groups else ""
        source = self._select.scope.from_sql
        return f"SELECT {columns} FROM {source}{where}{group_sql}{having}"  # noqa: S608 - compiled

    def _in_set(self, expression: Expression, sql: str, grouped_by: frozenset[str]) -> str:
        if expression.aggregate:
            return self._with_groupings(sql, grouped_by)
        return sql if _sqls(expression) & grouped_by else "NULL"

    def _with_groupings(self, sql: str, grouped_by: frozenset[str]) -> str:
        """Replace each GROUPING() with what it is in a grouping set."""
        for group in self._groups:
            sql = sql.replace(grouping_sql(group.sql), "0" if group.sql in grouped_by else "1")
        if "sf_grouping(" in sql:
            raise self._statement.malformed(
                self._query.at, "GROUPING() can only be used with the fields of GROUP BY"
            )
        return sql

    # --- select list

    def _output(self, item: object) -> Expression:
        if not isinstance(item, FieldItem):
            raise self._statement.malformed(
                self._query.at, "Grouped queries can only select grouped fields and aggregates"
            )
        found = self._select.operands.resolve(item.operand)
        self._check_grouped(found, item.operand)
        self.notes.append(ColumnNote((self._key(found, item),), found))
        return found

    def _key(self, found: Expression, item: FieldItem) -> str:
        key = item.alias
        if key is None and found.plain:
            key = found.name
        if key is None:
            key = f"expr{self._next_unnamed}"
            self._next_unnamed += 1
        if any(note.path[-1].lower() == key.lower() for note in self.notes):
            raise self._statement.malformed(item.operand.at, f"duplicate alias: {key}")
        return key

    def _check_grouped(self, found: Expression, operand: Operand) -> None:
        if isinstance(operand, Call) and operand.name.upper() == GROUPING and operand.argument:
            found = self._select.operands.resolve(operand.argument)
        groups = {group.sql for group in self._groups}
        if found.aggregate or _sqls(found) & groups:
            return
        raise self._statement.malformed(
            operand.at, f"Field must be grouped or aggregated: {_spelt(operand)}"
        )

    def _check_whole(self) -> None:
        if not self._groups and self._query.limit is not None:
            raise self._statement.malformed(
                self._query.at,
                "Non-grouped query that uses overall aggregate functions cannot also use LIMIT",
            )


def _sqls(expression: Expression) -> frozenset[str]:
    """What it may be grouped by: itself, or the field that it is a function of."""
    column = () if expression.column is None else (expression.column.sql,)
    return frozenset({expression.sql, *column})


def _spelt(operand: Operand) -> str:
    return str(operand.argument) if isinstance(operand, Call) else str(operand)

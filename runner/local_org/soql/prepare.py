"""Turns the text of a query into one that runs: the entry point of this package.

    prepared = prepare(org, "SELECT Id FROM Account", user=user, version=66.0)
    with org.store.reading() as conn:
        for record in prepared.execute(conn): ...

Knows the kinds of queries. Knows nothing of HTTP, and leaves compiling to the modules of each kind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.catalog.model import SObject
from runner.local_org.fault_injection.active import FaultRules
from runner.local_org.org import Org, User
from runner.local_org.records.recycle_bin import purge_due
from runner.local_org.soql.conditions import Clock
from runner.local_org.soql.expressions import AGGREGATES, GROUPING
from runner.local_org.soql.grouped_query import CountQuery, GroupedQuery, Grouping, count_query
from runner.local_org.soql.kinds import Kind
from runner.local_org.soql.record_query import Body, ChildQuery, RecordQuery
from runner.local_org.soql.record_shape import JsonRecord
from runner.local_org.soql.refusals import Statement, too_complicated
from runner.local_org.soql.related_lists import is_related_list
from runner.local_org.soql.restrictions import check_filters
from runner.local_org.soql.schema import Schema
from runner.local_org.soql.select_compiler import Context, Select
from runner.local_org.soql.select_list import ColumnNote, SelectList
from runner.local_org.store import quoted
from runner.soql import parser
from runner.soql.errors import SoqlError, TooDeepError
from runner.soql.syntax import Call, ChildItem, FieldItem, Operand, Query

_LONGEST_TEXT = 100_000
_NESTED_CHILDREN_FROM = 58.0
_DEEPEST_CHILDREN = 5
_MOST_CHILDREN = 20
_ORDERED_CSV_FROM = 50.0
"""Below it, the columns of a Bulk result are in alphabetical order."""
_NO_TYPEOF = "TypeOf expressions not supported in Bulk Query"
_NO_AGGREGATES = "Aggregate Relationships not supported in Bulk V2 Query with CSV content type"


class Prepared(Struct, frozen=True):
    """A compiled query; can be run any number of times."""

    entity: SObject
    plan: RecordQuery | GroupedQuery | CountQuery
    notes: tuple[ColumnNote, ...]
    """The selected columns, in order."""
    bulk_refusals: tuple[str, ...]
    """Why Bulk refuses it; empty if it does not."""
    grouped: bool

    @property
    def bulk_refusal(self) -> str | None:
        """Why Bulk refuses it with CSV results."""
        return next(iter(self.bulk_refusals), None)

    @property
    def json_refusal(self) -> str | None:
        """Why Bulk API 1.0 refuses it with JSON results, which can hold TYPEOF, as recorded."""
        return next((each for each in self.bulk_refusals if each != _NO_TYPEOF), None)

    @property
    def count_only(self) -> bool:
        """Whether it is `SELECT COUNT()`, which has a total and no records."""
        return isinstance(self.plan, CountQuery)

    @property
    def columns(self) -> list[str]:
        """Header of a flat result."""
        if isinstance(self.plan, RecordQuery):
            return [name for name, _ in self.plan.csv_columns]
        return [note.path[-1] for note in self.notes]

    def total(self, conn: sqlite3.Connection) -> int:
        """The number of records, or groups."""
        return self.plan.total(conn)

    def execute(self, conn: sqlite3.Connection) -> Iterator[JsonRecord]:
        """Its records in the shape of REST, in constant memory."""
        return self.plan.execute(conn)

    def flat(self, conn: sqlite3.Connection) -> Iterator[list[str]]:
        """Its records as the texts of a Bulk result.

        Raises:
            TypeError: it does not query records; see `bulk_refusal`.
        """
        if not isinstance(self.plan, RecordQuery):
            raise TypeError(self.bulk_refusal)
        return self.plan.flat(conn)


def parse(statement: Statement) -> Query:
    """The parts of a query; ApiRefusal MALFORMED_QUERY if it is invalid."""
    if len(statement.text) > _LONGEST_TEXT:
        raise ApiRefusal(400, "MALFORMED_QUERY", "SOQL statement exceeds the maximum length")
    try:
        return parser.parse(statement.text)
    except TooDeepError:
        raise too_complicated() from None
    except SoqlError as error:
        if error.words is None:
            raise statement.unexpected(error.at) from None
        raise statement.malformed(error.at, error.words) from None


def prepare(org: Org, text: str, *, user: User, version: float, all_rows: bool = False) -> Prepared:
    """Compile a query.

    Args:
        org: whose records.
        text: SOQL.
        user: the caller.
        version: API version; parts of SOQL need a newer one.
        all_rows: whether to include deleted records, as queryAll does.

    Raises:
        ApiRefusal: 400 MALFORMED_QUERY, INVALID_FIELD, INVALID_TYPE…, with Salesforce's message.
    """
    statement = Statement(text)
    query = parse(statement)
    if all_rows:
        purge_due(org.store, org.clock())
    sobject = org.catalog.sobject(str(query.source.path))
    late = (sobject.name, org.part(FaultRules).late(sobject.name)) if sobject else ("", frozenset())
    context = Context(
        Schema.of(org, user),
        statement,
        Clock(org.clock(), user.time_zone),
        version,
        user.id,
        all_rows,
        late,
    )
    return _Preparation(context).prepared(query)


class _Preparation:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._statement = context.statement

    def prepared(self, query: Query) -> Prepared:
        root = self._context.schema.sobject(str(query.source.path))
        if root is None:
            raise self._statement.no_sobject(query.at, str(query.source.path))
        stored = self._context.schema.catalog.sobject(root.name)
        if is_related_list(root.name) or (stored and not stored.flags.get("queryable", True)):
            raise ApiRefusal(
                400,
                "INVALID_TYPE_FOR_OPERATION",
                f"entity type {root.name} does not support query",
            )
        check_filters(query, root.name)
        select = Select(self._context, query, root)
        if query.counts_only:
            return Prepared(root, count_query(select), (), (_NO_AGGREGATES,), grouped=False)
        if _is_grouped(query):
            return self._grouped(select)
        return self._records(select)

    def _grouped(self, select: Select) -> Prepared:
        grouping = Grouping(select)
        plan = grouping.compile()
        notes = tuple(grouping.notes)
        return Prepared(select.root, plan, notes, (_NO_AGGREGATES,), grouped=True)

    def _records(self, select: Select) -> Prepared:
        children: list[ChildQuery] = []
        listed = SelectList(select, lambda item: self._child(select, item, (), children))
        where, order = select.where_sql(), select.order_sql()
        body = Body(
            tuple(listed.columns),
            listed.shape,
            select.scope.from_sql,
            where,
            select.bindings.values,
            tuple(children),
        )
        csv_columns = listed.csv_columns()
        if self._context.version < _ORDERED_CSV_FROM:
            csv_columns.sort()
        plan = RecordQuery(body, tuple(csv_columns), order, select.limit_sql())
        return Prepared(
            select.root, plan, tuple(listed.notes), _bulk_refusals(select, listed), grouped=False
        )

    def _child(
        self, above: Select, item: ChildItem, path: tuple[int, ...], siblings: list[ChildQuery]
    ) -> ColumnNote:
        if len(siblings) >= _MOST_CHILDREN:
            raise self._statement.malformed(item.at, "Too many child subqueries")
        root, link, name = self._child_root(above, item, path)
        own_path = (*path, len(siblings))
        select = Select(self._context, item.query, root)
        grandchildren: list[ChildQuery] = []
        listed = SelectList(
            select, lambda inner: self._child(select, inner, own_path, grandchildren)
        )
        parent_sql = f"t0.{quoted(link)}"
        parents = "(SELECT value FROM json_each(:_parents))"
        where = select.where_sql(f"{parent_sql} IN {parents}")
        sorts = [f"{sql} {how}" for each, how in select.sorts() for sql in each.order_sqls]
        body = Body(
            tuple(listed.columns),
            listed.shape,
            select.scope.from_sql,
            where,
            select.bindings.values,
            tuple(grandchildren),
        )
        order = ", ".join([*sorts, 't0."Id"'])
        limit, offset = item.query.limit, item.query.offset or 0
        siblings.append(ChildQuery(name, own_path, parent_sql, body, order, limit, offset))
        return ColumnNote((name,), None, tuple(listed.notes))

    def _child_root(
        self, above: Select, item: ChildItem, path: tuple[int, ...]
    ) -> tuple[SObject, str, str]:
        """A child subquery's sObject, its field and the relationship's name."""
        query = item.query
        deepest = 1 if self._context.version < _NESTED_CHILDREN_FROM else _DEEPEST_CHILDREN
        if len(path) >= deepest:
            levels = "1 level" if deepest == 1 else f"{deepest} levels"
            raise self._statement.malformed(
                item.at,
                f"SOQL statements cannot query aggregate relationships more than {levels} away "
                "from the root entity object.",
            )
        if query.counts_only or _is_grouped(query):
            raise self._statement.malformed(
                item.at, "Aggregate functions are not supported in child subqueries"
            )
        name = query.source.path.names[-1]
        relation = above.root.child(name)
        root = self._context.schema.sobject(relation.child_sobject) if relation else None
        if relation is None or root is None:
            raise self._statement.no_relationship(item.at, name, child=True)
        return root, relation.field, relation.relationship_name or name


def _calls(query: Query) -> Iterator[Operand]:
    return (item.operand for item in query.items if isinstance(item, FieldItem))


def _is_grouped(query: Query) -> bool:
    return bool(query.group) or any(
        isinstance(operand, Call) and operand.name.upper() in AGGREGATES | {GROUPING}
        for operand in _calls(query)
    )


def _bulk_refusals(select: Select, listed: SelectList) -> tuple[str, ...]:
    expressions = [note.expression for note in listed.notes]
    reasons = [
        (None in expressions, _NO_AGGREGATES),
        (listed.has_typeof, _NO_TYPEOF),
        (
            listed.unbounded,
            "The SOQL FIELDS function is not supported with an unbounded set of fields in this API",
        ),
        (listed.compound, "Selecting compound data not supported in Bulk Query"),
        (select.query.offset is not None, "Offset not supported in Bulk Query"),
        (
            any(each is not None and each.kind is Kind.BLOB for each in expressions),
            "Binary fields not supported in Bulk Query",
        ),
    ]
    return tuple(reason for refused, reason in reasons if refused)

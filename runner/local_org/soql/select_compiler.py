"""Compiles the clauses of one SELECT: WHERE, HAVING, ORDER BY, scope and limits.

Knows the clauses that all kinds of queries share. Knows nothing of what is selected.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.catalog.model import SObject
from runner.local_org.soql.conditions import Bindings, Clock, Conditions
from runner.local_org.soql.expressions import Expression, Operands
from runner.local_org.soql.kinds import Kind
from runner.local_org.soql.refusals import Statement
from runner.local_org.soql.schema import Schema
from runner.local_org.soql.scope import Scope
from runner.soql.syntax import FieldItem, Operand, Path, Query, Sort

_HIGHEST_OFFSET = 2_000
_SCOPES = frozenset(
    {
        "everything",
        "mine",
        "mine_and_my_groups",
        "team",
        "delegated",
        "my_territory",
        "my_team_territory",
        "scopingrule",
    }
)
_SCOPES_FROM = 32.0
_OWN_SCOPES = frozenset({"mine", "mine_and_my_groups"})
_MOST_SORTS = 32
_NOT_IN_SEMI_JOINS = frozenset(
    {"ActivityHistory", "Attachment", "Event", "Note", "OpenActivity", "Task"}
)


class Context(Struct, frozen=True):
    """What a query is compiled against."""

    schema: Schema
    statement: Statement
    clock: Clock
    version: float
    user_id: str
    all_rows: bool
    """Whether to include deleted records (queryAll)."""
    late: tuple[str, frozenset[str]] = ("", frozenset())
    """An object, and the first 15 characters of Ids that this query does not find."""


class Select:
    """One SELECT over one sObject."""

    def __init__(
        self, context: Context, query: Query, root: SObject, bindings: Bindings | None = None
    ) -> None:
        self.context = context
        self.query = query
        self.root = root
        self.bindings = bindings or Bindings()
        own_names = {root.name.lower(), query.source.path.names[-1].lower()}
        if query.source.alias:
            own_names.add(query.source.alias.lower())
        self.scope = Scope(context.schema, context.statement, root, frozenset(own_names))
        for joined in query.joined:
            self.scope.name(joined.alias or joined.path.names[-1], joined.path)
        self.operands = Operands(self.scope, context.clock.zone)
        self._check_limits()

    def where_sql(self, *extra: str) -> str:
        """`WHERE …` with the query's own condition, hidden rows, and `extra`."""
        parts = list(extra)
        if self.query.where is not None:
            compiler = Conditions(self.operands, self.bindings, self.context.clock, self._semi_join)
            parts.append(compiler.compile(self.query.where))
        if self._hides_deleted():
            parts.append('t0."IsDeleted" = 0')
        late_of, late = self.context.late
        if late and late_of == self.root.name:
            listed = ", ".join(self.bindings.add(each) for each in sorted(late))
            parts.append(f'substr(t0."Id", 1, 15) NOT IN ({listed})')
        parts.extend(self._scope_condition())
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def _hides_deleted(self) -> bool:
        """Whether deleted rows are left out.

        Those of an sObject without IsDeleted, such as UserRole, are gone for queryAll too.
        """
        if self.root.field("IsDeleted") is not None:
            return not self.context.all_rows
        return self.context.schema.catalog.sobject(self.root.name) is not None

    def having_sql(self, check_grouped: Callable[[Expression, Operand], None]) -> str:
        """`HAVING …`, or nothing; `check_grouped` refuses fields that are not grouped."""
        if self.query.having is None:
            return ""
        compiler = Conditions(
            self.operands,
            self.bindings,
            self.context.clock,
            self._semi_join,
            check_grouped=check_grouped,
        )
        return f" HAVING {compiler.compile(self.query.having)}"

    def sorts(self) -> list[tuple[Expression, str]]:
        """The ORDER BY expressions, each with its direction, such as `DESC NULLS FIRST`."""
        if len(self.query.order) > _MOST_SORTS:
            at = self.query.order[-1].operand.at
            raise self.context.statement.malformed(at, "Too many fields in ORDER BY")
        return [(self._sortable(sort), _direction(sort)) for sort in self.query.order]

    def order_sql(self) -> str:
        """`ORDER BY …`, or nothing."""
        sorts = [
            f"{sql} {how}" for expression, how in self.sorts() for sql in expression.order_sqls
        ]
        return f" ORDER BY {', '.join(sorts)}" if sorts else ""

    def limit_sql(self) -> str:
        """`LIMIT … OFFSET …`, or nothing."""
        limit, offset = self.query.limit, self.query.offset
        if limit is None and offset is None:
            return ""
        return f" LIMIT {-1 if limit is None else limit} OFFSET {offset or 0}"

    def _sortable(self, sort: Sort) -> Expression:
        found = self.operands.resolve(sort.operand)
        if found.aggregate and not self.query.group:
            raise self.context.statement.malformed(
                sort.operand.at, f"Ordered field must be grouped or aggregated: {found.name}"
            )
        unsortable = found.kind in {Kind.COMPOUND, Kind.CHOICES}
        if found.field is not None and not found.aggregate:
            unsortable = unsortable or not found.field.sortable
        if unsortable:
            raise self.context.statement.cannot_be("sorted", sort.operand.at, found.name)
        return found

    def _check_limits(self) -> None:
        if (self.query.offset or 0) > _HIGHEST_OFFSET:
            raise ApiRefusal(
                400,
                "NUMBER_OUTSIDE_VALID_RANGE",
                f"Maximum SOQL offset allowed is {_HIGHEST_OFFSET}",
            )

    def _scope_condition(self) -> list[str]:
        scope = (self.query.scope or "everything").lower()
        if self.query.scope and self.context.version < _SCOPES_FROM:
            raise self.context.statement.unexpected(self.query.scope_at)
        if scope not in _SCOPES:
            raise self.context.statement.malformed(
                self.query.scope_at, f"Invalid scope: {self.query.scope}"
            )
        if scope in _OWN_SCOPES and self.root.field("OwnerId") is not None:
            return [f't0."OwnerId" = {self.bindings.add(self.context.user_id)}']
        return []

    # --- semi-joins

    def _semi_join(self, query: Query, bindings: Bindings, left: Expression) -> str:
        """`(SELECT …)`, checked against the restrictions of inner queries."""
        statement, at = self.context.statement, query.at
        root = self.context.schema.sobject(str(query.source.path))
        if root is None:
            raise statement.no_sobject(at, str(query.source.path))
        if root.name in _NOT_IN_SEMI_JOINS:
            raise statement.malformed(
                at, f"Entity '{root.name}' is not supported for semi join inner selects"
            )
        if root.name == self.root.name:
            raise statement.malformed(
                at, "The inner and outer selects should not be on the same object type"
            )
        inner = _InnerSelect(self.context, query, root, bindings)
        column = inner.only_column()
        if not _targets(left) & _targets(column):
            raise statement.malformed(
                at,
                f"The selected field '{column.name}' in the subquery and the left operand field in "
                f"the where expression in the outer query '{left.name}' should point to the same "
                "object type",
            )
        where = inner.where_sql(f"{column.sql} IS NOT NULL")
        return f"(SELECT {column.sql} FROM {inner.scope.from_sql}{where})"  # noqa: S608 - compiled


class _InnerSelect(Select):
    """The inner query of a semi-join: one Id field, and WHERE."""

    def only_column(self) -> Expression:
        """The selected field."""
        statement, query = self.context.statement, self.query
        item = query.items[0]
        if not isinstance(item, FieldItem) or not isinstance(item.operand, Path):
            raise statement.malformed(query.at, "Semi join sub-selects can only query id fields")
        found = self.operands.resolve(item.operand)
        if found.kind is not Kind.ID:
            raise statement.malformed(
                item.operand.at,
                f"The inner select field '{found.name}' must be an id or reference field",
            )
        return found

    def _semi_join(self, query: Query, bindings: Bindings, left: Expression) -> str:
        del bindings, left
        raise self.context.statement.malformed(
            query.at, "Nesting of semi join sub-selects is not supported"
        )


def _targets(expression: Expression) -> frozenset[str]:
    """The sObjects that an Id field points to."""
    column = expression.column
    if column is None:
        return frozenset()
    if column.field.reference_to:
        return frozenset(column.field.reference_to)
    return frozenset(variant.sobject.name for variant in column.place.variants)


def _direction(sort: Sort) -> str:
    return f"{'DESC' if sort.descending else 'ASC'} NULLS {'FIRST' if sort.nulls_first else 'LAST'}"

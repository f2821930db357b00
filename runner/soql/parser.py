"""Parses a query.

Knows the clauses of SOQL and their order, conditions and select lists. Knows no org.

The grammar is that of the SOQL reference; where that is silent, of Salesforce's own parser
(npm: @salesforce/soql-common).
"""

from __future__ import annotations

import re
from typing import NoReturn

from runner.soql import syntax
from runner.soql.conditions import Conditions
from runner.soql.errors import SoqlError

_COUNT = re.compile(r"COUNT\s*\(\s*\)", re.IGNORECASE)
_ENDS_ITEM = re.compile(r",|from\b", re.IGNORECASE)
CLAUSES = (
    *("USING SCOPE", "WHERE", "WITH", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "OFFSET"),
    *("FOR VIEW", "UPDATE TRACKING"),
)
"""What may follow FROM, in this order."""
_COUNTED_CLAUSES = ("GROUP BY", "ORDER BY", "LIMIT", "OFFSET")
_STARTS = frozenset(clause.split()[0].lower() for clause in CLAUSES)
_ORDER = "the order is SELECT, FROM, WHERE, WITH, GROUP BY, HAVING, ORDER BY, LIMIT, OFFSET, FOR"


def parse(text: str, *, binds: bool = False) -> syntax.Query:
    """The parts of a query.

    Args:
        text: SOQL.
        binds: Whether `:name` may be written for a value, as in Apex and in jobs.

    Raises:
        SoqlError: It is not SOQL.
        TooDeepError: It nests too deep to tell.
    """
    parser = _Parser(text, binds=binds)
    query = parser.query()
    if parser.at < len(text):
        parser.fail_after(query)
    return query


class _Parser(Conditions):
    """A method per part of a query; each takes its part from the text."""

    def __init__(self, text: str, *, binds: bool) -> None:
        super().__init__(text, binds=binds)
        self._alias_end = (-1, "")

    def query(self) -> syntax.Query:
        """`SELECT … FROM …` with all of its clauses."""
        self.expect_word("select")
        items = self._items()
        if not self.word("from"):
            self.fail("FROM", "`,`")
        sources = self.parts(self._source)
        scope = next((found for _, found in sources if found), None)
        where_at = self.at
        where = self._where()
        where_end = self.at
        self._with(identifiers=True)
        places = [self.at]
        group, subtotals, having = self._group()
        places.append(self.at)
        order = self.parts(self._sort) if self._clause("order", "by") else ()
        places.append(self.at)
        limit = self._count("limit")
        places.append(self.at)
        offset = self._count("offset")
        places.append(self.at)
        self._tracking()
        return syntax.Query(
            items=items,
            source=sources[0][0],
            joined=tuple(source for source, _ in sources[1:]),
            scope=str(scope) if scope else None,
            scope_at=scope.at if scope else 0,
            where=where,
            at=sources[0][0].path.at,
            group=group,
            subtotals=subtotals,
            having=having,
            order=order,
            limit=limit[0] if limit else None,
            offset=offset[0] if offset else None,
            where_at=where_at,
            where_end=where_end,
            clauses=tuple(
                syntax.Clause(name, at, end)
                for name, at, end in zip(_COUNTED_CLAUSES, places, places[1:], strict=False)
                if at < end
            ),
        )

    def fail_after(self, query: syntax.Query) -> NoReturn:
        """Refuse what is left behind a query."""
        if self.peek() == "all" and self.peek_second() == "rows":
            raise SoqlError(self.at, words="ALL ROWS not allowed in this context")
        if self.peek() in {"and", "or"}:
            self.fail_at_junction(query.having or query.where)
        if self.peek() == "having":
            self.fail(help="group first: GROUP BY field HAVING COUNT(Id) > 1")
        order = _ORDER if self.peek() in _STARTS else None
        end, alias = self._alias_end
        raise SoqlError(self.at, help=order, alias=alias if end == self.at else None)

    def _clause(self, first: str, second: str) -> bool:
        """Take two keywords; the second must follow the first."""
        return bool(self.word(first) and self.expect_word(second))

    # --- SELECT

    def _items(self) -> tuple[syntax.Item, ...]:
        at = self.at
        if self.take(_COUNT):
            if self.peek() != "from":
                self.fail("FROM", help="COUNT() stands alone; elsewhere write COUNT(Id)")
            return (syntax.FieldItem(syntax.Call("COUNT", None, at), None),)
        return self.parts(self._item)

    def _item(self) -> syntax.Item:
        at = self.at
        if self.sign("("):
            inner = self.inside(self._child)
            return syntax.ChildItem(inner, inner.source.path.at, self._alias())
        if self._is_typeof():
            return self._typeof(at)
        operand = self.operand("a field")
        return syntax.FieldItem(operand, self._alias())

    def _child(self) -> syntax.Query:
        found = self.query()
        if not self.text.startswith(")", self.at):
            self.fail_after(found)
        return found

    def _alias(self) -> str | None:
        """An alias, which only a comma or FROM can follow: else FROM is what is misspelt."""
        if not self.name_is_next():
            return None
        start = self.at
        alias = str(self.name("an alias"))
        if not _ENDS_ITEM.match(self.text, self.at):
            self.at = start
            self.fail("FROM", "`,`")
        return alias

    def _is_typeof(self) -> bool:
        """Whether TYPEOF is next; fields may be called that too."""
        start = self.at
        if not self.word("typeof"):
            return False
        if self.name_is_next():
            self.name("")
        is_field = _ENDS_ITEM.match(self.text, self.at) is not None
        self.at = start
        return not is_field

    def _typeof(self, at: int) -> syntax.TypeofItem:
        self.expect_word("typeof")
        relationship = self.name("a relationship")
        branches: list[syntax.TypeBranch] = []
        if self.peek() != "when":
            self.fail("WHEN")
        while self.word("when"):
            sobject = str(self.name("an object"))
            self.expect_word("then")
            branches.append(syntax.TypeBranch(sobject, self.parts(self.field)))
        otherwise = self.parts(self.field) if self.word("else") else ()
        self.expect_word("end") if otherwise else self.expect_word("when", "else", "end")
        return syntax.TypeofItem(relationship, tuple(branches), otherwise, at, self._alias())

    # --- FROM, USING, WITH

    def _source(self) -> tuple[syntax.Source, syntax.Path | None]:
        path = self.name("an object")
        alias: str | None = None
        self.word("as")
        if self._alias_is_next():
            alias = str(self.name("an alias"))
            self._alias_end = (self.at, alias)
        scope = self.name("a scope") if self._clause("using", "scope") else None
        return syntax.Source(path, alias), scope

    def _alias_is_next(self) -> bool:
        """Whether a name is next that begins no clause."""
        word, second = self.peek(), self.peek_second()
        if word in {"group", "order"}:
            return not second or second in _STARTS
        if word == "offset":
            return not self.offset_is_next()
        return self.name_is_next() and (word, second) != ("all", "rows")

    def _with(self, *, identifiers: bool) -> None:
        """`WITH …`; in a semi-join, only what selects records."""
        first = True
        while self.word("with"):
            if first and self.peek() == "data" and self.peek_second() == "category":
                self._clause("data", "category")
                self._category()
                while self.word("and"):
                    self._category()
            else:
                self.name("SECURITY_ENFORCED or another setting")
                self._setting(identifiers=identifiers, equals=first)
            first = False

    def _category(self) -> None:
        self.name("a category group")
        self.expect_word("at", "above", "below", "above_or_below")
        if self.sign("("):
            self.inside(lambda: self.parts(self.field))
        else:
            self.name("a category")

    def _setting(self, *, identifiers: bool, equals: bool) -> None:
        if equals and self.sign("="):
            self.bind() or self.text_literal()
        elif identifiers and self.sign("("):
            self.inside(lambda: self.parts(self._pair))
        elif not identifiers:
            self.fail("`=`")

    def _pair(self) -> None:
        self.name("a setting")
        self.expect_sign("=")
        self.setting_value()

    # --- WHERE

    def _where(self) -> syntax.Condition | None:
        return self.conditions() if self.word("where") else None

    def semi_join(self) -> syntax.Query:
        """The query of a semi-join, which has one field and few clauses."""
        self.expect_word("select")
        operand = self.operand("a field")
        self.expect_word("from")
        sources = self.parts(self._source)
        where = self._where()
        self._with(identifiers=False)
        if not self.text.startswith(")", self.at):
            self.fail("`)`", help="a query in IN has one field, FROM and WHERE")
        source, scope = sources[0]
        return syntax.Query(
            items=(syntax.FieldItem(operand, None),),
            source=source,
            joined=tuple(each for each, _ in sources[1:]),
            scope=str(scope) if scope else None,
            scope_at=scope.at if scope else 0,
            where=where,
            at=source.path.at,
        )

    # --- clauses after WHERE

    def _group(
        self,
    ) -> tuple[tuple[syntax.Operand, ...], syntax.Subtotals, syntax.Condition | None]:
        if not self._clause("group", "by"):
            return (), syntax.Subtotals.NONE, None
        subtotals = self.word("rollup", "cube")
        if subtotals:
            self.expect_sign("(")
            group = self.inside(lambda: self.parts(self._grouped), "`,`")
        else:
            group = self.parts(self._grouped)
        having = self.conditions() if self.word("having") else None
        return group, syntax.Subtotals(subtotals or "none"), having

    def _grouped(self) -> syntax.Operand:
        return self.operand("a field")

    def _sort(self) -> syntax.Sort:
        operand = self.operand("a field")
        descending = self.word("asc", "desc") == "desc"
        last = self.word("nulls") and self.expect_word("first", "last") == "last"
        return syntax.Sort(operand, descending, not last)

    def _count(self, clause: str) -> tuple[int | None] | None:
        """The number of LIMIT or OFFSET: nothing without the clause, (None,) for a bind."""
        if not self.word(clause):
            return None
        return (None,) if self.bind() else (self.whole_number(),)

    def _tracking(self) -> None:
        if self.word("for"):
            self.expect_word("view", "reference", "update")
        if self.word("update"):
            self.parts(lambda: self.expect_word("tracking", "viewstat"))

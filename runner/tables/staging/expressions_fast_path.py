"""Recognizes plain expressions without DuckDB: columns, texts, a few functions, CASE.

Most expressions of most jobs are plain, and DuckDB takes a tenth of a second to load. What is not
recognized here is not wrong: `expressions` decides. Knows a small part of SQL's grammar. Knows
nothing of a source's columns.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)(?![\w.])|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\|\||<>|<=|>=|[-+*/=<>(),]))",
    re.ASCII,
)
_RESERVED = """
    all analyse analyze and any array as asc asymmetric both case cast check collate column
    constraint create default deferrable desc describe distinct do else end except false fetch for
    foreign from group having in initially intersect into lambda lateral leading limit not null
    offset on only or order pivot pivot_longer pivot_wider placing primary qualify references
    returning select show some summarize symmetric table then to trailing true union unique unpivot
    using variadic when where window with anti asof at authorization binary by collation columns
    concurrently cross freeze full generated glob ilike inner is isnull join left like map natural
    notnull outer overlaps positional right semi similar struct tablesample try_cast tuple unpack
    verbose between bigint bit boolean char character coalesce dec decimal exists extract float
    grouping grouping_id inout int integer interval national nchar none nullif numeric out overlay
    position precision real row setof smallint substring time timestamp treat trim values varchar
    xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
"""
_KEYWORDS = frozenset(_RESERVED.split())
"""Words that cannot be a column's name, or not everywhere."""
_ROWWISE = """
    abs coalesce concat length lower ltrim nullif regexp_replace replace round rtrim split_part
    substr trim upper
"""
_FUNCTIONS = frozenset(_ROWWISE.split())
_JOINING = frozenset({"||", "+", "-", "*", "/"})
_COMPARING = frozenset({"=", "<>", "<", ">", "<=", ">="})


def is_plain(expression: str) -> bool:
    """Whether an expression is certainly valid; False: let `expressions` decide."""
    tokens = _tokens(expression)
    if tokens is None:
        return False
    reader = _Reader(tokens)
    return reader.value() and reader.at_end


def _tokens(expression: str) -> list[tuple[str, str]] | None:
    """Kind and lower-case text of each token; None if something else is in between."""
    found: list[tuple[str, str]] = []
    place, end = 0, len(expression.rstrip())
    while place < end:
        token = _TOKEN.match(expression, place)
        if token is None:
            return None
        kind = token.lastgroup or ""
        found.append((kind, token[kind].lower()))
        place = token.end()
    return found


class _Reader:
    """Reads tokens in order; each method returns whether it found what it is named for."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._place = 0

    @property
    def at_end(self) -> bool:
        return self._place == len(self._tokens)

    def value(self) -> bool:
        if not self._operand():
            return False
        while self._sign(_JOINING):
            if not self._operand():
                return False
        return True

    def _operand(self) -> bool:
        kind, text = self._next()
        if kind in {"text", "number"}:
            return True
        if text == "case":
            return self._branches()
        if kind == "name":
            return self._arguments(text) if self._sign({"("}) else text not in _KEYWORDS
        return text == "(" and self.value() and self._sign({")"})

    def _arguments(self, function: str) -> bool:
        if function not in _FUNCTIONS or not self.value():
            return False
        while self._sign({","}):
            if not self.value():
                return False
        return self._sign({")"})

    def _branches(self) -> bool:
        compared = self._peek() != "when"
        if compared and not self.value():
            return False
        branches = 0
        while self._word("when"):
            fits = self.value() if compared else self._comparison()
            if not (fits and self._word("then") and self.value()):
                return False
            branches += 1
        if self._word("else") and not self.value():
            return False
        return branches > 0 and self._word("end")

    def _comparison(self) -> bool:
        return self.value() and self._sign(_COMPARING) and self.value()

    def _sign(self, wanted: frozenset[str] | set[str]) -> bool:
        return self._skip("sign", wanted)

    def _word(self, wanted: str) -> bool:
        return self._skip("name", {wanted})

    def _skip(self, kind: str, wanted: frozenset[str] | set[str]) -> bool:
        found = not self.at_end and self._tokens[self._place] in {(kind, one) for one in wanted}
        self._place += found
        return found

    def _next(self) -> tuple[str, str]:
        found = ("", "") if self.at_end else self._tokens[self._place]
        self._place += 1
        return found

    def _peek(self) -> str:
        return "" if self.at_end else self._tokens[self._place][1]

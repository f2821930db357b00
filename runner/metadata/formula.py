"""Reads the formula of a validation rule and turns it into conditions of an org file.

Knows the formulas that compare fields of the record with literals: ISBLANK, ISPICKVAL, LEN, AND,
OR, NOT, IF and operators. Whatever else a formula has makes it unsupported, so that the local org
refuses no record that Salesforce accepts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from runner.metadata.conditions import (
    Alternatives,
    UnsupportedFormulaError,
    blank,
    compared,
    equal,
    longer_or_shorter,
    product,
)

_TOKEN = re.compile(
    r"""\s+|/\*.*?\*/
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[A-Za-z_$][A-Za-z0-9_.$]*(?::[A-Za-z_.]+)*)
    |(?P<sign>&&|\|\||<=|>=|<>|!=|==|[<>=!(),&+*/^-])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)")
_MOST_DEPTH = 40
_SAME = {"==": "=", "!=": "<>"}
_COMPARISONS = frozenset({"=", "<>", "<", "<=", ">", ">="})
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}

Token = tuple[str, str]
"""Its kind, and its text: that of a literal text is without quotes."""
Node = tuple[object, ...]
"""A function or an operator and its operands, `("field", name)` or `("literal", value)`."""


def alternatives(formula: str, types: Mapping[str, str]) -> Alternatives:
    """The conditions under one of which a formula is true; none if it never is.

    Args:
        formula: As in the metadata.
        types: Describe types of the fields that hold values, by name in lower case.

    Raises:
        UnsupportedFormulaError: It says what a condition cannot; has the reason.
    """
    parser = _Parser(_tokens(formula))
    return _Conditions(types).of(parser.whole(), negated=False)


def _tokens(formula: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(formula):
        match = _TOKEN.match(formula, at)
        if match is None:
            raise UnsupportedFormulaError(f"{formula[at]!r}")
        at = match.end()
        kind = match.lastgroup
        if kind == "text":
            found.append((kind, _ESCAPED.sub(r"\1", match[kind][1:-1])))
        elif kind is not None:
            found.append((kind, _SAME.get(match[kind], match[kind])))
    return found


class _Parser:
    """Recursive descent: or, and, not, comparison, operand."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._or()
        if self._at < len(self._tokens):
            _refuse(self._tokens[self._at][1])
        return node

    def _or(self) -> Node:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise UnsupportedFormulaError("too many parentheses")
        node = self._and()
        while self._takes("||"):
            node = ("OR", node, self._and())
        self._depth -= 1
        return node

    def _and(self) -> Node:
        node = self._comparison()
        while self._takes("&&"):
            node = ("AND", node, self._comparison())
        return node

    def _comparison(self) -> Node:
        left = self._operand()
        sign = self._peek()
        if sign[0] == "sign" and sign[1] in _COMPARISONS:
            self._at += 1
            return (sign[1], left, self._operand())
        return left

    def _operand(self) -> Node:
        negations = 0
        while self._takes("!"):
            negations += 1
        node = self._single()
        return ("NOT", node) if negations % 2 else node

    def _single(self) -> Node:
        if self._takes("("):
            node = self._or()
            self._needs(")")
            return node
        minus = self._takes("-")
        kind, text = self._peek()
        self._at += 1
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return ("literal", -number if minus else number)
        if minus:
            _refuse("-")
        if kind == "text":
            return ("literal", text)
        if kind != "name":
            _refuse(text)
        if not self._takes("("):
            literals = {"TRUE": True, "FALSE": False, "NULL": None}
            word = text.upper()
            return ("literal", literals[word]) if word in literals else ("field", text)
        arguments: list[Node] = []
        while not self._takes(")"):
            if arguments:
                self._needs(",")
            arguments.append(self._or())
        return (text.upper(), *arguments)

    def _peek(self) -> Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "its end")

    def _takes(self, sign: str) -> bool:
        taken = self._peek() == ("sign", sign)
        self._at += taken
        return taken

    def _needs(self, sign: str) -> None:
        if not self._takes(sign):
            _refuse(self._peek()[1])


def _refuse(text: str) -> NoReturn:
    raise UnsupportedFormulaError(text)


class _Conditions:
    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types

    def of(self, node: Node, *, negated: bool) -> Alternatives:
        """The alternatives of a node, or of its opposite."""
        match node:
            case ("AND" | "OR" as word, *parts):
                made = [self.of(part, negated=negated) for part in parts if isinstance(part, tuple)]
                if (word == "AND") != negated:
                    return product(made)
                return [each for part in made for each in part]
            case ("NOT", tuple() as part):
                return self.of(part, negated=not negated)
            case ("IF", tuple() as test, tuple() as then, tuple() as otherwise):
                chosen = ("AND", test, then), ("AND", ("NOT", test), otherwise)
                return self.of(("OR", *chosen), negated=negated)
            case (str() as sign, tuple() as left, tuple() as right) if sign in _COMPARISONS:
                return self._comparison(_OPPOSITE[sign] if negated else sign, left, right, negated)
            case _:
                return self._test(node, negated=negated)

    def _test(self, node: Node, *, negated: bool) -> Alternatives:
        match node:
            case ("literal", bool() as value):
                return [{}] if value != negated else []
            case ("field", str() as name):
                self._type(name, {"boolean"})
                return [{name: not negated}]
            case ("ISBLANK" | "ISNULL" as word, ("field", str() as name)):
                return self._blank(name, word, negated=negated)
            case ("ISBLANK" | "ISNULL", ("TEXT", ("field", str() as name))):
                self._type(name, {"picklist"})
                return blank(name, negated=negated)
            case ("ISPICKVAL", ("field", str() as name), ("literal", str() as value)):
                self._type(name, {"picklist"})
                return equal(name, value or None, negated=negated)
            case _:
                raise UnsupportedFormulaError(_word_of(node) or "a value alone")

    def _comparison(self, sign: str, left: Node, right: Node, negated: bool) -> Alternatives:  # noqa: FBT001 - how it was written
        if left[0] == "literal":
            left, right, sign = right, left, _FLIPPED.get(sign, sign)
        match (left, right):
            case (("field", str() as name), ("literal", None)) if sign in {"=", "<>"}:
                return self._blank(name, "ISNULL", negated=sign == "<>")
            case (("field", str() as name), ("literal", bool() as value)) if sign in {"=", "<>"}:
                self._type(name, {"boolean"})
                return [{name: value == (sign == "=")}]
            case (("field", str() as name), ("literal", str() as value)) if sign in {"=", "<>"}:
                self._type(name, {"string", "email", "phone", "url"})
                return equal(name, value or None, negated=sign == "<>")
            case (("TEXT", ("field", str() as name)), ("literal", str() as value)) if sign in {
                "=",
                "<>",
            }:
                self._type(name, {"picklist"})
                return equal(name, value or None, negated=sign == "<>")
            case (("LEN", ("field", str() as name)), ("literal", int() as number)):
                self._type(name, {"string", "email", "phone", "url", "textarea"})
                return longer_or_shorter(name, sign, number)
            case (("field", str() as name), ("literal", int() | float() as number)):
                kind = self._type(name, {"double", "currency", "percent", "int"})
                if negated or sign == "<>":  # what a blank number is then, is not documented
                    raise UnsupportedFormulaError("a negated comparison with a number")
                # In formulas 50% is 0.5, in records 50.
                return compared(name, sign, number * 100 if kind == "percent" else number)
            case _:
                raise UnsupportedFormulaError(_word_of(left) or _word_of(right) or sign)

    def _blank(self, name: str, word: str, *, negated: bool) -> Alternatives:
        kind = self._type(name, None)
        if kind == "boolean" or (word == "ISNULL" and kind in {"string", "textarea"}):
            raise UnsupportedFormulaError(f"{word} of {name}")  # it is always false
        return blank(name, negated=negated)

    def _type(self, name: str, kinds: set[str] | None) -> str:
        found = self._types.get(name.lower())
        if found is None or (kinds is not None and found not in kinds):
            raise UnsupportedFormulaError(name)
        return found


def _word_of(node: Node) -> str | None:
    """What to name as the reason: a function or a field."""
    if node[0] == "literal":
        return None
    return str(node[1]) if node[0] == "field" else str(node[0])

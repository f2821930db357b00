"""Conditions of an org file's validation rule: alternatives, each of which is one test a field.

Knows how tests of the same field are joined. Knows no formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Condition = dict[str, object]
"""Tests by field: a value, None for blank, or a mapping such as `{"not": None, "above": 5}`."""
Alternatives = list[Condition]
_MOST = 20
_BOUNDS = {">": "above", ">=": "at_least", "<": "below", "<=": "at_most"}


class UnsupportedFormulaError(ValueError):
    """A formula that no condition can say; the message is what it uses."""


def blank(name: str, *, negated: bool) -> Alternatives:
    """Whether a field is blank."""
    return equal(name, None, negated=negated)


def equal(name: str, value: object, *, negated: bool) -> Alternatives:
    """Whether a field has a value."""
    return [{name: {"not": value}}] if negated else [{name: value}]


def compared(name: str, sign: str, number: float) -> Alternatives:
    """How a number compares; a blank one is neither above nor below."""
    return [{name: number if sign == "=" else {_BOUNDS[sign]: number}}]


def longer_or_shorter(name: str, sign: str, number: int) -> Alternatives:
    """How many characters a text has; a blank one has none."""
    longer: Condition = {name: {"longer": number}}
    shorter: Condition = {name: {"shorter": number}}
    match sign:
        case ">":
            return [longer]
        case "<":
            return [shorter]
        case ">=":
            return [{name: {"longer": number - 1}}]
        case "<=":
            return [{name: {"shorter": number + 1}}]
        case "=":
            return [{name: {"longer": number - 1, "shorter": number + 1}}]
        case _:
            return [shorter, longer]


def product(parts: Iterable[Alternatives]) -> Alternatives:
    """The alternatives of several parts that must all hold.

    Raises:
        UnsupportedFormulaError: They are too many, or two tests of a field cannot be joined.
    """
    found: Alternatives = [{}]
    for part in parts:
        pairs = [(one, other) for one in found for other in part]
        if len(pairs) > _MOST:
            raise UnsupportedFormulaError(f"more than {_MOST} alternatives")
        found = [made for one, other in pairs if (made := _joined(one, other)) is not None]
    return found


def _joined(one: Condition, other: Condition) -> Condition | None:
    """Both conditions in one; None if they exclude each other."""
    made = dict(one)
    for name, test in other.items():
        if name not in made:
            made[name] = test
            continue
        both = _both(name, made[name], test)
        if both is _NEVER:
            return None
        made[name] = both
    return made


_NEVER = object()


def _both(name: str, one: object, other: object) -> object:
    if one == other and isinstance(one, bool) == isinstance(other, bool):
        return one
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        shared = one.keys() & other.keys()
        if shared - {"not"}:
            raise UnsupportedFormulaError(f"two comparisons of {name}")
        merged = {**one, **other}
        if shared:
            merged["not"] = [*_listed(one["not"]), *_listed(other["not"])]
        return merged
    if not isinstance(one, Mapping) and not isinstance(other, Mapping):
        return _NEVER
    value, test = (other, one) if isinstance(one, Mapping) else (one, other)
    if isinstance(test, Mapping) and test.keys() == {"not"}:
        return _NEVER if value in _listed(test["not"]) else value
    raise UnsupportedFormulaError(f"two comparisons of {name}")


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]

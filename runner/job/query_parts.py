"""Splits a query whose list of values is too long into several, without a record found twice.

Knows where a condition may be split. Knows nothing of the limits of an API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from runner.errors import UsageError
from runner.job.binds import bind
from runner.job.model import OneValue, ParamValue
from runner.job.soql import binds, masked, selection

_AFTER_IN = re.compile(r"(?<!\bNOT)\s+IN\s*\(?\s*$", re.IGNORECASE)
_LOGIC = re.compile(r"\b(OR|NOT)\b", re.IGNORECASE)
_WHOLE = re.compile(r"\b(GROUP|HAVING|ORDER|LIMIT|OFFSET)\b", re.IGNORECASE)
_GROUP = re.compile(r"\bGROUP\s+BY\b", re.IGNORECASE)
_ID_CHARACTERS = 15


def bound_queries(
    soql: str, params: Mapping[str, ParamValue], fits: Callable[[str], bool]
) -> list[str]:
    """A query with its binds replaced; several if its list of values makes it too long.

    Args:
        soql: As the job has it.
        params: Its values.
        fits: Whether a query is short enough.

    Returns:
        Queries that together find each record once. None if an empty list finds no record; the one
        query, too long as it is, if it has no list.

    Raises:
        UsageError: It is too long, or its list is empty, and it cannot be split.
    """
    lists = {
        found[1]: value for found in binds(soql) if isinstance(value := params[found[1]], tuple)
    }
    empty = next((name for name, value in lists.items() if not value), None)
    if empty is not None:
        _check_finds_nothing(soql, empty)
        return []
    whole = bind(soql, params)
    if not lists or fits(whole):
        return [whole]
    longest = max(lists, key=lambda name: len(lists[name]))
    _check_splits(soql, longest)
    return list(_split(soql, params, longest, _groups(lists[longest]), fits))


def _split(
    soql: str,
    params: Mapping[str, ParamValue],
    name: str,
    groups: Sequence[tuple[OneValue, ...]],
    fits: Callable[[str], bool],
) -> Iterator[str]:
    values = tuple(value for group in groups for value in group)
    bound = bind(soql, {**params, name: values})
    if len(groups) == 1 or fits(bound):
        yield bound
        return
    middle = len(groups) // 2
    for half in (groups[:middle], groups[middle:]):
        yield from _split(soql, params, name, half, fits)


def _groups(values: Sequence[OneValue]) -> list[tuple[OneValue, ...]]:
    """Each value once, those together that the org may take for the same: it ignores case."""
    found: dict[str, dict[OneValue, None]] = {}
    for value in values:
        text = str(value).strip().casefold()
        is_id = len(text) in {_ID_CHARACTERS, _ID_CHARACTERS + 3} and text.isalnum()
        found.setdefault(text[:_ID_CHARACTERS] if is_id else text, {})[value] = None
    return [tuple(each) for each in found.values()]


def _check_finds_nothing(soql: str, name: str) -> None:
    selected = selection(soql)
    aggregates = selected.is_grouped and not _GROUP.search(_outer_text(soql))
    reason = "it counts" if selected.counts_only or aggregates else _why_not_alone(soql, name)
    if reason:
        raise UsageError(
            f"The list `{name}` is empty, and what the query would find then is not clear:"
            f" {reason}.",
            hint="Pass a value, or simplify the query.",
        )


def _check_splits(soql: str, name: str) -> None:
    reason = _why_not_alone(soql, name) or _why_whole(soql)
    if reason:
        raise UsageError(
            f"The query is too long with the values of `{name}`, and it cannot be split into"
            f" several: {reason}.",
            hint="Pass fewer values, or simplify the query.",
        )


def _why_not_alone(soql: str, name: str) -> str | None:
    """Why a record may be found that no value of the list matches, or by several of them."""
    outer = _outer_text(soql)
    places = [found.start() for found in binds(soql) if found[1] == name]
    if len(places) != 1:
        return f"`:{name}` is used twice"
    if not _AFTER_IN.search(outer[: places[0]]):
        return f"`IN :{name}` must be a condition of its own"
    other = _LOGIC.search(outer, _condition_at(outer))
    return f"it has {other[0].upper()}" if other else None


def _why_whole(soql: str) -> str | None:
    """Why the rows of the parts would not be those of the whole."""
    selected = selection(soql)
    if selected.is_grouped or selected.counts_only:
        return "it groups or counts"
    outer = _outer_text(soql)
    other = _WHOLE.search(outer, _condition_at(outer))
    return f"it has {other[0].upper()}" if other else None


def _condition_at(outer: str) -> int:
    where = re.search(r"\bWHERE\b", outer, re.IGNORECASE)
    return where.end() if where else 0


def _outer_text(soql: str) -> str:
    """The query with dots in place of parentheses and what is inside, literals being blank.

    Parentheses right after IN, around one bind, are blanks.
    """
    text = re.sub(r"(\bIN\s*)\((\s*:\w+\s*)\)", r"\1 \2 ", masked(soql), flags=re.IGNORECASE)
    depth = 0
    kept: list[str] = []
    for character in text:
        depth = max(0, depth - (character == ")"))
        kept.append("." if depth or character in "()" else character)
        depth += character == "("
    return "".join(kept)

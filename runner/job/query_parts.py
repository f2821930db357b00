"""Splits a query whose list of values is too long into several, without a record found twice.

Knows where a condition may be split. Knows nothing of the limits of an API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from runner.errors import UsageError
from runner.job.binds import bind
from runner.job.model import OneValue, ParamValue
from runner.job.soql import binds, parsed, selection
from runner.soql.syntax import Bind, Condition, Junction, Membership, Query

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
    query = parsed(soql)
    counts = query is not None and not query.group and selection(soql).is_grouped
    reason = "it counts" if counts else _why_not_alone(soql, query, name)
    if reason:
        raise UsageError(
            f"The list `{name}` is empty, and what the query would find then is not clear:"
            f" {reason}.",
            hint="Pass a value, or simplify the query.",
        )


def _check_splits(soql: str, name: str) -> None:
    query = parsed(soql)
    reason = _why_not_alone(soql, query, name) or _why_whole(soql, query)
    if reason:
        raise UsageError(
            f"The query is too long with the values of `{name}`, and it cannot be split into"
            f" several: {reason}.",
            hint="Pass fewer values, or simplify the query.",
        )


def _why_not_alone(soql: str, query: Query | None, name: str) -> str | None:
    """Why a record may be found that no value of the list matches, or by several of them."""
    if [found[1] for found in binds(soql)].count(name) != 1:
        return f"`:{name}` is used twice"
    where = query.where if query else None
    if isinstance(where, Junction) and where.word == "OR":
        return "it has OR"
    conditions = where.parts if isinstance(where, Junction) else (where,)
    return None if any(map(partial(_is_in_list, name), conditions)) else (
        f"`IN :{name}` must be a condition of its own"
    )  # fmt: skip


def _is_in_list(name: str, condition: Condition | None) -> bool:
    """Whether a condition is `field IN :name`."""
    match condition:
        case Membership(_, (Bind(bound),), False):
            return bound == name
    return False


def _why_whole(soql: str, query: Query | None) -> str | None:
    """Why the rows of the parts would not be those of the whole."""
    if selection(soql).is_grouped:
        return "it groups or counts"
    clauses = query.clauses if query else ()
    return f"it has {clauses[0].name}" if clauses else None

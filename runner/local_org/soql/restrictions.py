"""Queries that Salesforce refuses because of the object alone.

Knows the words, as recorded. Knows nothing of how a query is compiled.
"""

from __future__ import annotations

from runner.local_org.api_errors import ApiRefusal
from runner.soql.syntax import (
    Comparator,
    Comparison,
    Condition,
    Junction,
    Membership,
    Operand,
    Path,
    Query,
    SemiJoin,
)

_LINK = "ContentDocumentLink"
_LINKED = frozenset({"contentdocumentid", "linkedentityid"})


def check_filters(query: Query, sobject: str) -> None:
    """Refuse a query of links between files and records that names neither.

    Users with the permission Query All Files are not restricted; nobody here has it.

    Raises:
        ApiRefusal: 400 MALFORMED_QUERY.
    """
    if sobject == _LINK and not _names_a_side(query.where):
        raise ApiRefusal(
            400,
            "MALFORMED_QUERY",
            f"Implementation restriction: {_LINK} requires a filter by a single Id on"
            " ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using"
            " the IN operator.",
        )


def _names_a_side(condition: Condition | None) -> bool:
    match condition:
        case Comparison(left, Comparator.EQUAL):
            return _is_side(left)
        case Membership(left, _, False) | SemiJoin(left, _, False):
            return _is_side(left)
        case Junction("AND", parts):
            return any(map(_names_a_side, parts))
    return False


def _is_side(operand: Operand) -> bool:
    return isinstance(operand, Path) and operand.names[-1].lower() in _LINKED

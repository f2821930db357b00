"""API names: their suffix, their namespace, their words.

Knows how names are made. Knows nothing of what they name.
"""

from __future__ import annotations

import re

_NAMESPACE = r"[A-Za-z](?:_?[A-Za-z0-9]){0,14}"
_WORDS = r"[A-Za-z](?:_?[A-Za-z0-9])*"
_CUSTOM = re.compile(rf"(?:(?P<space>{_NAMESPACE})__)?(?P<stem>{_WORDS})__(?P<suffix>c|e|mdt)")
_STANDARD = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_BETWEEN_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def suffix(name: str) -> str | None:
    """`c`, `e` or `mdt`, the empty string for a standard name; None if it is malformed."""
    match = _CUSTOM.fullmatch(name)
    if match is not None:
        return match["suffix"]
    return "" if _STANDARD.fullmatch(name) else None


def namespace(name: str) -> str:
    """The namespace with its underscores, `npsp__`; empty if there is none."""
    match = _CUSTOM.fullmatch(name)
    return f"{match['space']}__" if match is not None and match["space"] else ""


def label(name: str) -> str:
    """A name in words: `npsp__Batch_Number__c` and `BatchNumber` are Batch Number."""
    match = _CUSTOM.fullmatch(name)
    if match is not None:
        return match["stem"].replace("_", " ")
    return re.sub(r"\bId$", "ID", _BETWEEN_WORDS.sub(" ", name))


def parent_relationship(name: str) -> str:
    """The path to the parent of a reference: `npsp__Batch__r`, `Account` of `AccountId`."""
    return f"{name[:-1]}r" if suffix(name) else name.removesuffix("Id")

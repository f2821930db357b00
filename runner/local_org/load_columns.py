"""What the names in a row to load mean: a field, a parent named by its fields, or nothing.

Knows the catalog and the forms of Bulk, of the Salesforce CLI and of SFDMU. Knows no records.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from runner.local_org.catalog.model import Catalog, Field, SObject, writeable

_PATH = re.compile(r"(?:(?P<type>\w+):)?(?P<relationship>\w+)\.(?P<keys>.+)")
_COMPOSITE = "$$"
_SEPARATOR = "$"
VALUES = ";"
"""Between the values of a composite key."""


class LoadError(Exception):
    """Rows that cannot be loaded; nothing was saved."""

    def __init__(
        self, message: str, at: int | None = None, word: str = "", options: Iterable[str] = ()
    ) -> None:
        super().__init__(message)
        self.at = at
        """The row, by its position among those to load."""
        self.in_header = False
        """Whether it is wrong in the header above the row."""
        self.word = word
        self.options = tuple(options)
        """What `word` may have been meant to be."""


class Column(Struct, frozen=True):
    """A field to write, by value or by the parent that has these values in these fields."""

    field: Field
    parents: tuple[SObject, ...] = ()
    """Where to look for the parent; empty for a value."""
    keys: tuple[str, ...] = ()


def sobject_named(catalog: Catalog, name: str) -> SObject:
    """The sObject of rows to load, with fields that only seeds write if no API writes it.

    Raises:
        LoadError: There is none, or it holds no records that can be created.
    """
    sobject = catalog.sobject(name)
    if sobject is None:
        options = [each.name for each in catalog.sobjects]
        raise LoadError(f"no sObject {name} in this org", word=name, options=options)
    return writeable(sobject) if sobject.name.endswith("__mdt") else sobject


def column_named(catalog: Catalog, sobject: SObject, name: str) -> Column | None:
    """What a name means; None for what is known and cannot be written.

    Raises:
        LoadError: It is no field, and no way to name a parent.
    """
    if name.startswith(_COMPOSITE):  # SFDMU's own key of the row, made of other columns
        return None
    field = sobject.field(name)
    if field is not None:
        return Column(field) if field.createable else None
    path = _PATH.fullmatch(name)
    reference = sobject.parent(path["relationship"]) if path else None
    if path is None or reference is None:
        shown = path["relationship"] if path else name
        what = "relationship" if path else "field"
        raise LoadError(
            f"{sobject.name} has no {what} {shown!r}", word=shown, options=_names(sobject, what)
        )
    keys = tuple(path["keys"].removeprefix(_COMPOSITE).split(_SEPARATOR))
    if not path["keys"].startswith(_COMPOSITE):
        keys = (path["keys"],)
    parents = tuple(_parents(catalog, reference, path["type"]))
    known = tuple(each for each in parents if all(_has(each, key) for key in keys))
    if not known:
        lacking = next((key for key in keys if not any(_has(each, key) for each in parents)), name)
        options = [field.name for each in parents for field in each.fields]
        among = " or ".join(each.name for each in parents[:3])
        raise LoadError(f"{among} has no field {lacking!r}", word=lacking, options=options)
    return Column(reference, known, keys) if reference.createable else None


def _parents(catalog: Catalog, reference: Field, named: str | None) -> Iterable[SObject]:
    for name in reference.reference_to:
        found = catalog.sobject(name)
        if found is not None and (named is None or named.lower() == name.lower()):
            yield found


def _has(sobject: SObject, key: str) -> bool:
    """Whether a key of a parent can be looked up: its field, or one of its own parents."""
    first, _, rest = key.partition(".")
    return sobject.parent(first) is not None if rest else sobject.field(key) is not None


def _names(sobject: SObject, what: str) -> list[str]:
    if what == "field":
        return [each.name for each in sobject.fields]
    return [each.relationship_name for each in sobject.fields if each.relationship_name]

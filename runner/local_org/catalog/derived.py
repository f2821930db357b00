"""Fields whose values come from other records: copies of a parent's, sums over children.

Knows the rules and the format of their table; each is one that Salesforce's Object Reference states
for its field. Knows no SQL.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from runner.local_org.catalog.model import Catalog
from runner.local_org.catalog.standard import table


class Path(Struct, frozen=True):
    """The way from a record to the field of a parent, or of a parent's parent."""

    hops: tuple[tuple[str, str], ...]
    """Each a reference and the sObject that it leads to, the record's own first."""
    field: str


class Copy(Struct, frozen=True):
    """A field that has the value at the end of the first path whose reference is filled."""

    sobject: str
    field: str
    paths: tuple[Path, ...]


class RollUp(Struct, frozen=True):
    """A field that sums up a field of the children, counts them, or says whether there are any."""

    sobject: str
    field: str
    rule: str
    """sum, count or any."""
    child: str
    reference: str
    summed: str | None
    """The field to sum up."""


def copies(catalog: Catalog) -> Iterator[Copy]:
    """The copies in this org; a path through a field that it lacks is left out."""
    for row in table("derived_fields.csv"):
        if row["rule"] != "copy" or not _has(catalog, row["object"], row["field"]):
            continue
        paths = tuple(
            path
            for text in row["source"].split("|")
            if _leads(catalog, row["object"], path := _path(text))
        )
        if paths:
            yield Copy(row["object"], row["field"], paths)


def roll_ups(catalog: Catalog) -> Iterator[RollUp]:
    """The sums over children in this org."""
    for row in table("derived_fields.csv"):
        if row["rule"] == "copy" or not _has(catalog, row["object"], row["field"]):
            continue
        child, reference, *summed = row["source"].split(".")
        if all(_has(catalog, child, name) for name in (reference, *summed)):
            field = next(iter(summed), None)
            yield RollUp(row["object"], row["field"], row["rule"], child, reference, field)


def _path(text: str) -> Path:
    """`ContactId>Contact.AccountId>Account.Name` has two hops."""
    reference, *rest = text.split(">")
    hops = []
    for step in rest:
        sobject, name = step.split(".")
        hops.append((reference, sobject))
        reference = name
    return Path(tuple(hops), reference)


def _leads(catalog: Catalog, sobject: str, path: Path) -> bool:
    here = sobject
    for reference, parent in path.hops:
        if not _has(catalog, here, reference):
            return False
        here = parent
    return _has(catalog, here, path.field)


def _has(catalog: Catalog, sobject: str, name: str) -> bool:
    found = catalog.sobject(sobject)
    field = found.field(name) if found else None
    return field is not None and field.stored

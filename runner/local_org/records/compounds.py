"""Addresses and locations, made of their parts."""

from __future__ import annotations

from collections.abc import Callable

from runner.local_org.catalog.model import Field, SObject
from runner.local_org.records.stored import Stored
from runner.local_org.records.values import to_json


def compound_parts(sobject: SObject, compound: Field) -> tuple[tuple[str, Field], ...]:
    """Members of an address or location with their fields, in the order of responses."""
    parts = [item for item in sobject.fields if item.compound_field_name == compound.name]
    return tuple(sorted((_member(compound, part), part) for part in parts))


def _member(compound: Field, part: Field) -> str:
    """`BillingPostalCode` of `BillingAddress` is `postalCode`; `Geo__Latitude__s` is `latitude`."""
    if compound.type == "location":
        return part.name.removesuffix("__s").rsplit("__", 1)[-1].lower()
    name = part.name.removeprefix(compound.name.removesuffix("Address"))
    return name[0].lower() + name[1:]


def compound_json(
    parts: tuple[tuple[str, Field], ...], stored: Callable[[str], Stored]
) -> dict[str, object] | None:
    """An address or location from its parts; None if all of them are null.

    `stored` returns the stored value of a field by name.
    """
    members: dict[str, object] = {name: to_json(part, stored(part.name)) for name, part in parts}
    return None if all(value is None for value in members.values()) else members

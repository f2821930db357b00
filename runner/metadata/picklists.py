"""The values of a picklist: its own, or those of a value set; as written today and before API 38.

Knows the elements. Labels of values are left aside: a record has the value's API name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from runner.metadata.elements import Element
from runner.metadata.project import Component
from runner.metadata.values import Values


class Picklist(Struct, frozen=True):
    """What a record may have."""

    values: tuple[str, ...] = ()
    default: str | None = None
    restricted: bool = False
    value_set: str = ""
    """The name of the value set that they come from, if any."""


def picklist(values: Values, value_sets: Mapping[str, Component]) -> Picklist:
    """The values of a picklist field; none if its value set is not there."""
    element = values.component.element
    before = element.child("picklist")
    if before is not None:
        return _of(before.all("picklistValues"))
    given = element.child("valueSet")
    if given is None:
        return Picklist()
    restricted = given.value("restricted") == "true"
    name = given.value("valueSetName")
    if not name:
        own = given.child("valueSetDefinition")
        return _of(own.all("value") if own else (), restricted=restricted)
    found = value_sets.get(name.lower())
    if found is None:
        return Picklist(value_set=name)
    return _of(found.element.all("customValue"), restricted=restricted, value_set=name)


def standard_values(component: Component) -> Picklist:
    """The values of a standard value set."""
    return _of(component.element.all("standardValue"))


def _of(listed: Iterable[Element], *, restricted: bool = False, value_set: str = "") -> Picklist:
    active = [each for each in listed if each.value("isActive") != "false"]
    names = dict.fromkeys(each.value("fullName") for each in active)
    default = next((e.value("fullName") for e in active if e.value("default") == "true"), None)
    return Picklist(tuple(filter(None, names)), default or None, restricted, value_set)

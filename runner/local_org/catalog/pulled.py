"""Turns the describes of an org into the org file of a local org that describes the same.

The inverse of `declared`. Of standard objects only the differences from the local org's own catalog
are declared. Knows no YAML, no session.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct, field

from runner.local_org.catalog import custom_object, names, person_accounts
from runner.local_org.catalog.described import DescribedField, DescribedObject, ListedObject
from runner.local_org.catalog.model import SObject
from runner.local_org.catalog.pulled_fields import Declaration, pulled_change, pulled_field
from runner.local_org.catalog.section import Section
from runner.local_org.catalog.standard import further_fields, standard_catalog

_MOST_LABEL = 40


class Pulled(Struct, frozen=True):
    """An org file, as plain values."""

    values: Declaration
    left_out: tuple[str, ...] = ()
    """`Object.Field` of each field, and each object, that an org file cannot declare."""


def pull(
    described: Sequence[DescribedObject],
    listed: Sequence[ListedObject],
    people: Collection[str] = (),
) -> Pulled:
    """Make the org file of an org.

    Args:
        described: The objects to declare.
        listed: All of the org; one that is only referred to is declared without its fields.
        people: Developer names of the record types of person accounts.
    """
    work = _Pulling({each.name: each for each in described}, {e.name: e for e in listed}, people)
    made = {each.name: work.object_of(each) for each in described if work.is_declarable(each.name)}
    work.left_out += [each.name for each in described if not work.is_declarable(each.name)]
    made |= {name: work.bare(name) for name in work.referred if name not in made}
    objects = {name: made[name] for name in sorted(made) if made[name]}
    return Pulled({"version": 1, "objects": objects}, tuple(sorted(work.left_out)))


class _Pulling(Struct):
    described: Mapping[str, DescribedObject]
    listed: Mapping[str, ListedObject]
    people: Collection[str]
    referred: set[str] = field(default_factory=set)
    """Objects that the local org lacks and a field refers to."""
    left_out: list[str] = field(default_factory=list)

    def is_declarable(self, name: str) -> bool:
        return names.suffix(name) is not None

    def object_of(self, sobject: DescribedObject) -> Declaration:
        standard = standard_catalog().sobject(sobject.name)
        made = _relabelled(sobject, standard) if standard else self._named(sobject, sobject.fields)
        fields = dict(self._fields(sobject, standard))
        if fields or (standard is None and not names.suffix(sobject.name)):
            made["fields"] = fields
        record_types = dict(self._record_types(sobject))
        return made | ({"record_types": record_types} if record_types else {})

    def bare(self, name: str) -> Declaration:
        """An object that is known only because a lookup refers to it."""
        made = self._named(self.listed.get(name, ListedObject(name)), ())
        return made if names.suffix(name) else {**made, "fields": {}}

    def _named(
        self, sobject: DescribedObject | ListedObject, fields: Sequence[DescribedField]
    ) -> Declaration:
        made: Declaration = {}
        label = names.label(sobject.name)
        if sobject.label and sobject.label != label and len(sobject.label) <= _MOST_LABEL:
            made["label"] = label = sobject.label
        plural = sobject.label_plural
        if plural and plural != f"{label}s" and len(plural) <= _MOST_LABEL:
            made["plural_label"] = plural
        name_field = next((e for e in fields if e.name == "Name" and e.name_field), None)
        named = _name_field(name_field, label) if name_field else {}
        if named and (len(named) > 1 or named["type"] != "text" or not names.suffix(sobject.name)):
            made["name_field"] = named
        if sobject.key_prefix:
            made["key_prefix"] = sobject.key_prefix
        return made

    def _fields(
        self, sobject: DescribedObject, standard: SObject | None
    ) -> Iterator[tuple[str, Declaration]]:
        described = {each.name: each for each in sobject.fields}
        own = _own_fields(sobject.name) if standard is None else frozenset()
        found: dict[str, Declaration] = {}
        for each in sorted(sobject.fields, key=_order):
            known = standard.field(each.name) if standard else None
            if known is not None:
                made = pulled_change(each, known)
            elif each.name in own or self._is_part(each, described) or self._brought(sobject, each):
                continue
            elif not self._can_declare(sobject.name, standard, each):
                self.left_out.append(f"{sobject.name}.{each.name}")
                continue
            else:
                made = self._declared(sobject, each, described)
            if made:
                found[each.name] = made
        lacking = (e.name for e in (standard.fields if standard else ()) if e.name not in described)
        found |= {name: {"access": "hidden"} for name in lacking}
        masters = [name for name, made in found.items() if made.get("type") == "master_detail"]
        yield from ((name, found[name]) for name in masters)
        yield from ((name, found[name]) for name in sorted(found) if name not in masters)

    def _declared(
        self,
        sobject: DescribedObject,
        each: DescribedField,
        described: Mapping[str, DescribedField],
    ) -> Declaration:
        flags = custom_object.flags_of(names.suffix(sobject.name) or "")
        latitude = described.get(f"{each.name.removesuffix('__c')}__Latitude__s")
        parents = self._parents(each)
        made = pulled_field(
            each,
            parents=parents,
            children=self._children(sobject.name, each, parents),
            scale=latitude.scale if latitude else None,
            is_writable=bool({"createable", "updateable"} & flags),
        )
        if made is None:
            self.left_out.append(f"{sobject.name}.{each.name}")
        return made or {}

    def _parents(self, each: DescribedField) -> tuple[str, ...]:
        """What a field refers to; an object that the local org lacks is declared too."""
        there = [name for name in each.reference_to or () if self.is_declarable(name)]
        has = [e for e in there if e in self.described or standard_catalog().sobject(e)]
        if len(there) == 1 or each.custom:
            self.referred.update(name for name in there if name not in has)
            return tuple(there)
        return tuple(has)

    def _children(self, sobject: str, each: DescribedField, parents: Sequence[str]) -> str | None:
        for parent in parents:
            known = self.described.get(parent)
            for children in known.child_relationships or () if known else ():
                if (children.sobject, children.field) == (sobject, each.name):
                    return children.name
        return None

    def _is_part(self, each: DescribedField, described: Mapping[str, DescribedField]) -> bool:
        """Whether it is a part of a location that is declared as a whole."""
        whole = described.get(each.compound_field_name or "")
        return whole is not None and whole.type == "location" and whole is not each

    def _brought(self, sobject: DescribedObject, each: DescribedField) -> bool:
        """Whether record types and person accounts bring the field."""
        if each.name == "RecordTypeId":
            return any(not info.master for info in sobject.record_type_infos or ())
        return bool(self.people) and person_accounts.brings(sobject.name, each.name)

    def _can_declare(self, sobject: str, standard: SObject | None, each: DescribedField) -> bool:
        suffix = names.suffix(each.name)
        if suffix:
            return suffix == "c"
        if suffix is None:
            return False
        if standard is not None:
            return each.name in further_fields().get(sobject, ())
        return not names.suffix(sobject) or each.name == "CurrencyIsoCode"

    def _record_types(self, sobject: DescribedObject) -> Iterator[tuple[str, Declaration]]:
        found = [e for e in sobject.record_type_infos or () if not e.master and e.developer_name]
        for each in sorted(found, key=lambda info: info.developer_name or ""):
            name = each.developer_name or ""
            made: Declaration = {}
            if each.name != name.replace("_", " "):
                made["label"] = each.name
            if not each.active:
                made["active"] = False
            if each.default_record_type_mapping:
                made["default"] = True
            if sobject.name == "Account" and name in self.people:
                made["person"] = True
            yield name, made


def _relabelled(sobject: DescribedObject, standard: SObject) -> Declaration:
    found = (
        ("label", sobject.label, standard.label),
        ("plural_label", sobject.label_plural, standard.label_plural),
    )
    return {
        key: now for key, now, usual in found if now and now != usual and len(now) <= _MOST_LABEL
    }


def _order(each: DescribedField) -> tuple[bool, int, str]:
    order = each.relationship_order
    return order is None, order or 0, each.name


def _own_fields(sobject: str) -> frozenset[str]:
    """The fields that the local org gives to every object of this kind by itself."""
    made = custom_object.skeleton(sobject, Section({"name_field": {}}, (), []), "")
    always = {each.name for each in made.fields}
    return frozenset(always | ({"LastActivityDate"} if names.suffix(sobject) == "c" else set()))


def _name_field(field: DescribedField, label: str) -> Declaration:
    made: Declaration = {"type": "auto_number" if field.auto_number else "text"}
    if field.label and field.label != f"{label} Name":
        made["label"] = field.label
    return made

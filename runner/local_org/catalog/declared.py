"""Builds the catalog of an org: the standard one, extended by the org file.

Knows the org file, parsed to plain mappings. Knows no YAML and no store.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256

from msgspec.structs import replace

from runner.local_org.catalog import custom_object, names, person_accounts
from runner.local_org.catalog.declared_fields import adjusted_field, declared_fields
from runner.local_org.catalog.model import (
    Catalog,
    ChildRelationship,
    DuplicateRule,
    Field,
    RecordType,
    SObject,
    ValidationRule,
)
from runner.local_org.catalog.section import DeclarationError, Problem, Section
from runner.local_org.catalog.setup import SETUP_KEYS, declared_setup, with_currencies
from runner.local_org.catalog.standard import further_fields, standard_catalog, with_children
from runner.local_org.ids import custom_key_prefix, make_id

__all__ = ["DeclarationError", "Problem", "extend"]

_KEY_PREFIX = re.compile(r"[A-Za-z0-9]{3}")
_CHILDREN_OF_ANY = (
    ("Attachment", "ParentId", "Attachments"),
    ("ContentDocumentLink", "LinkedEntityId", "ContentDocumentLinks"),
    ("ContentVersion", "FirstPublishLocationId", None),
    ("Event", "WhatId", "Events"),
    ("Note", "ParentId", "Notes"),
    ("Task", "WhatId", "Tasks"),
)
"""References that can point to every custom object, with the name of its list of them."""
_SHARED_KEYS = ("fields", "record_types", "validation_rules", "duplicate_rules")
_LABELS = ("label", "plural_label")
_NEW_KEYS = (*_LABELS, "name_field", "key_prefix", *_SHARED_KEYS)
_COMPARISONS = ("not", "above", "at_least", "below", "at_most", "longer", "shorter")
_TOP_KEYS = ("version", "objects", "seed", "faults", "apps", *SETUP_KEYS)


def extend(
    base: Catalog, declared: Mapping[str, object], known_prefixes: Mapping[str, str] | None = None
) -> Catalog:
    """Build the catalog that an org file declares on top of another.

    `known_prefixes` has the key prefixes of custom objects in a store, so that adding an object to
    the file never changes the Ids of another.

    Raises:
        DeclarationError: with every problem found.
    """
    problems: list[Problem] = []
    declared = with_currencies(declared, base)
    top = Section(declared, (), problems)
    top.only(*_TOP_KEYS)
    if top.raw("version") != 1:
        top.report("must be 1", *(("version",) if "version" in top else ()))
    sobjects = {item.name: item for item in base.sobjects}
    standard = {item.name: item.key_prefix for item in base.sobjects}
    prefixes = _Prefixes({**(known_prefixes or {}), **standard})
    for name, section in top.sections("objects"):
        made = _sobject(sobjects.get(name), name, section, prefixes)
        if made is not None:
            sobjects[name] = made
    custom = tuple(name for name in sobjects if names.suffix(name) == "c")
    _extend_standard(sobjects, custom)
    for name, section in top.sections("objects"):
        if name in sobjects:
            sobjects[name] = _related(sobjects, sobjects[name], section)
    for name, _ in top.section("seed").entries():
        if name not in sobjects:
            top.report(f"no sObject {name} in this org", "seed", name)
    catalog = with_children(tuple(sobjects.values()), _recorded(base, custom))
    declared_setup(declared, catalog, problems)
    if problems:
        raise DeclarationError(problems)
    return catalog


def _extend_standard(sobjects: dict[str, SObject], custom: tuple[str, ...]) -> None:
    """Give standard objects what other declarations bring with them."""
    if person_accounts.has_people(sobjects["Account"]):
        person_accounts.enable(sobjects)
    for child, field, _ in _CHILDREN_OF_ANY:
        sobjects[child] = _pointing(sobjects[child], field, custom)


def _pointing(sobject: SObject, name: str, further: tuple[str, ...]) -> SObject:
    """Let a polymorphic reference point to further objects."""
    fields = tuple(
        replace(field, reference_to=(*field.reference_to, *further))
        if field.name == name
        else field
        for field in sobject.fields
    )
    return replace(sobject, fields=fields)


def _recorded(base: Catalog, custom: tuple[str, ...]) -> Iterator[tuple[str, ChildRelationship]]:
    for parent in custom:
        for child, field, name in _CHILDREN_OF_ANY:
            yield parent, ChildRelationship(child, field, name, cascade_delete=name is not None)
    for sobject in base.sobjects:
        for known in sobject.children:
            yield sobject.name, known


class _Prefixes:
    """Assigns key prefixes in the order of declaration, skipping those in use."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)
        self._used = set(known.values())
        self._next: Counter[str] = Counter()

    def of(self, name: str, section: Section) -> str:
        """The prefix of an object: as declared, as it has been, or the next one of its kind."""
        if "key_prefix" in section:
            return self._declared(name, section)
        if name not in self._known:
            letter = custom_object.KEY_PREFIX_LETTERS[names.suffix(name) or ""]
            while (prefix := custom_key_prefix(self._next[letter], letter)) in self._used:
                self._next[letter] += 1
            self._known[name] = prefix
            self._used.add(prefix)
        return self._known[name]

    def _declared(self, name: str, section: Section) -> str:
        prefix = section.text("key_prefix")
        if _KEY_PREFIX.fullmatch(prefix) is None:
            section.report("must be three letters or digits", "key_prefix")
        elif self._known.get(name, prefix) != prefix:
            section.report(
                f"this org's records have {self._known[name]}; reset the org to change it",
                "key_prefix",
            )
        elif prefix in self._used and self._known.get(name) != prefix:
            section.report(f"{prefix} is the key prefix of another object", "key_prefix")
        self._known[name] = prefix
        self._used.add(prefix)
        return prefix


def _sobject(
    standard: SObject | None, name: str, section: Section, prefixes: _Prefixes
) -> SObject | None:
    if standard is None and names.suffix(name) is None:
        section.report(
            "the name of a custom object is letters, digits and single _, ending in __c, __e or"
            " __mdt; that of a standard object is letters and digits",
        )
        return None
    if standard is None and not names.suffix(name) and "fields" not in section:
        section.report("not a standard object of this org; declare its `fields`, with their types")
        return None
    if standard is None:
        section.only(*_NEW_KEYS)
        standard = custom_object.skeleton(name, section, prefixes.of(name, section))
    else:
        section.only(*_LABELS, *_SHARED_KEYS)
        standard = replace(
            standard,
            label=section.text("label", standard.label),
            label_plural=section.text("plural_label", standard.label_plural),
        )
    return replace(
        standard,
        fields=_fields(standard, section),
        record_types=tuple(_record_types(name, section)),
    )


def _fields(sobject: SObject, section: Section) -> tuple[Field, ...]:
    fields = {field.name: field for field in sobject.fields}
    for name, declaration in section.sections("fields"):
        known = sobject.field(name)
        if known is None and not names.suffix(name) and not _is_standard(sobject, name):
            declaration.report(
                f"not a standard field of {sobject.name}; the name of a custom field ends in __c"
            )
            continue
        if known is None:
            made = [_of_object(field, sobject) for field in declared_fields(name, declaration)]
        else:
            made = adjusted_field(known, declaration)
            del fields[known.name]
        fields.update((field.name, field) for field in made)
    if "record_types" in section and "RecordTypeId" not in fields:
        fields["RecordTypeId"] = custom_object.RECORD_TYPE_ID
    return custom_object.without_owner_of_details(sobject, fields)


def _is_standard(sobject: SObject, name: str) -> bool:
    """Whether a field that the org lacks may be one of Salesforce's.

    Of an object that the org lacks too, any may.
    """
    if standard_catalog().sobject(sobject.name) is not None:
        return name in further_fields().get(sobject.name, ())
    return not sobject.custom or name == "CurrencyIsoCode"


def _of_object(field: Field, sobject: SObject) -> Field:
    """A new field can be written as its object can: events once, custom metadata never."""
    return replace(
        field,
        createable=field.createable and sobject.flags.get("createable", False),
        updateable=field.updateable and sobject.flags.get("updateable", False),
    )


def _record_types(sobject: str, section: Section) -> Iterator[RecordType]:
    for name, declaration in section.sections("record_types"):
        declaration.only("label", "active", "default", "person")
        if declaration.flag("person") and sobject != "Account":
            declaration.report("only accounts can be people", "person")
        yield RecordType(
            _stable_id("012", f"{sobject}.{name}"),
            name,
            declaration.text("label", name.replace("_", " ")),
            active=declaration.flag("active", default=True),
            default=declaration.flag("default"),
            person=declaration.flag("person"),
        )


def _stable_id(key_prefix: str, name: str) -> str:
    """An Id that depends only on a name, so it is the same at every start."""
    number = int.from_bytes(sha256(name.encode()).digest()[:6], "big")
    return make_id(key_prefix, number)


def _related(sobjects: Mapping[str, SObject], sobject: SObject, section: Section) -> SObject:
    """Check references to other sObjects and fields, now that all are known."""
    fields = tuple(_named_by_parent(sobjects, sobject, field, section) for field in sobject.fields)
    return replace(
        sobject,
        fields=fields,
        validation_rules=tuple(_validation_rules(sobject, section)),
        duplicate_rules=tuple(_duplicate_rules(sobject, section)),
    )


def _named_by_parent(
    sobjects: Mapping[str, SObject], sobject: SObject, field: Field, section: Section
) -> Field:
    if not field.reference_to or "type" not in section.section("fields").section(field.name):
        return field
    missing = [target for target in field.reference_to if target and target not in sobjects]
    for target in missing:
        section.report(f"no sObject {target} in this org", "fields", field.name, "to")
    if missing:
        return field
    rivals = [
        other
        for other in sobject.fields
        if other is not field and other.custom and set(other.reference_to) & set(field.reference_to)
    ]
    name = field.child_relationship_name
    if name is not None and any(other.child_relationship_name == name for other in rivals):
        section.report(
            f"{name} is already used by another field", "fields", field.name, "child_relationship"
        )
    if name is None and field.custom and not rivals:
        plural = re.sub(r"[^A-Za-z0-9]+", "_", sobject.label_plural)
        name = f"{names.namespace(field.name)}{plural}__r"
    return replace(field, child_relationship_name=name)


def _validation_rules(sobject: SObject, section: Section) -> Iterator[ValidationRule]:
    for name, rule in section.sections("validation_rules"):
        rule.only("when", "message", "field")
        declared = rule.raw("when")
        conditions = declared if isinstance(declared, list) else [declared]
        if not conditions or not all(isinstance(e, Mapping) and e for e in conditions):
            rule.report("a validation rule needs `when`: the field values for which it fails")
            continue
        for place, condition in enumerate(conditions):
            keys = ("when", place) if isinstance(declared, list) else ("when",)
            for field, test in condition.items():
                _check_field(sobject, rule, str(field), *keys, str(field))
                for word in test if isinstance(test, Mapping) else ():
                    if word not in _COMPARISONS:
                        known = ", ".join(_COMPARISONS)
                        message = f"no comparison {word}; expected one of {known}"
                        rule.report(message, *keys, str(field), str(word))
        if not rule.text("message"):
            rule.report("a validation rule needs a message")
        if "field" in rule:
            _check_field(sobject, rule, rule.text("field"), "field")
        yield ValidationRule(
            name,
            tuple(dict(each) for each in conditions if isinstance(each, Mapping)),
            rule.text("message"),
            rule.text("field") or None,
        )


def _duplicate_rules(sobject: SObject, section: Section) -> Iterator[DuplicateRule]:
    for name, rule in section.sections("duplicate_rules"):
        rule.only("fields", "action", "message")
        fields = rule.texts("fields")
        if not fields:
            rule.report("a duplicate rule needs `fields`: those that must match", "fields")
        for place, field in enumerate(fields):
            _check_field(sobject, rule, field, "fields", place)
        yield DuplicateRule(
            name,
            tuple(fields),
            rule.text("message", "Use one of these records?"),
            block=rule.choice("action", ("block", "alert"), "block") == "block",
        )


def _check_field(sobject: SObject, section: Section, name: str, *keys: str | int) -> None:
    field = sobject.field(name)
    if field is None or not field.stored:
        section.report(f"{sobject.name} has no field {name} that holds a value", *keys)

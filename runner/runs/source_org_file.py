"""Turns the metadata of a project into the objects of an org file.

Of standard objects only the differences from the local org's own catalog are declared. Knows what
an org file cannot declare. Knows no YAML and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from runner.diagnostics import Diagnostic
from runner.local_org.catalog import names
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.catalog.standard import further_fields, standard_catalog
from runner.metadata.fields import Context, Declaration, declared_field, is_calculated
from runner.metadata.picklists import Picklist, picklist, standard_values
from runner.metadata.project import Component, Project, SourceObject
from runner.metadata.standard_value_sets import fields_of
from runner.metadata.values import Values

_MOST_LABEL = 40
_PERSON = "PersonAccount"
_PICKLISTS = frozenset({"picklist", "multipicklist"})
_TYPES_OF_SUMS = {
    "currency": "currency",
    "percent": "percent",
    "date": "date",
    "datetime": "datetime",
}


class SourceOrg(Struct, frozen=True):
    """The objects of an org file, and what is to be said about them."""

    objects: Mapping[str, Declaration]
    components: Mapping[tuple[str, ...], Component]
    """What declares an object, `(object,)`, or a part of one: `(object, "fields", field)`."""
    calculated: frozenset[tuple[str, str]] = frozenset()
    """Objects and their fields that the org computes."""
    left_out: tuple[str, ...] = ()
    """Objects, fields and rules that an org file cannot declare."""
    bare: tuple[str, ...] = ()
    """Objects that no file defines, with a field that refers to them, if any."""
    without_values: tuple[str, ...] = ()
    """Picklists whose value set is not there: texts."""
    approximate: tuple[str, ...] = ()
    """Fields that are declared as another type than theirs, or may be."""
    custom_settings: tuple[str, ...] = ()
    """Declared as custom objects."""
    problems: tuple[Diagnostic, ...] = ()


def source_org(project: Project) -> SourceOrg:
    """What an org file has of a project; problems are sorted."""
    work = _Work(project)
    for each in project.objects.values():
        if names.suffix(each.name) is None:
            work.left_out.append(each.name)
        elif each.name != _PERSON:
            work.add(each)
    work.add_people()
    work.add_standard_value_sets()
    work.add_missing_parents()
    return SourceOrg(
        dict(sorted(work.objects.items())),
        work.components,
        frozenset(work.calculated),
        tuple(sorted(work.left_out)),
        tuple(sorted(work.bare)),
        tuple(sorted(work.context.without_values)),
        tuple(sorted(work.context.approximate)),
        tuple(sorted(work.custom_settings)),
        tuple(sorted(work.context.problems, key=lambda each: each.sort_key)),
    )


class _Work:
    def __init__(self, project: Project) -> None:
        self.project = project
        self.context = Context(project.value_sets, self._summed)
        self.objects: dict[str, Declaration] = {}
        self.components: dict[tuple[str, ...], Component] = {}
        self.calculated: set[tuple[str, str]] = set()
        self.left_out: list[str] = []
        self.bare: list[str] = []
        self.custom_settings: list[str] = []
        self.summing: set[str] = set()
        """Roll-ups on the way to what is summed up, so that a circle of them ends."""

    def add(self, source: SourceObject) -> None:
        """Declare an object, or what is different in a standard one."""
        standard = standard_catalog().sobject(source.name)
        name = standard.name if standard else source.name
        fields = dict(self._fields(name, source, standard))
        made = {} if standard else self._named(source)
        if fields:
            made["fields"] = fields
        if types := {e.name: made_type for e, made_type in self._record_types(name, source)}:
            made["record_types"] = types
        if standard is None and not names.suffix(name) and not fields:
            self.left_out.append(name)
        elif made or standard is None:
            self.objects[name] = made
            if source.definitions:
                self.components[name,] = source.definitions[0]
            elif standard is None and names.suffix(name):
                self.bare.append(name)

    def add_people(self) -> None:
        """Record types of person accounts, which the metadata has under an object of their own."""
        people = self.project.object(_PERSON)
        if people is None:
            return
        types = {
            each.name: {**made, "person": True}
            for each, made in self._record_types("Account", people)
        }
        if types:
            account = self.objects.setdefault("Account", {})
            account["record_types"] = {**_mapping(account, "record_types"), **types}

    def add_standard_value_sets(self) -> None:
        """The values of standard picklists."""
        for component in self.project.standard_value_sets.values():
            found = standard_values(component)
            fields = list(fields_of(component.name))
            if not fields:
                self.left_out.append(f"the standard value set {component.name}")
            for sobject, name in fields:
                standard = standard_catalog().sobject(sobject)
                known = standard.field(name) if standard else None
                if known is not None and (made := _values_of(known, found)):
                    declared = self.objects.setdefault(sobject, {})
                    declared["fields"] = {name: made, **_mapping(declared, "fields")}
                    self.components.setdefault((sobject, "fields", name), component)

    def add_missing_parents(self) -> None:
        """Objects that a lookup refers to and nothing declares: without their fields."""
        for name, declared in list(self.objects.items()):
            fields = _mapping(declared, "fields")
            for each, made in list(fields.items()):
                to = made.get("to") if isinstance(made, dict) else None
                if not to or to in self.objects or standard_catalog().sobject(str(to)):
                    continue
                suffix = names.suffix(str(to))
                if suffix is None:
                    self.left_out.append(f"{name}.{each}")
                    declared["fields"] = {k: v for k, v in fields.items() if k != each}
                    fields = _mapping(declared, "fields")
                else:
                    self.bare.append(f"{to} ({name}.{each})")
                    self.objects[str(to)] = {} if suffix else {"fields": {}}

    def _named(self, source: SourceObject) -> Declaration:
        made: Declaration = {}
        definition = next((e for e in source.definitions if e.element.child("label")), None)
        if definition is None:
            return made
        element = definition.element
        label = names.label(source.name)
        if (given := element.value("label")) and given != label and len(given) <= _MOST_LABEL:
            made["label"] = label = given
        plural = element.value("pluralLabel")
        if plural and plural != f"{label}s" and len(plural) <= _MOST_LABEL:
            made["plural_label"] = plural
        if named := self._name_field(definition, label):
            made["name_field"] = named
        if element.value("customSettingsType"):
            self.custom_settings.append(source.name)
        return made

    def _name_field(self, definition: Component, label: str) -> Declaration:
        element = definition.element.child("nameField")
        if element is None:
            return {}
        kind = element.value("type")
        made: Declaration = {"type": "auto_number" if kind == "AutoNumber" else "text"}
        if kind not in {"AutoNumber", "Text", ""}:
            found = Component("nameField", definition.file, element)
            what = f"nameField is of type {kind}, not Text or AutoNumber"
            self.context.problems.append(found.diagnose("metadata/unknown-type", what, "type"))
        given = element.value("label")
        if given and given != f"{label} Name":
            made["label"] = given
        if made["type"] == "auto_number" and element.value("displayFormat"):
            made["format"] = element.value("displayFormat")
        return {} if made == {"type": "text"} else made

    def _fields(
        self, sobject: str, source: SourceObject, standard: SObject | None
    ) -> Iterator[tuple[str, Declaration]]:
        found: dict[str, Declaration] = {}
        for component in sorted(source.fields.values(), key=_order):
            known = standard.field(component.name) if standard else None
            if known is not None:
                name, made = known.name, self._change(known, component)
                if not made:
                    continue
            elif self._can_declare(sobject, standard, component):
                name = component.name
                declared = declared_field(sobject, component, self.context)
                if declared is None:
                    self.left_out.append(f"{sobject}.{name}")
                    continue
                made = _without_default_label(name, declared)
                if is_calculated(component):
                    self.calculated.add((sobject, name))
            else:
                if component.element.value("type"):
                    self.left_out.append(f"{sobject}.{component.name}")
                continue
            found[name] = made
            self.components[sobject, "fields", name] = component
        yield from found.items()

    def _can_declare(self, sobject: str, standard: SObject | None, component: Component) -> bool:
        suffix = names.suffix(component.name)
        if suffix is None or suffix == "c":
            return True  # a malformed name is a problem that the catalog reports
        if suffix or not component.element.value("type"):
            return False
        if standard is not None:
            return component.name in further_fields().get(sobject, ())
        return not names.suffix(sobject)

    def _change(self, known: Field, component: Component) -> Declaration:
        """What metadata says otherwise than the catalog of a standard field."""
        values = Values(component, self.context.problems)
        made: Declaration = {}
        if known.type in _PICKLISTS:
            made |= _values_of(known, picklist(values, self.project.value_sets))
        if known.nillable and known.createable and values.flag("required"):
            made["required"] = True
        return made

    def _record_types(
        self, sobject: str, source: SourceObject
    ) -> Iterator[tuple[Component, Declaration]]:
        for component in sorted(source.record_types.values(), key=lambda each: each.name):
            values = Values(component, self.context.problems)
            made: Declaration = {}
            label = values.text("label")
            if label and label != component.name.replace("_", " "):
                made["label"] = label
            if "active" in values and not values.flag("active"):
                made["active"] = False
            self.components[sobject, "record_types", component.name] = component
            yield component, made

    def _summed(self, path: str) -> Declaration | None:
        """How a field that a roll-up sums up is declared."""
        sobject, _, name = path.partition(".")
        source = self.project.object(sobject)
        component = source.fields.get(name.lower()) if source else None
        if component is not None and component.element.value("type") and path not in self.summing:
            self.summing.add(path)
            context = Context(self.project.value_sets, self._summed)
            made = declared_field(sobject, component, context)
            self.summing.remove(path)
            return None if context.approximate else made
        standard = standard_catalog().sobject(sobject)
        known = standard.field(name) if standard else None
        if known is None or known.type not in _TYPES_OF_SUMS:
            return None
        digits = {"precision": known.precision, "scale": known.scale} if known.precision else {}
        return {"type": _TYPES_OF_SUMS[known.type], **digits}


def _order(component: Component) -> tuple[bool, int, str]:
    """Masters first, in the order of their relationships; then by name."""
    element = component.element
    order = element.value("relationshipOrder")
    is_master = element.value("type") == "MasterDetail"
    return not is_master, int(order) if order.isdecimal() else 0, component.name


def _values_of(known: Field, found: Picklist) -> Declaration:
    """The values of a standard picklist, if they are others than the catalog's."""
    before = tuple(each.value for each in known.picklist if each.active)
    if not found.values or (
        found.values == before and found.restricted == known.restricted_picklist
    ):
        return {}
    made: Declaration = {"values": list(found.values)}
    return made | ({"restricted": True} if found.restricted else {})


def _without_default_label(name: str, declared: Declaration) -> Declaration:
    if declared.get("label") == names.label(name):
        return {key: value for key, value in declared.items() if key != "label"}
    return declared


def _mapping(declared: Declaration, key: str) -> Declaration:
    found = declared.get(key)
    return found if isinstance(found, dict) else {}

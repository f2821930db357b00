"""Reads a project: its objects with their fields, record types and rules, and its value sets.

Brings together what several files and package directories say of one object. Knows nothing of what
a field is made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field

from runner.diagnostics import Diagnostic
from runner.errors import JobError, UsageError
from runner.metadata.elements import Element, diagnose, read_elements
from runner.metadata.files import MetadataFile, metadata_files, packages_of

_PARTS = {"fields": "CustomField", "recordTypes": "RecordType", "validationRules": "ValidationRule"}
"""Elements of an object in metadata format, and their types."""
_ACTIVITY = "Activity"
_ACTIVITIES = ("Event", "Task")
"""What has the custom fields of Activity."""
_MOST_PROBLEMS = 200


class Component(Struct, frozen=True):
    """Something that is declared, and where."""

    name: str
    file: Path
    element: Element

    def diagnose(
        self, code: str, message: str, at: str = "", hint: str | None = None
    ) -> Diagnostic:
        """A problem of it, at one of its elements if that is there."""
        element = (self.element.child(at) if at else None) or self.element
        return diagnose(self.file, element, code, message, hint)


Components = dict[str, Component]


class SourceObject(Struct, frozen=True):
    """One object, as far as the project declares it."""

    name: str
    definitions: list[Component] = field(default_factory=list)
    """Several, if packages extend the same standard object."""
    parts: dict[str, Components] = field(default_factory=dict)
    """By type and name."""

    @property
    def fields(self) -> Mapping[str, Component]:
        """The fields by name."""
        return self.parts.get("CustomField", {})

    @property
    def record_types(self) -> Mapping[str, Component]:
        """The record types by name."""
        return self.parts.get("RecordType", {})

    @property
    def rules(self) -> Mapping[str, Component]:
        """The validation rules by name."""
        return self.parts.get("ValidationRule", {})


class Project(Struct, frozen=True):
    """All that is declared."""

    objects: Mapping[str, SourceObject]
    value_sets: Mapping[str, Component]
    standard_value_sets: Mapping[str, Component]
    api_version: str = ""
    """Of the project's file; empty if it says nothing."""

    def object(self, name: str) -> SourceObject | None:
        """Find an object; the case of names does not matter."""
        return self.objects.get(name.lower())


def read_project(folder: Path) -> Project:
    """Read all metadata about objects below a folder.

    Raises:
        UsageError: There is no such folder, or no metadata of objects in it.
        JobError: A file is no XML, of another type than its name says, or declares twice.
    """
    packages = packages_of(folder)
    reading = _Reading()
    for package in packages.folders:
        for file in metadata_files(package):
            reading.add(file)
    if reading.problems:
        ordered = sorted(reading.problems, key=lambda each: each.sort_key)
        raise JobError(tuple(ordered[:_MOST_PROBLEMS]))
    if not reading.objects and not reading.sets:
        raise UsageError(
            f"There is no object, field or value set in {folder}.",
            hint="Their files end in `.object-meta.xml`, `.field-meta.xml` or `.object`. Name the "
            "folder of the project, or one that has its objects.",
        )
    sets = reading.sets
    return Project(
        dict(sorted(reading.objects.items())),
        sets.get("GlobalValueSet", {}),
        sets.get("StandardValueSet", {}),
        packages.api_version,
    )


class _Reading(Struct):
    objects: dict[str, SourceObject] = field(default_factory=dict)
    sets: dict[str, Components] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)

    def add(self, file: MetadataFile) -> None:
        try:
            root = read_elements(file.path)
        except JobError as error:
            self.problems += error.diagnostics
            return
        if root.name != file.type:
            what = f"the root element is {root.name}, and a file of this name has {file.type}"
            self.problems.append(diagnose(file.path, root, "metadata/unknown-type", what))
            return
        component = Component(file.name, file.path, root)
        if file.type == "CustomObject":
            self._add_object(component)
        elif file.sobject is None:
            self._add_to(self.sets.setdefault(file.type, {}), component, file.type)
        else:
            name = root.value("fullName") or file.name
            for sobject in _objects_of(file.sobject):
                self._add_part(sobject, file.type, Component(name, file.path, root))

    def _add_object(self, component: Component) -> None:
        for name in _objects_of(component.name):
            sobject = self._object(name)
            before = sobject.definitions
            if (
                before
                and name.endswith("__c")
                and all(_is_whole(e) for e in (before[0], component))
            ):
                self.problems.append(_twice(before[0], component, "CustomObject"))
            before.append(component)
            for tag, kind in _PARTS.items():
                for element in component.element.all(tag):
                    full_name = element.value("fullName")
                    if full_name:
                        part = Component(full_name, component.file, element)
                        self._add_part(name, kind, part)
                    elif name == component.name or name == _ACTIVITIES[0]:
                        what = f"{tag} without fullName"
                        found = diagnose(component.file, element, "metadata/missing", what)
                        self.problems.append(found)

    def _add_part(self, sobject: str, kind: str, part: Component) -> None:
        self._add_to(self._object(sobject).parts.setdefault(kind, {}), part, kind)

    def _add_to(self, known: Components, component: Component, kind: str) -> None:
        key = component.name.lower()
        if key in known:
            self.problems.append(_twice(known[key], component, kind))
        known.setdefault(key, component)

    def _object(self, name: str) -> SourceObject:
        return self.objects.setdefault(name.lower(), SourceObject(name))


def _objects_of(name: str) -> Iterator[str]:
    yield from _ACTIVITIES if name == _ACTIVITY else (name,)


def _is_whole(definition: Component) -> bool:
    """Whether it makes the object, not only adds to it."""
    return definition.element.child("label") is not None


def _twice(first: Component, second: Component, kind: str) -> Diagnostic:
    where = f"{first.file}:{first.element.line}:{first.element.column}"
    what = f"{kind} {second.name} is declared twice; first at {where}"
    return second.diagnose("metadata/duplicate", what, hint="Remove one of them.")

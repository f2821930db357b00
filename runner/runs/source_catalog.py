"""The catalog of the local org that metadata declares; its problems, where they are written.

Knows what declares which part of an org file. Knows nothing of what is made of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.diagnostics import Location
from runner.errors import JobError, UsageError
from runner.job.documents import problems_of
from runner.job.origin import Origin
from runner.job.schema.files import is_valid
from runner.job.yaml.document import Document
from runner.local_org.catalog.declared import DeclarationError, extend
from runner.local_org.catalog.model import Catalog
from runner.local_org.catalog.standard import standard_catalog
from runner.metadata.fields import Declaration
from runner.metadata.project import Component
from runner.runs.org_pull import ORG_FILE_NAME

_ELEMENTS = {
    "child_relationship": "relationshipName",
    "default": "defaultValue",
    "field": "errorDisplayField",
    "format": "displayFormat",
    "help": "inlineHelpText",
    "message": "errorMessage",
    "name_field": "nameField",
    "on_delete": "deleteConstraint",
    "plural_label": "pluralLabel",
    "to": "referenceTo",
    "values": "valueSet",
    "when": "errorConditionFormula",
}
"""By the key of the org file, where that is another word."""


def catalog_of(
    objects: Mapping[str, Declaration], components: Mapping[tuple[str, ...], Component]
) -> Catalog:
    """The catalog of the local org that has these objects.

    Args:
        objects: Those of an org file.
        components: What declares a part of it, by its keys below `objects`.

    Raises:
        JobError: An org, or an org file, cannot have what the metadata declares.
        UsageError: It is something that metadata does not declare.
    """
    values = {"version": 1, "objects": dict(objects)}
    try:
        catalog = extend(standard_catalog(), values)
    except DeclarationError as error:
        found = [(each.path, each.message) for each in error.problems]
        raise _where_declared(found, components) from error
    if not is_valid(values, "org"):
        raise _where_declared(list(_of_schema(values)), components)
    return catalog


def _of_schema(values: dict[str, object]) -> Iterator[tuple[Location, str]]:
    document = Document(values, Origin(Path(ORG_FILE_NAME)))  # type: ignore[arg-type]
    for each in problems_of(document, "org"):
        yield each.path, each.message


def _where_declared(
    found: list[tuple[Location, str]], components: Mapping[tuple[str, ...], Component]
) -> JobError | UsageError:
    problems = []
    for where, message in found:
        path = tuple(map(str, where[1:]))  # without "objects"
        while path and path not in components:
            path = path[:-1]
        if not path:
            at = ".".join(map(str, where))
            return UsageError(f"{ORG_FILE_NAME}: {at}: {message}.", hint="Correct it first.")
        component = components[path]
        key = next((str(each) for each in where[len(path) + 1 :]), "")
        element = _ELEMENTS.get(key, key)
        words = f"{element or component.name}: {message}"
        problems.append(component.diagnose("metadata/impossible", words, element))
    return JobError(tuple(sorted(problems, key=lambda each: each.sort_key)))

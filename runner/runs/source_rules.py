"""Adds the validation rules of a project to an org file, as far as the local org can check them.

Knows which fields a rule may use. Knows nothing of how a formula is read.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from runner.diagnostics import Diagnostic
from runner.errors import JobError
from runner.local_org.catalog.model import Catalog, SObject
from runner.metadata.conditions import Alternatives, UnsupportedFormulaError
from runner.metadata.fields import Declaration
from runner.metadata.formula import alternatives
from runner.metadata.project import Component, Project
from runner.metadata.values import Values


class SourceRules(Struct, frozen=True):
    """The objects with their rules, and what is to be said about these."""

    objects: Mapping[str, Declaration]
    components: Mapping[tuple[str, ...], Component]
    """What declares a rule, by `(object, "validation_rules", name)`."""
    left_out: tuple[str, ...] = ()
    """`Object.Rule (reason)` of each that the local org cannot check."""


def with_rules(
    project: Project,
    objects: Mapping[str, Declaration],
    catalog: Catalog,
    calculated: frozenset[tuple[str, str]],
) -> SourceRules:
    """The objects with those rules that the local org can check.

    Raises:
        JobError: A rule lacks its formula or its message.
    """
    made = dict(objects)
    components: dict[tuple[str, ...], Component] = {}
    left_out: list[str] = []
    problems: list[Diagnostic] = []
    for source in project.objects.values():
        sobject = catalog.sobject(source.name)
        if sobject is None:
            continue
        types = _types(sobject, calculated)
        rules: dict[str, Declaration] = {}
        for component in sorted(source.rules.values(), key=lambda each: each.name):
            if component.element.value("active") == "false":
                continue
            try:
                rule = _rule(component, sobject, types, problems)
            except UnsupportedFormulaError as error:
                left_out.append(f"{sobject.name}.{component.name} ({error})")
                continue
            if rule:
                rules[component.name] = rule
                components[sobject.name, "validation_rules", component.name] = component
        if rules:
            made[sobject.name] = {**made.get(sobject.name, {}), "validation_rules": rules}
    if problems:
        raise JobError(tuple(sorted(problems, key=lambda each: each.sort_key)))
    return SourceRules(dict(sorted(made.items())), components, tuple(sorted(left_out)))


def _types(sobject: SObject, calculated: frozenset[tuple[str, str]]) -> dict[str, str]:
    """Describe types of the fields that hold values, by name in lower case."""
    return {
        each.name.lower(): each.type
        for each in sobject.fields
        if each.stored and not each.calculated and (sobject.name, each.name) not in calculated
    }


def _rule(
    component: Component, sobject: SObject, types: Mapping[str, str], problems: list[Diagnostic]
) -> Declaration:
    """The declaration of a rule; empty if it never fails, or is wrong."""
    values = Values(component, problems)
    missing = [each for each in ("errorConditionFormula", "errorMessage") if each not in values]
    if missing:
        values.report("metadata/missing", f"{component.name} has no {missing[0]}")
        return {}
    found = alternatives(values.text("errorConditionFormula"), types)
    if not found:
        return {}
    conditions = _named(found, sobject)
    if not all(conditions):
        raise UnsupportedFormulaError("TRUE")
    made: Declaration = {
        "when": conditions[0] if len(conditions) == 1 else conditions,
        "message": values.text("errorMessage"),
    }
    field = sobject.field(values.text("errorDisplayField"))
    if field is not None and field.name.lower() in types:
        made["field"] = field.name
    return made


def _named(found: Alternatives, sobject: SObject) -> Alternatives:
    """The conditions with the names of fields as the org has them."""
    return [
        {(known.name if (known := sobject.field(name)) else name): test for name, test in e.items()}
        for e in found
    ]

"""The job schema of one org: it knows the objects and fields of the org's lock.

What it refuses, `runner validate` refuses too; what only a query, a header or a param can name
stays free. Knows the shipped schema's definitions and describes. Writes no file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from runner.job.lock_file import LOCK_NAME
from runner.job.schema.files import schema_text
from runner.runs.field_schema import (
    LOOKUP,
    VALUE,
    Schema,
    any_case,
    described,
    field_schema,
    mappings,
)
from runner.salesforce.described import FieldDescribe, ObjectDescribe
from runner.salesforce.org_lock import OrgLock, json_text
from runner.suggest import in_words

_WRITABLE: Mapping[str, Callable[[ObjectDescribe], bool]] = {
    "create": lambda each: each.createable,
    "update": lambda each: each.updateable,
    "upsert": lambda each: each.createable or each.updateable,
    "delete": lambda each: each.deletable,
    "mirror": lambda each: each.createable or each.updateable,
    "merge": lambda each: each.mergeable,
}
"""By verb, whether an object is offered."""
_OF_FIELD = r"[A-Za-z][A-Za-z0-9_]*"


def job_schema(lock: OrgLock) -> str:
    """The text of the job schema that knows the objects of a lock."""
    schema: dict[str, Any] = json.loads(schema_text("job"))
    objects = [lock.objects[name] for name in sorted(lock.objects)]
    work = _Work(schema["$defs"], objects)
    schema["$id"] = schema_id(lock)
    whose = f"org {lock.org_id}" if lock.org_id else "the project"
    schema["description"] = f"{schema['description']} It knows the objects of {whose}."
    work.add_definitions()
    return json_text(schema) + "\n"


def schema_id(lock: OrgLock) -> str:
    """What distinguishes the job schemas of an org from others; empty at the end for a project."""
    return f"urn:sfrunner:job:{lock.org_id}"


class _Work(Struct):
    """The definitions of a schema, while the org's are added."""

    defs: dict[str, Any]
    objects: list[ObjectDescribe]

    def add_definitions(self) -> None:
        defs = self.defs
        text: Schema = {"type": "string", "minLength": 1}
        defs[VALUE] = {"anyOf": [*mappings(), text]}
        kinds = ("string", "number", "boolean", "null")
        defs["set_value"] = {"anyOf": [{"type": kind} for kind in kinds]}
        for each in self.objects:
            fields = sorted(each.fields.values(), key=lambda field: field.name)
            names = [(field.name, field.label) for field in fields]
            defs[f"fields_of_{each.name}"] = self._fields(each, fields)
            defs[f"names_of_{each.name}"] = {"anyOf": _offered(names)}
            defs[f"known_in_{each.name}"] = {
                "type": "string",
                "pattern": f"^(?:{any_case(name for name, _ in names)})$",
                "errorMessage": _unknown(each),
            }
        defs[LOOKUP] = self._lookup()
        task = defs["task"]
        defs["unchecked_task"] = task
        defs["task"] = {
            "description": task["description"],
            "type": "object",
            # `runner validate` leaves a task alone that does not run.
            "if": {
                "type": "object",
                "properties": {"enabled": {"anyOf": [{"const": False}, {"type": "object"}]}},
                "required": ["enabled"],
            },
            "then": {"$ref": "#/$defs/unchecked_task"},
            "else": _with_references(task, {f"{verb}_task": f"{verb}_org" for verb in _WRITABLE}),
        }
        for verb in _WRITABLE:
            defs[f"{verb}_org"] = self._task(verb)

    def _task(self, verb: str) -> Schema:
        """A task of a verb, whose fields are those of its object."""
        task: dict[str, Any] = json.loads(json.dumps(self.defs[f"{verb}_task"]))
        keys = task["properties"]
        keys[verb] = self._object(self.defs[f"{verb}_verb"], verb)
        generic = {key: keys[key] for key in _depending(verb) if key in keys}
        keys.update(dict.fromkeys(generic, True))
        rules: list[Schema] = [
            {
                "if": _is_object(verb, [each.name]),
                "then": {"properties": self._keys(each, generic)},
            }
            for each in self.objects
        ]
        names = [each.name for each in self.objects]
        rules.append({
            "if": _is_object(verb, names), "then": {}, "else": {"properties": generic},
        })  # fmt: skip
        return {**task, "allOf": rules}

    def _object(self, generic: Mapping[str, Any], verb: str) -> Schema:
        """The name of an object that the lock has, or one that has a param in it."""
        about = generic["description"]
        offered = [each for each in self.objects if _WRITABLE.get(verb, bool)(each)]
        names = [(each.name, "\n".join(filter(None, (each.label, about)))) for each in offered]
        return {
            "type": "string",
            "description": about,
            "pattern": rf"\{{|^(?:{any_case(each.name for each in self.objects)})$",
            "errorMessage": f"{LOCK_NAME} has no such object. If the org has it, "
            "`runner org pull --update` with this job adds it.",
            "anyOf": _offered(names),
        }

    def _keys(self, sobject: ObjectDescribe, generic: Mapping[str, Any]) -> Schema:
        """Keys of a task that name fields of its object."""
        made: Schema = {}
        name = {"allOf": [_reference("known_in", sobject), _reference("names_of", sobject)]}
        for key, schema in generic.items():
            resolved = self.defs[schema["$ref"].removeprefix("#/$defs/")]
            if key == "fields":
                made[key] = _reference("fields_of", sobject)
            elif key == "key":
                made[key] = _key(resolved["description"], sobject)
            elif key == "on_create":  # names of columns too
                items = {**resolved["items"], **_reference("names_of", sobject)}
                made[key] = {**resolved, "items": items}
            elif key == "missing":
                made[key] = _missing(resolved, sobject)
            elif key == "fill":
                made[key] = {**resolved, "items": name}
            else:
                made[key] = {"description": resolved["description"], **name}
        return made

    def _fields(self, sobject: ObjectDescribe, fields: Iterable[FieldDescribe]) -> Schema:
        names = any_case(each.name for each in fields)
        value = {"$ref": f"#/$defs/{VALUE}"}
        return {
            "title": "fields",
            "description": f"Fields of {sobject.name}, each with a SQL expression over the "
            "source's columns. Without it, the source's column names are the fields.",
            "type": "object",
            "minProperties": 1,
            "properties": {each.name: field_schema(each) for each in fields}
            | dict(self._keys_of_parents(fields)),
            "patternProperties": {
                f"^(?:{names})$": True,
                r"\{": value,
                **dict.fromkeys(self._of_parents(fields), value),
            },
            "additionalProperties": False,
            "errorMessage": _unknown(sobject),
        }

    def _keys_of_parents(self, fields: Iterable[FieldDescribe]) -> Iterator[tuple[str, Schema]]:
        """Columns such as `Parent.ERP_Id__c`, of parents that the lock has."""
        for field, parent in self._parents(fields):
            several = f"{parent.name}:" if len(field.reference_to) > 1 else ""
            for key in parent.fields.values():
                if key.identifies and key.name != "Id":
                    name = f"{several}{field.relationship_name}.{key.name}"
                    about = f"Finds the record of {field.name} by {key.name} of {parent.name}.\n"
                    value = {"$ref": f"#/$defs/{VALUE}"}
                    yield name, {"title": name, "description": about + described(key), **value}

    def _parents(
        self, fields: Iterable[FieldDescribe]
    ) -> Iterator[tuple[FieldDescribe, ObjectDescribe]]:
        known = {each.name: each for each in self.objects}
        for field in fields:
            if field.relationship_name and (field.createable or field.updateable):
                for name in field.reference_to:
                    if name in known:
                        yield field, known[name]

    def _of_parents(self, fields: Iterable[FieldDescribe]) -> Iterator[str]:
        """Patterns of columns that name a parent's key, such as `Parent.ERP_Id__c`."""
        known = {each.name: each for each in self.objects}
        for field in fields:
            if not field.relationship_name or not field.reference_to:
                continue
            names = _OF_FIELD
            if len(field.reference_to) == 1 and field.reference_to[0] in known:
                parent = known[field.reference_to[0]].fields.values()
                names = f"(?:{any_case(each.name for each in parent if each.identifies)})"
            prefix = f"(?:(?:{any_case(field.reference_to)}):)?"
            yield f"^{prefix}(?:{any_case([field.relationship_name])})\\.{names}$"

    def _lookup(self) -> Schema:
        """A lookup whose `by` names fields of the object that is looked up."""
        lookup = self.defs["lookup"]
        keys = dict(lookup["properties"])
        by, keys["by"] = keys["by"], True
        keys["lookup"] = self._object(keys["lookup"], "lookup")
        rules = [
            {
                "if": _is_object("lookup", [each.name]),
                "then": {"properties": {"by": _by(by, each)}},
            }
            for each in self.objects
        ]
        return {**lookup, "properties": keys, "allOf": rules}


def _depending(verb: str) -> tuple[str, ...]:
    """Keys that name fields; a delete ignores all fields but its key."""
    if verb == "delete":
        return ("key",)
    return ("key", "on_create", "owner_field", "missing", "fill", "fields")


def _by(generic: Mapping[str, Any], sobject: ObjectDescribe) -> Schema:
    known, names = _reference("known_in", sobject), _reference("names_of", sobject)
    item = {"allOf": [known, names]}
    several = {"type": "array", "minItems": 1, "maxItems": 10, "uniqueItems": True, "items": item}
    return {
        "description": generic["description"],
        "anyOf": [several, names],
        "if": {"type": "string"},
        "then": known,
    }


def _reference(what: str, sobject: ObjectDescribe) -> Schema:
    return {"$ref": f"#/$defs/{what}_{sobject.name}"}


def _key(about: str, sobject: ObjectDescribe) -> Schema:
    """The name of a field that identifies records."""
    keys = [each for each in sobject.fields.values() if each.identifies]
    names = [each.name for each in keys]
    return {
        "type": "string",
        "description": about,
        "pattern": rf"\{{|^(?:{any_case(names)})$",
        "errorMessage": f"Keys of {sobject.name} are {in_words(names, 'and')}.",
        "anyOf": _offered([(each.name, f"{described(each)}\n{about}") for each in keys]),
    }


def _missing(generic: Mapping[str, Any], sobject: ObjectDescribe) -> Schema:
    """What a mirror sets in records that its source does not have."""
    made: dict[str, Any] = json.loads(json.dumps(generic))
    values = made["then"]["properties"]["set"]
    fields = [each for each in sobject.fields.values() if each.updateable]
    values["properties"] = {
        each.name: {"title": each.name, "description": each.label, "$ref": "#/$defs/set_value"}
        for each in fields
    }
    return made


def _offered(names: Iterable[tuple[str, str]]) -> list[Schema]:
    """Branches for names, each with what an editor shows, and one for any other text."""
    known: list[Schema] = [
        {"const": name, "title": name, "description": about} for name, about in names
    ]
    exact = "|".join(name for name, _ in names)
    return [*known, {"type": "string", "pattern": f"^(?!(?:{exact})$)"}]


def _unknown(sobject: ObjectDescribe) -> str:
    return f"{sobject.name} has no such field in {LOCK_NAME}."


def _is_object(verb: str, names: Iterable[str]) -> Schema:
    known = {"type": "string", "pattern": f"^(?:{any_case(names)})$"}
    return {"type": "object", "properties": {verb: known}, "required": [verb]}


def _with_references(schema: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON
    """A copy that refers to other definitions."""
    if isinstance(schema, list):
        return [_with_references(each, names) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _with_references(each, names) for key, each in schema.items()}
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return {**made, "$ref": f"#/$defs/{names[name]}"} if name in names else made

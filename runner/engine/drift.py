"""What an org no longer has as its lock says, of the objects and fields that a task uses.

Used is what the check of the task looks up. Knows describes and tasks. Knows no files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from msgspec.structs import asdict

from runner.diagnostics import Diagnostic, Location
from runner.engine.org_check import org_problems
from runner.errors import OrgError, SourceError, TransientError
from runner.job.model import CREATING_VERBS, AnyTask, Job, QueryTask, WriteTask
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe, ObjectDescribe
from runner.salesforce.org_lock import OrgLock
from runner.suggest import in_words
from runner.wording import plain

_OF_OBJECT = ("createable", "updateable", "deletable", "mergeable", "queryable")
_OF_FIELD = {
    "type": "type",
    "length": "length",
    "precision": "precision",
    "scale": "scale",
    "nillable": "nillable",
    "defaulted_on_create": "defaultedOnCreate",
    "createable": "createable",
    "updateable": "updateable",
    "external_id": "externalId",
    "id_lookup": "idLookup",
    "unique": "unique",
    "case_sensitive": "caseSensitive",
    "calculated": "calculated",
    "filterable": "filterable",
    "relationship_name": "relationshipName",
    "reference_to": "referenceTo",
}
"""What is compared, and describe's word for it."""
_OF_METADATA = frozenset(
    {"type", "length", "precision", "scale", "nillable", "external_id", "unique", "case_sensitive"}
    | {"calculated", "relationship_name", "reference_to"}
)
"""What a project's metadata says of a custom field; the rest depends on the user and the org."""
_NOT_OF_UNWRITTEN = frozenset({"nillable", "unique", "case_sensitive"})
_NOT_OF_CALCULATED = _NOT_OF_UNWRITTEN | {"length", "precision", "scale"}
_BEHIND_METADATA = (
    "Retrieve it into the project, or declare a standard field in org.yaml; then `{}`."
)
_DRIFT_OF_METADATA = (
    "Deploy the metadata to the org; or retrieve what the org has and accept it with `{}`."
)
_RECORD_TYPE = "RecordTypeId"


def drift_of(
    job: Job, task: AnyTask, lock: OrgLock, live: Describes, written: Collection[Path]
) -> Iterator[Diagnostic]:
    """How the org differs from its lock where a task uses it.

    Args:
        job: For the positions.
        task: The task that may be hit.
        lock: What the org was like; of one from metadata, only what metadata says is compared.
        live: The describes of the org.
        written: Files that do not exist before the job runs.

    Raises:
        TransientError: The org could not be asked.
    """
    locked = lock.describes()
    used = _Used(locked)
    known = _problems(job, task, Describes(used.object), written)
    now = {(each.code, each.position) for each in _problems(job, task, live, written)}
    for each in known:
        if (each.code, each.position) not in now and each.code != "org/wrong-value":
            where = used.place(job, task)
            message = f"task {task.name} uses what the lock lacks: {each.message}"
            hint = f"Add it to the lock with `{lock.pull}`."
            if lock.source:
                hint = _BEHIND_METADATA.format(lock.pull)
            yield job.origin.diagnose(each.path or where, "lock/behind", message, help=hint)
    for name, fields in used.fields.items():
        before = locked.of(name)
        for message, field in _differences(before, live, fields, task, lock):
            where = used.place(job, task, field)
            if lock.source:
                words = f"the org differs from the metadata that task {task.name} uses: {message}"
                hint = _DRIFT_OF_METADATA.format(lock.pull)
            else:
                words = f"the org has changed under task {task.name}: {message}"
                hint = f"If the job still fits, accept it with `{lock.pull}`."
            yield job.origin.diagnose(where, "lock/drift", words, help=hint)


class _Used:
    """What a check looks up in describes."""

    def __init__(self, describes: Describes) -> None:
        self._describes = describes
        self.fields: dict[str, set[str]] = {}
        """Names of the fields by object."""

    def object(self, name: str) -> ObjectDescribe:
        found = self._describes.of(name)
        seen = self.fields.setdefault(found.name, set())
        return _Observed(**{key: getattr(found, key) for key in asdict(found)}, seen=seen)

    @staticmethod
    def place(job: Job, task: AnyTask, field: str | None = None) -> Location:
        """Where the job uses it, as near as can be told."""
        here: Location = ("tasks", task.index)
        if isinstance(task, QueryTask):
            return (*here, "query")
        named = (*here, "fields", field or "")
        return named if named in job.origin.positions else (*here, task.verb.value)


class _Observed(ObjectDescribe, frozen=True, kw_only=True):
    """An object that notes which of its fields are looked up."""

    seen: set[str]

    def field(self, name: str) -> FieldDescribe | None:
        return self._noted(super().field(name))

    def labelled(self, label: str) -> FieldDescribe | None:
        return self._noted(super().labelled(label))

    def reference(self, relationship: str) -> FieldDescribe | None:
        return self._noted(super().reference(relationship))

    def _noted(self, found: FieldDescribe | None) -> FieldDescribe | None:
        if found is not None:
            self.seen.add(found.name)
        return found


def _problems(
    job: Job, task: AnyTask, describes: Describes, written: Collection[Path]
) -> tuple[Diagnostic, ...]:
    try:
        return org_problems(job, [task], lambda _: describes, frozenset(written))
    except (TransientError, SourceError):
        raise
    except OrgError as error:
        found = job.origin.diagnose(
            _Used.place(job, task), "org/unknown-object", error.message, help=error.hint
        )
        return (found,)


def _differences(
    before: ObjectDescribe,
    live: Describes,
    used: Collection[str],
    task: AnyTask,
    lock: OrgLock,
) -> Iterator[tuple[str, str | None]]:
    """What differs in an object, each with the field that it is about."""
    try:
        now = live.of(before.name)
    except TransientError:
        raise
    except OrgError:
        yield f"{before.name} is gone, or this user may not see it", None
        return
    if lock.source:
        yield from _from_metadata(before, now, used, lock.approximate)
        yield from _lost_record_types(before, now, used)
        return
    for key in _OF_OBJECT:
        if getattr(before, key) != getattr(now, key):
            yield f"{before.name} {_change(key, getattr(before, key), getattr(now, key))}", None
    for name in sorted(used):
        old, new = before.field(name), now.field(name)
        if old is not None:
            yield from ((words, name) for words in _of_field(before.name, old, new, _OF_FIELD))
    yield from _lost_record_types(before, now, used)
    if isinstance(task, WriteTask) and task.verb in CREATING_VERBS and before.name == task.sobject:
        yield from _required_now(before, now, used)


def _lost_record_types(
    before: ObjectDescribe, now: ObjectDescribe, used: Collection[str]
) -> Iterator[tuple[str, str | None]]:
    if _RECORD_TYPE not in used or now.record_types is None:
        return
    lost = [each for each in before.record_types or () if each not in now.record_types]
    if lost:
        yield f"{before.name} has lost the record type {in_words(lost, 'and')}", _RECORD_TYPE


def _required_now(
    before: ObjectDescribe, now: ObjectDescribe, used: Collection[str]
) -> Iterator[tuple[str, str | None]]:
    for field in now.fields.values():
        old = before.field(field.name)
        if field.required and field.name not in used and not (old and old.required):
            yield f"{before.name}.{field.name} is required now", None


def _from_metadata(
    before: ObjectDescribe,
    now: ObjectDescribe,
    used: Collection[str],
    approximate: Collection[str],
) -> Iterator[tuple[str, str | None]]:
    """What differs in the custom fields, as far as their metadata states it."""
    for name in sorted(used):
        old, new = before.field(name), now.field(name)
        if old is None or not old.custom:
            continue
        if new is None or f"{before.name}.{old.name}" not in approximate:
            words = _of_field(before.name, old, new, _compared(old))
            yield from ((each, name) for each in words)


def _compared(field: FieldDescribe) -> Collection[str]:
    """The properties of a custom field that its metadata states."""
    if field.calculated:
        return _OF_METADATA - _NOT_OF_CALCULATED
    if not field.createable:  # an auto-number, a location
        return _OF_METADATA - _NOT_OF_UNWRITTEN
    return _OF_METADATA - {"precision"} if field.compound_field_name else _OF_METADATA


def _of_field(
    sobject: str, old: FieldDescribe, new: FieldDescribe | None, keys: Collection[str]
) -> Iterator[str]:
    name = f"{sobject}.{old.name}"
    if new is None:
        yield f"{name} is gone, or this user may not see it"
        return
    for key, word in _OF_FIELD.items():
        if key in keys and getattr(old, key) != getattr(new, key):
            yield f"{name} {_change(word, getattr(old, key), getattr(new, key))}"
    lost = [each for each in old.choices if each not in new.choices]
    further = [each for each in new.choices if each not in old.choices]
    if not old.choices or not new.choices:
        if old.choices:
            yield f"{name} is no longer restricted to its values"
        elif new.choices:
            yield f"{name} is restricted to its values now"
        return
    if lost:
        yield f"{name} has lost the value {in_words(lost, 'and')}"
    if further:
        yield f"{name} has the new value {in_words(further, 'and')}"


def _change(word: str, old: object, new: object) -> str:
    return f"had {word} {_shown(old)} and has {_shown(new)}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return plain(value)

"""How the columns of a query are masked, by what their fields are.

Knows a query's columns and describes. Knows nothing of how a value is masked, or written.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from runner.diagnostics import Diagnostic
from runner.engine.context import Context
from runner.errors import OrgError, TransientError
from runner.job.masks import MaskKind
from runner.job.model import Job
from runner.job.partial_job import task_path
from runner.job.soql import ItemKind, selection
from runner.job.source_query import SourceQuery
from runner.salesforce.describe import Describes
from runner.salesforce.described import FieldDescribe
from runner.tables.targets.masking import HASH_CHARACTERS, Masker, MaskValue, null

_FORMS = {
    "email": "email",
    "phone": "phone",
    "url": "url",
    "string": "text",
    "textarea": "text",
    "encryptedstring": "text",
    "combobox": "text",
    "id": "text",
    "reference": "text",
}
"""How a hash is written, by describe type; values of others are no free text."""
_TYPES_WITH_FAKES = frozenset({"email", "phone", "url"})
_IDS = frozenset({"id", "reference"})
_FAKES = {
    "FirstName": "first name",
    "MiddleName": "first name",
    "LastName": "last name",
    "Company": "company",
    "CompanyName": "company",
    "Street": "street",
    "City": "city",
    "PostalCode": "postal code",
}
"""What is invented for a field, by the end of its name without `_` and `__c`."""
_PEOPLE = frozenset({"contact", "lead", "user", "individual"})
_FAKEABLE = "names of people and companies, streets, cities, postal codes, e-mails, phones and URLs"


class _MaskedColumn(Struct, frozen=True):
    """A column that is masked, and its field; None for one that is not a plain field."""

    column: str
    kind: MaskKind
    field: FieldDescribe | None
    sobject: str
    """That has the field."""

    @property
    def form(self) -> str | None:
        """How a hash is written, or what is invented; None where nothing can be."""
        if self.field is None:
            return None
        usual = _FORMS.get(self.field.type)
        if self.kind is not MaskKind.FAKE or self.field.type in _TYPES_WITH_FAKES:
            return usual
        name = self.field.name.removesuffix("__c").replace("_", "")
        if name == "Name":
            return "name" if self.sobject.lower() in _PEOPLE else "company"
        ending = next((end for end in _FAKES if name.endswith(end)), None)
        return _FAKES[ending] if ending and usual == "text" else None


def mask_values(task: SourceQuery, context: Context) -> dict[str, MaskValue]:
    """What masks each column of a query, by its name in lower case.

    Raises:
        OrgError: The org could not be asked.
    """
    key = context.source_orgs.mask_keys.get(task.masks.key) if task.masks.key is not None else None
    masker = Masker(key.reveal() if key is not None else "")
    found: dict[str, MaskValue] = {}
    for each in _columns(task, context.describes):
        form, field = each.form, each.field
        if each.kind is MaskKind.NULL or form is None or field is None:
            found[each.column.lower()] = null  # what cannot be masked otherwise was refused before
            continue
        tells_case = field.case_sensitive or field.type in _IDS
        is_fake = each.kind is MaskKind.FAKE
        found[each.column.lower()] = masker.of(form, is_fake=is_fake, tells_case=tells_case)
    return found


def mask_problems(job: Job, task: SourceQuery, describes: Describes) -> Iterator[Diagnostic]:
    """Masks that do not fit their fields, and columns in which a masked value is visible.

    Raises:
        TransientError: The org could not be asked.
    """
    columns = list(_columns(task, describes))
    for each in columns:
        path = task_path(task, "mask", each.column)
        if each.kind is MaskKind.NULL:
            continue
        field = each.field
        if field is None:
            message = f"`{each.column}` is not a plain field, so it has no {each.kind}"
            hint = "write `null`, or select the field itself"
            yield job.origin.diagnose(path, "org/mask-type", message, help=hint)
        elif each.form is None and field.type in _FORMS:
            message = f"nothing can be invented for `{each.column}`"
            hint = f"write `hash` or `null`; there are fakes for {_FAKEABLE}"
            yield job.origin.diagnose(path, "org/mask-type", message, help=hint)
        elif each.form is None:
            message = f"`{each.column}` is of type {field.type}, which has no {each.kind}"
            yield job.origin.diagnose(path, "org/mask-type", message, help="write `null`")
        elif 0 < field.length < _room(each):
            message = f"`{each.column}` holds {field.length} characters, and its {each.kind} needs "
            hint = "write `null`"
            message += f"{_room(each)}"
            yield job.origin.diagnose(path, "org/mask-too-long", message, help=hint)
    yield from _visible(job, task, columns, describes)


def _room(column: _MaskedColumn) -> int:
    """Characters that a mask takes at most."""
    if column.form in {"email", "url"}:
        return 44
    return HASH_CHARACTERS if column.kind is MaskKind.HASH or column.form == "phone" else 0


def _visible(
    job: Job, task: SourceQuery, columns: list[_MaskedColumn], describes: Describes
) -> Iterator[Diagnostic]:
    """Columns that contain a masked field, or are contained in it: Name and LastName."""
    masked = {each.column.lower() for each in columns}
    fields = {
        name.lower(): field for name, field in _selected(task, describes) if field is not None
    }
    parts: dict[str, list[str]] = {}
    for name, field in fields.items():
        whole = name[: len(name) - len(field.name)] + (field.compound_field_name or "").lower()
        if field.compound_field_name and field.type in _FORMS and whole != name:
            parts.setdefault(whole, []).append(name)
    for whole, names in parts.items():
        hidden = [name for name in names if name in masked]
        if whole not in fields:
            continue
        if hidden and whole not in masked:
            yield _shows(job, task, fields[whole].name, fields[hidden[0]].name)
        elif whole in masked and not hidden:  # with one, the others were left open on purpose
            yield _shows(job, task, fields[names[0]].name, fields[whole].name)


def _shows(job: Job, task: SourceQuery, open_one: str, masked: str) -> Diagnostic:
    message = f"`{open_one}` shows `{masked}`, which is masked"
    hint = f"mask `{open_one}` too, or take it out of the query"
    return job.origin.diagnose(task_path(task, "mask"), "org/mask-visible", message, help=hint)


def _columns(task: SourceQuery, describes: Describes) -> Iterator[_MaskedColumn]:
    fields = {name.lower(): field for name, field in _selected(task, describes)}
    for each in task.masks.columns:
        found = fields.get(each.column.lower())
        sobject = _object_of(task.sobject, each.column, describes) if found else ""
        yield _MaskedColumn(each.column, each.kind, found, sobject)


def _object_of(sobject: str, column: str, describes: Describes) -> str:
    """The object whose field a column is, by its path."""
    for step in column.split(".")[:-1]:
        reference = describes.of(sobject).reference(step)
        sobject = reference.reference_to[0] if reference and reference.reference_to else ""
    return sobject


def _selected(
    task: SourceQuery, describes: Describes
) -> Iterator[tuple[str, FieldDescribe | None]]:
    """The columns of a query and their fields; None for what is not a plain field."""
    for item in selection(task.soql).items:
        if item.kind is ItemKind.FIELD and item.path is not None:
            yield item.column, _field(task.sobject, item.path, describes)
        elif item.kind is ItemKind.FIELDS:
            yield from ((each.name, each) for each in describes.of(task.sobject).fields.values())
        else:
            yield item.column, None


def _field(sobject: str, path: str, describes: Describes) -> FieldDescribe | None:
    try:
        return describes.follow(sobject, path)
    except TransientError:
        raise
    except OrgError:
        return None

"""Which records a field's lookup may find, checked against the org's describe.

Knows lookups and describes. Knows nothing of rows or requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from runner.diagnostics import Diagnostic, Location
from runner.engine.query_check import condition_problems
from runner.errors import OrgError, TransientError
from runner.job.lookups import Lookup, Place
from runner.job.model import Job
from runner.salesforce.describe import Describes, ResolvedColumn
from runner.salesforce.described import FieldDescribe
from runner.suggest import did_you_mean, in_words
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.staging.reference_lookup import Key, Wanted

_SAID = {"record_type": "active record type", "owner": "user or queue"}
"""What a record is called that a word of the job looks up."""


class ReferencePlace(Struct, frozen=True):
    """Where records are looked up, as the org has it."""

    sobject: str
    fields: tuple[FieldDescribe, ...]
    """That are compared, in the order of the values."""
    where: str
    """With binds; may be empty."""


class ReferencePlan(Struct, frozen=True):
    """How one field's records are looked up."""

    wanted: Wanted
    places: tuple[ReferencePlace, ...]
    columns: tuple[MappedColumn, ...]
    """One for each value; only the first is sent, and then holds the Id."""


def plan_reference(  # noqa: PLR0913 - what is looked up, and what is known
    job: Job,
    lookup: Lookup,
    column: ResolvedColumn,
    *,
    header: Sequence[str],
    describes: Describes,
    here: Location,
) -> ReferencePlan | tuple[Diagnostic, ...]:
    """Plan a lookup.

    Args:
        job: For the positions of problems.
        lookup: As the job declares it.
        column: The field that it fills.
        header: The source's columns; empty if unknown so far.
        describes: The org's describes.
        here: Where the field is in the job.

    Returns:
        The plan, or what is wrong.

    Raises:
        TransientError: The org could not be asked.
    """
    problem = _target_problem(job, lookup, column, here)
    if problem is not None:
        return (problem,)
    allowed = {each.lower(): each for each in column.field.reference_to}
    places: list[ReferencePlace] = []
    for place in lookup.places:
        if place.sobject.lower() not in allowed:
            continue  # queues do not own every object
        found = _place(job, place, allowed[place.sobject.lower()], describes, here)
        if not isinstance(found, ReferencePlace):
            return found
        places.append(found)
    said = _SAID.get(lookup.word, places[0].sobject)
    names = [each.name if lookup.word != "owner" else "the name" for each in places[0].fields]
    keys = tuple(
        Key(name, FieldKind.of(field.type), field.case_sensitive)
        for name, field in zip(names, places[0].fields, strict=True)
    )
    restricted = lookup.word == "lookup" and bool(lookup.places[0].where)
    wanted = Wanted(column.name, keys, lookup.missing, lookup.many, said, restricted)
    columns = tuple(
        MappedColumn(column.name, value, key.kind, finds_reference=True)
        for value, key in zip(lookup.text_of(tuple(header)), keys, strict=True)
    )
    return ReferencePlan(wanted, tuple(places), columns)


def _target_problem(
    job: Job, lookup: Lookup, column: ResolvedColumn, here: Location
) -> Diagnostic | None:
    """What keeps the field from holding the Ids of such records."""
    field = column.field
    if column.lookup is not None or field.type != "reference":
        message = f"{column.name} does not hold the Id of another record, so nothing is looked up"
        hint = "Use a lookup for a reference field, such as AccountId."
        return job.origin.diagnose(here, "org/not-a-reference", message, help=hint, at_key=True)
    wanted = [each.sobject for each in lookup.places]
    if {each.lower() for each in wanted} & {each.lower() for each in field.reference_to}:
        return None
    message = f"{field.name} does not refer to {in_words(tuple(dict.fromkeys(wanted)), 'or')}"
    hint = f"It refers to {in_words(field.reference_to, 'and')}."
    return job.origin.diagnose((*here, lookup.word), "org/not-a-parent", message, help=hint)


def _place(
    job: Job, place: Place, sobject: str, describes: Describes, here: Location
) -> ReferencePlace | tuple[Diagnostic, ...]:
    try:
        described = describes.of(sobject)
    except TransientError:
        raise
    except OrgError as error:
        message, hint = error.message, error.hint
        return (job.origin.diagnose(here, "org/unknown-object", message, help=hint),)
    fields: list[FieldDescribe] = []
    problems = list(_condition_problems(job, place, sobject, describes, here))
    for at, name in enumerate(place.by):
        path = (*here, "by", at) if len(place.by) > 1 else (*here, "by")
        field = described.field(name)
        if field is None:
            message = f"{described.name} has no field {name} that this user may see"
            known = [each.name for each in described.fields.values()]
            hint = did_you_mean(name, known, "Check its API name, including `__c`.")
            problems.append(job.origin.diagnose(path, "org/unknown-field", message, help=hint))
        elif field.name == "Id":
            message = "a lookup by Id finds what the row has already"
            hint = "Write the column itself in place of the lookup."
            problems.append(job.origin.diagnose(path, "org/not-a-key", message, help=hint))
        elif not field.filterable:
            message = f"{field.name} of {described.name} cannot be searched"
            hint = "Look records up by another field; the org does not search long texts."
            problems.append(job.origin.diagnose(path, "org/not-filterable", message, help=hint))
        else:
            fields.append(field)
    return tuple(problems) or ReferencePlace(described.name, tuple(fields), place.where)


def _condition_problems(
    job: Job, place: Place, sobject: str, describes: Describes, here: Location
) -> Iterator[Diagnostic]:
    path = (*here, "where")
    if place.where and path in job.origin.positions:
        yield from condition_problems(job, path, sobject, place.where, describes)

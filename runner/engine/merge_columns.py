"""The columns of a merge besides the fields of its master, checked against the org's describe.

Knows which Ids a row names, and which fields a master may take from its losers. Knows nothing of
rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.diagnostics import Diagnostic, Location
from runner.job.checks.columns import not_in_source
from runner.job.merges import COLUMNS, LOSERS, Merge
from runner.job.model import Job, WriteTask
from runner.salesforce.described import ObjectDescribe
from runner.suggest import did_you_mean
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.staging.expressions import parse


def named_records(merge: Merge | None, described: ObjectDescribe) -> list[MappedColumn]:
    """The Ids that rows name: of the master, and of the losers; none without a merge."""
    return [
        MappedColumn(
            name,
            expression,
            FieldKind.ID,
            required=name != LOSERS[-1],
            id_prefix=described.key_prefix,
        )
        for name, expression in (merge.expressions if merge else {}).items()
    ]


def merge_problems(
    job: Job, task: WriteTask, header: Sequence[str] | None, described: ObjectDescribe
) -> Iterator[Diagnostic]:
    """What is wrong with a merge: its object, its columns, the fields to take."""
    if task.merge is None:
        return
    here: Location = ("tasks", task.index)
    if not described.mergeable:
        message = f"the org does not merge records of {described.name}"
        hint = "The user may lack the permission to merge them, or the object cannot be merged."
        yield job.origin.diagnose((*here, "merge"), "org/not-mergeable", message, help=hint)
    for place, sql, mapping in task.expressions if header is not None else ():
        if mapping.field in COLUMNS:
            yield from not_in_source(job.origin, (*here, *place), parse(sql).columns, header or ())
    for at, name in enumerate(task.merge.fill):
        path = (*here, "fill", at)
        field = described.field(name)
        if field is None:
            names = [each.name for each in described.fields.values()]
            meant = did_you_mean(name, names, "Check its API name.")
            message = f"{described.name} has no field {name}"
            yield job.origin.diagnose(path, "org/unknown-field", message, help=meant)
        elif not field.updateable:
            message = f"{field.name} of {described.name} cannot be written by merge"
            hint = "Remove it, or give the user permission to write it."
            yield job.origin.diagnose(path, "org/read-only-field", message, help=hint)

"""Checks unique fields, within a chunk and against the store.

Knows unique fields. Knows no other rules.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.local_org.catalog.model import Field, SObject
from runner.local_org.records import refusals
from runner.local_org.records.lookups import Lookups
from runner.local_org.records.row_reading import RowDraft
from runner.local_org.records.values import Stored, comparable


def check_unique(sobject: SObject, drafts: Sequence[RowDraft], lookups: Lookups) -> None:
    """Refuse drafts whose value another record or an earlier draft of the chunk has.

    Records in the recycle bin do not count.
    """
    for field in sobject.fields:
        if field.unique:
            with_value = [
                draft
                for draft in drafts
                if not draft.errors and draft.values.get(field.name) is not None
            ]
            if with_value:
                _check_field(sobject, field, with_value, lookups)


def _check_field(
    sobject: SObject, field: Field, drafts: Sequence[RowDraft], lookups: Lookups
) -> None:
    keys = {comparable(field, draft.values[field.name]) for draft in drafts}
    owners: dict[Stored, str] = {
        value: ids[0] for value, ids in lookups.fresh_by_key(sobject, field, keys).items()
    }
    for draft in drafts:
        value = comparable(field, draft.values[field.name])
        owner = owners.setdefault(value, str(draft.id))
        if owner != draft.id:
            draft.errors.append(refusals.duplicate_value(field, owner))

"""Checks unique fields and pairs of fields, within a chunk and against the store.

Knows what must be unique. Knows no other rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from runner.local_org.api_errors import ApiError
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.records import refusals
from runner.local_org.records.lookups import Lookups
from runner.local_org.records.row_reading import RowDraft
from runner.local_org.records.stored import Stored
from runner.local_org.records.values import comparables

Found = Mapping[Stored, list[str]]
"""The Ids of the live records with each value that was looked up."""
_NOTHING: Mapping[str, Found] = {}
_SHORT_ID = 15


class _Pair(Struct, frozen=True):
    """Two references that only one record has together, and the words for a second one."""

    fields: tuple[str, str]
    code: str
    message: str
    """With the fields' names as placeholders."""


_PAIRS = {
    "CampaignMember": (
        _Pair(("CampaignId", "ContactId"), "DUPLICATE_VALUE", "Already a campaign member."),
        _Pair(("CampaignId", "LeadId"), "DUPLICATE_VALUE", "Already a campaign member."),
    ),
    "PricebookEntry": (
        _Pair(
            ("Pricebook2Id", "Product2Id"),
            "FIELD_INTEGRITY_EXCEPTION",
            "This price definition already exists in this price book",
        ),
    ),
    "ContentDocumentLink": (
        _Pair(
            ("ContentDocumentId", "LinkedEntityId"),
            "DUPLICATE_VALUE",
            "Document with ID: {ContentDocumentId} is already linked with the entity with ID:"
            " {LinkedEntityId}",
        ),
    ),
}


def fields_to_check(sobject: SObject) -> frozenset[str]:
    """The fields that `check_unique` looks at."""
    pairs = (name for pair in _PAIRS.get(sobject.name, ()) for name in pair.fields)
    return frozenset((*pairs, *(field.name for field in sobject.fields if field.unique)))


def check_unique(
    sobject: SObject,
    drafts: Sequence[RowDraft],
    lookups: Lookups,
    known: Mapping[str, Found] = _NOTHING,
) -> None:
    """Refuse drafts whose value another record or an earlier draft of the chunk has.

    Records in the recycle bin do not count. `known` has, by field, what was just looked up.
    """
    for pair in _PAIRS.get(sobject.name, ()):
        _check_pair(sobject, pair, drafts, lookups)
    for field in sobject.fields:
        if field.unique:
            with_value = [
                draft
                for draft in drafts
                if not draft.errors and draft.values.get(field.name) is not None
            ]
            if with_value:
                _check_field(sobject, field, with_value, lookups, known.get(field.name))


def _check_pair(
    sobject: SObject, pair: _Pair, drafts: Sequence[RowDraft], lookups: Lookups
) -> None:
    complete = [
        (draft, key)
        for draft in drafts
        if not draft.errors
        and all(key := tuple(str(draft.values.get(name) or "") for name in pair.fields))
    ]
    owners = lookups.by_pair(sobject, pair.fields, {key for _, key in complete})
    for draft, key in complete:
        if owners.setdefault(key, str(draft.id)) != draft.id:
            named = {name: str(draft.values[name])[:_SHORT_ID] for name in pair.fields}
            draft.errors.append(ApiError(pair.code, pair.message.format(**named)))


def _check_field(
    sobject: SObject,
    field: Field,
    drafts: Sequence[RowDraft],
    lookups: Lookups,
    found: Found | None,
) -> None:
    keys = comparables(field, [draft.values[field.name] for draft in drafts])
    wanted = set(keys)
    if found is None or not wanted <= found.keys():
        found = lookups.fresh_by_key(sobject, field, wanted)
    owners: dict[Stored, str] = {value: ids[0] for value, ids in found.items() if ids}
    for draft, value in zip(drafts, keys, strict=True):
        owner = owners.setdefault(value, str(draft.id))
        if owner != draft.id:
            draft.errors.append(refusals.duplicate_value(field, owner))

"""Objects that no API call writes, as the org itself writes them.

Knows describe's flags. Knows no records.
"""

from __future__ import annotations

from msgspec.structs import replace

from runner.local_org.catalog.model import SYSTEM_COLUMNS, SObject


def writeable(sobject: SObject) -> SObject:
    """An object that no API call writes, such as custom metadata, as a seed writes it."""
    fields = tuple(
        replace(field, createable=field.name not in SYSTEM_COLUMNS) for field in sobject.fields
    )
    return replace(sobject, fields=fields, flags={**sobject.flags, "createable": True})

"""Objects and their fields, as the org describes them.

Plain values. Knows nothing of how an org is asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from runner.errors import UsageError

BLOB = "base64"
"""Describe type of the fields that hold files."""


class ColumnError(UsageError):
    """A column that is not a field of its object."""


class AmbiguousColumnError(ColumnError):
    """A column that may be one of several fields."""


class FieldDescribe(Struct, frozen=True, omit_defaults=True):
    """One field, as `describe` has it."""

    name: str
    type: str
    """`string`, `reference`, `double` and so on."""
    createable: bool = False
    updateable: bool = False
    nillable: bool = True
    defaulted_on_create: bool = False
    external_id: bool = False
    id_lookup: bool = False
    unique: bool = False
    case_sensitive: bool = False
    length: int = 0
    """Characters that a text may have; 0 if it says nothing."""
    calculated: bool = False
    """Whether it is a formula or a roll-up."""
    html_formatted: bool = False
    """Whether it is rich text, whose markup the org rewrites."""
    precision: int = 0
    scale: int = 0
    reference_to: tuple[str, ...] = ()
    relationship_name: str | None = None
    custom: bool = False
    label: str = ""
    """In the language of the user."""
    choices: tuple[str, ...] = ()
    """Values, and labels, of a restricted picklist; empty for any other field."""
    filterable: bool = True
    """Whether a condition of a query may name it."""
    compound_field_name: str | None = None
    """The field that contains it: of `LastName`, `Name`."""
    values: tuple[str, ...] = ()
    """Values of a picklist that also takes others."""
    inline_help_text: str = ""

    @property
    def required(self) -> bool:
        """Whether a create must set it."""
        return self.createable and not self.nillable and not self.defaulted_on_create

    @property
    def identifies(self) -> bool:
        """Whether it can be the key of an upsert, or identify a parent in a relationship."""
        return self.external_id or self.id_lookup


class ObjectDescribe(Struct, frozen=True, omit_defaults=True):
    """One object, as `describe` has it."""

    name: str
    fields: Mapping[str, FieldDescribe]
    """By name in lower case."""
    createable: bool = False
    updateable: bool = False
    deletable: bool = False
    mergeable: bool = False
    queryable: bool = True
    children: Mapping[str, str] = field(default_factory=dict)
    """Object of each list of children, by the relationship's name in lower case."""
    child_names: tuple[str, ...] = ()
    """The names of these relationships, as the org writes them."""
    key_prefix: str = ""
    """The first three characters of each record's Id; empty if the object has none."""
    label: str = ""
    """In the language of the user."""
    record_types: tuple[str, ...] | None = None
    """Developer names of the active ones; None if it says nothing."""

    def field(self, name: str) -> FieldDescribe | None:
        """Find a field, ignoring case."""
        return self.fields.get(name.lower())

    def labelled(self, label: str) -> FieldDescribe | None:
        """Find the field of a label, ignoring case and blanks.

        Of several fields, the one that has it as its name too, or that alone can be written.

        Raises:
            AmbiguousColumnError: Several fields that can be written have it.
        """
        found = [each for each in self.fields.values() if _folded(each.label) == _folded(label)]
        found = [each for each in found if each.createable or each.updateable] or found
        found = [each for each in found if each.name.casefold() == _folded(label)] or found
        if len(found) > 1:
            names = " and ".join(each.name for each in found)
            raise AmbiguousColumnError(
                f"{label!r} is the label of {names} of {self.name}",
                hint="Name the column like the field that is meant, or map it with `fields`.",
            )
        return found[0] if found else None

    def reference(self, relationship: str) -> FieldDescribe | None:
        """Find the reference field of a relationship by its name, ignoring case."""
        wanted = relationship.lower()
        for each in self.fields.values():
            if each.relationship_name and each.relationship_name.lower() == wanted:
                return each
        return None


def _folded(label: str) -> str:
    return " ".join(label.split()).casefold()

"""Person accounts: accounts of one person, with the fields of the contact behind them.

Knows which fields of a contact its account has, and what they are called. Knows no records.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from runner.local_org.catalog.custom_object import read_only_flag
from runner.local_org.catalog.model import Field, SObject

_OWN_NAMES = frozenset({"Salutation", "FirstName", "LastName"})
_PREFIXED = frozenset(
    {
        *("AssistantName", "AssistantPhone", "Birthdate", "Department", "DoNotCall", "Email"),
        *("EmailBouncedDate", "EmailBouncedReason", "HasOptedOutOfEmail", "HasOptedOutOfFax"),
        *("HomePhone", "LeadSource", "MobilePhone", "OtherPhone", "Title"),
    }
)
_ADDRESSES = ("Mailing", "Other")


def has_people(account: SObject) -> bool:
    """Whether an account can be a person: one of its record types is for people."""
    return any(record_type.person for record_type in account.record_types)


def fields_of_people(contact: SObject) -> Iterator[tuple[str, Field]]:
    """The name of each field of a person account, and the contact's field behind it."""
    for field in contact.fields:
        if field.name in _OWN_NAMES:
            yield field.name, field
        elif field.name in _PREFIXED or _is_of_address(field):
            yield f"Person{field.name}", field
        elif field.custom and field.name.endswith("__c") and not field.reference_to:
            yield f"{field.name.removesuffix('c')}pc", field


def brings(sobject: str, name: str) -> bool:
    """Whether person accounts bring the field of an object that the catalog lacks."""
    if sobject == "Account":
        return (
            name.startswith(("Person", "IsPerson")) or name in _OWN_NAMES or name.endswith("__pc")
        )
    return (sobject, name) in {("Contact", "IsPersonAccount"), ("RecordType", "IsPersonType")}


def _is_of_address(field: Field) -> bool:
    compound = field.compound_field_name or field.name
    return compound in {f"{kind}Address" for kind in _ADDRESSES}


def enable(sobjects: dict[str, SObject]) -> None:
    """Give accounts, contacts and record types the fields that person accounts bring."""
    account, contact = sobjects["Account"], sobjects["Contact"]
    flag = read_only_flag("IsPersonAccount", "Is Person Account")
    person = Field(
        name="PersonContactId",
        label="Contact ID",
        type="reference",
        length=18,
        createable=False,
        updateable=False,
        relationship_name="PersonContact",
        reference_to=("Contact",),
        soap_type="tns:ID",
    )
    own = tuple(_of_person(name, field) for name, field in fields_of_people(contact))
    sobjects["Account"] = replace(account, fields=(*account.fields, flag, person, *own))
    sobjects["Contact"] = replace(contact, fields=(*contact.fields, flag))
    types = sobjects["RecordType"]
    of_type = replace(flag, name="IsPersonType", label="Is Person Type")
    sobjects["RecordType"] = replace(types, fields=(*types.fields, of_type))


def _of_person(name: str, field: Field) -> Field:
    compound = field.compound_field_name
    if compound is not None and compound != "Name":
        compound = f"Person{compound}"
    return replace(
        field,
        name=name,
        nillable=field.nillable or field.name == "LastName",
        compound_field_name=compound,
        unique=False,
        external_id=False,
        id_lookup=False,
        recorded=(),
    )

"""The errors of records, with Salesforce's codes and messages.

Knows the texts. Knows nothing of when each applies.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.local_org import exact_numbers
from runner.local_org.api_errors import ApiError
from runner.local_org.catalog.model import Field

POSITION = "[line:1, column:1]"
"""Position in parser errors; replaced by the true one where the request's text is known."""
_SHORT_ID = 15
_USERNAME_TAKEN = (
    "Duplicate Username.<br>The username already exists in this or another Salesforce organization."
    " Usernames must be unique across all Salesforce organizations. To resolve, use a different"
    " username (it doesn't need to match the user's email address)."
)


def unknown_column(name: str, sobject: str) -> ApiError:
    """A name that is neither a field nor a relationship."""
    return ApiError("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject}")


def not_deserializable(field: Field, value: object) -> ApiError:
    """A JSON value of the wrong type."""
    kind = "string" if field.soap_type in {"xsd:string", "tns:ID"} else field.type
    return ApiError(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {kind} from {_json_token(value)} or request may be"
        f" missing a required field at {POSITION}",
        (field.name,),
    )


def _json_token(value: object) -> str:
    match value:
        case bool():
            return f"VALUE_{str(value).upper()} value {str(value).lower()}"
        case int():
            return f"VALUE_NUMBER_INT value {value}"
        case float():
            return f"VALUE_NUMBER_FLOAT value {value}"
        case list():
            return "START_ARRAY value ["
        case dict():
            return "START_OBJECT value {"
        case _:
            kind = "NUMBER_FLOAT" if exact_numbers.is_marked(str(value)) else "STRING"
            return f"VALUE_{kind} value {exact_numbers.unmarked(str(value))}"


def _as_sent(value: object) -> str:
    """A value of JSON or of a CSV in a message."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return exact_numbers.unmarked(str(value))


def not_deserializable_text(field: Field, text: str, column: int) -> ApiError:
    """A CSV text of the wrong type; `column` counts from 0."""
    return ApiError(
        "INVALID_FIELD",
        f"Failed to deserialize field at col {column}. Due to, '{text}' is not a valid value for"
        f" the type {field.soap_type}",
        (field.name,),
    )


def too_many_values(count: int, width: int) -> ApiError:
    """A row of a CSV with more values than its header; Salesforce's words for it are not known."""
    return ApiError(
        "INVALID_FIELD", f"Number of fields in a row ({count}) differs from the header ({width})"
    )


def not_of_required_type(field: Field) -> ApiError:
    """Null for a checkbox."""
    return ApiError(
        "INVALID_TYPE_ON_FIELD_IN_RECORD",
        f"{field.label}: value not of required type: ",
        (field.name,),
    )


def too_long(field: Field, text: str) -> ApiError:
    """More characters than the field's length."""
    return ApiError(
        "STRING_TOO_LONG",
        f"{field.label}: data value too large: {text} (max length={field.length})",
        (field.name,),
    )


def out_of_range(field: Field, value: object) -> ApiError:
    """More digits before the decimal point than the field has."""
    shown = exact_numbers.unmarked(value) if isinstance(value, str) else value
    return ApiError(
        "NUMBER_OUTSIDE_VALID_RANGE",
        f"{field.label}: value outside of valid range on numeric field: {shown}",
        (field.name,),
    )


def bad_picklist_value(field: Field, text: str) -> ApiError:
    """Not a value of a restricted picklist; case matters."""
    return ApiError(
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        f"{field.label}: bad value for restricted picklist field: {text}",
        (field.name,),
    )


def bad_email(field: Field, text: str) -> ApiError:
    """Not an e-mail address."""
    return ApiError(
        "INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", (field.name,)
    )


def malformed_id(text: object) -> ApiError:
    """A delete by what is not an Id of 15 or 18 characters, or has wrong check characters."""
    return ApiError("MALFORMED_ID", f"malformed id {text}")


def id_of_wrong_type(field: Field, text: object) -> ApiError:
    """An Id that this field cannot have; also a record's own, unless it is to be deleted."""
    return ApiError(
        "MALFORMED_ID",
        f"{field.label}: id value of incorrect type: {_as_sent(text)}",
        (field.name,),
    )


def invalid_cross_reference() -> ApiError:
    """An Id without a record."""
    return ApiError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")


def queue_of_other() -> ApiError:
    """An owner that is a queue of other objects."""
    return ApiError("INVALID_OPERATION", "Queue not associated with this SObject type")


def inactive_owner(user_id: str, label: str) -> ApiError:
    """An owner that is a user who cannot sign in any more."""
    return ApiError(
        "INACTIVE_OWNER_OR_USER",
        f"operation performed with inactive user [{user_id[:_SHORT_ID]}] as owner of "
        f"{label.lower()}",
    )


def record_type_of_other(text: object) -> ApiError:
    """A record type that this sObject does not have."""
    return ApiError(
        "INVALID_CROSS_REFERENCE_KEY",
        f"Record Type ID: this ID value isn't valid for the user: {text}",
        ("RecordTypeId",),
    )


def entity_is_deleted() -> ApiError:
    """A record in the recycle bin."""
    return ApiError("ENTITY_IS_DELETED", "entity is deleted")


def foreign_key_not_found(value: object, field: str, parent: str) -> ApiError:
    """No parent has this external Id."""
    return ApiError(
        "INVALID_FIELD",
        f"Foreign key external ID: {_as_sent(value)} not found for field {field} in entity"
        f" {parent}",
    )


def foreign_key_not_single(name: str) -> ApiError:
    """A nested parent without exactly one field."""
    return ApiError(
        "INVALID_FIELD",
        f"The relationship {name} must be given by exactly one external ID field",
    )


def foreign_key_needs_type(name: str) -> ApiError:
    """A nested parent of a polymorphic reference without its type."""
    return ApiError(
        "INVALID_FIELD",
        f"The polymorphic relationship {name} must specify attributes.type",
    )


def not_an_external_id(field: str, sobject: str) -> ApiError:
    """A field by which records cannot be found."""
    return ApiError(
        "INVALID_FIELD",
        f"Field name provided, {field} does not match an External ID, Salesforce Id, or indexed"
        f" field for {sobject}",
    )


def several_for_external_id(field: Field, ids: Sequence[str]) -> ApiError:
    """An external Id of several records."""
    return ApiError(
        "DUPLICATE_EXTERNAL_ID",
        f"{field.label}: more than one record found for external id field: [{', '.join(ids)}]",
        (field.name,),
    )


def bad_fields(sobject: str, names: Sequence[str]) -> ApiError:
    """Fields that records of this kind do not have, such as a person's of another account."""
    listed = ", ".join(names)
    return ApiError(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        f"{sobject}: bad field names on insert/update call: {listed}",
        tuple(names),
    )


def required_missing(names: Sequence[str]) -> ApiError:
    """Fields that must have a value."""
    return ApiError(
        "REQUIRED_FIELD_MISSING",
        f"Required fields are missing: [{', '.join(names)}]",
        tuple(names),
    )


def entry_missing() -> ApiError:
    """An opportunity product without a price book entry."""
    return ApiError(
        "FIELD_INTEGRITY_EXCEPTION",
        "field integrity exception: PricebookEntryId, unknown (versions 3.0 and higher must specify"
        " pricebook entry id; others must specify product id)",
        ("PricebookEntryId", "unknown"),
    )


def not_writeable(names: Sequence[str]) -> ApiError:
    """Fields that cannot be written, or not by this user."""
    return ApiError(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        f"Unable to create/update fields: {', '.join(names)}. Please check the security settings"
        " of this field and verify that it is read/write for your profile or permission set.",
        tuple(names),
    )


def id_in_insert() -> ApiError:
    """A create with an Id."""
    return ApiError(
        "INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",)
    )


def id_missing(operation: str) -> ApiError:
    """An update or delete without an Id."""
    call = {"update": "an update", "undelete": "an undelete", "merge": "a merge"}.get(
        operation, "a delete"
    )
    return ApiError("MISSING_ARGUMENT", f"Id not specified in {call} call")


def losers_miscounted(count: int) -> ApiError:
    """A merge of no record, or of more than two; Salesforce's words for it are not known."""
    return ApiError("INVALID_ID_FIELD", f"a merge takes one or two records to merge, not {count}")


def external_id_missing(name: str) -> ApiError:
    """An upsert row without its key."""
    return ApiError("MISSING_ARGUMENT", f"{name} not specified")


def duplicate_id(record_id: str) -> ApiError:
    """The same record twice in one chunk."""
    return ApiError("DUPLICATE_VALUE", f"duplicate id specified: {record_id}")


def duplicate_external_id(value: object) -> ApiError:
    """The same key twice in one chunk of an upsert."""
    return ApiError("DUPLICATE_VALUE", f"Duplicate external id specified: {value}")


def duplicate_value(field: Field, record_id: str) -> ApiError:
    """A value that another record has in a unique field."""
    if field.name == "Username":
        return ApiError("DUPLICATE_USERNAME", _USERNAME_TAKEN, (field.name,))
    return ApiError(
        "DUPLICATE_VALUE",
        f"duplicate value found: {field.name} duplicates value on record with id:"
        f" {record_id[:_SHORT_ID]}",
    )


def operation_not_supported(sobject: str, operation: str) -> ApiError:
    """An sObject that does not support this operation."""
    return ApiError(
        "INVALID_TYPE_FOR_OPERATION", f"entity type {sobject} does not support {operation}"
    )


def delete_restricted(name: str, children: str, child_names: Sequence[str]) -> ApiError:
    """Records that prevent the delete of their parent; `children` is their plural label."""
    return ApiError(
        "DELETE_FAILED",
        f"Your attempt to delete {name} could not be completed because it is associated with the"
        f" following {children}.: {', '.join(child_names)}\n",
    )


def not_in_recycle_bin() -> ApiError:
    """An undelete of a record that was not deleted."""
    return ApiError("UNDELETE_FAILED", "Entity is not in the recycle bin")


def row_locked(record_id: str) -> ApiError:
    """A record, or a parent of one, that another transaction holds."""
    return ApiError(
        "UNABLE_TO_LOCK_ROW",
        f"unable to obtain exclusive access to this record or 1 records: {record_id[:_SHORT_ID]}",
    )

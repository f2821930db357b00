"""What Salesforce fills in on standard objects: stages, statuses, names, amounts.

Knows the fields that are derived from others, as stored values. Knows no SQL and no errors.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import cast

from runner.local_org import exact_numbers
from runner.local_org.catalog.model import SObject
from runner.local_org.catalog.person_accounts import has_people
from runner.local_org.records.file_fields import (
    derive_attachment,
    derive_version,
    lacking_of_version,
)
from runner.local_org.records.stored import Stored
from runner.local_org.triggers import share, total

StoredRecord = dict[str, Stored]
Derivation = Callable[[StoredRecord, frozenset[str], str], None]
"""Completes a record in place: the record, the field names of the row, the moment."""

_CLOSED_CASE = frozenset({"Closed"})
_CLOSED_TASK = frozenset({"Completed"})
_HUNDRED = 100
_RESPONDED = "Responded"
_MONTHS = 12
_NAME_LENGTH = 255

_STAGES: Mapping[str, tuple[float, str]] = {
    "Prospecting": (10.0, "Pipeline"),
    "Qualification": (10.0, "Pipeline"),
    "Needs Analysis": (20.0, "Pipeline"),
    "Value Proposition": (50.0, "Pipeline"),
    "Id. Decision Makers": (60.0, "Pipeline"),
    "Perception Analysis": (70.0, "Pipeline"),
    "Proposal/Price Quote": (75.0, "Pipeline"),
    "Negotiation/Review": (90.0, "Pipeline"),
    "Closed Won": (100.0, "Closed"),
    "Closed Lost": (0.0, "Omitted"),
}
_UNKNOWN_STAGE = (0.0, "Pipeline")
_CATEGORY_NAMES = {"BestCase": "Best Case", "MostLikely": "Commit", "Forecast": "Commit"}


def derives_much(sobject: SObject) -> bool:
    """Whether more fields than Name are derived."""
    return sobject.name in _DERIVATIONS or _is_of_people(sobject)


def _is_of_people(sobject: SObject) -> bool:
    return sobject.name == "Account" and has_people(sobject)


def derivation_of(sobject: SObject) -> Derivation | None:
    """The function that completes a record of this sObject before it is stored, if any."""
    name_parts = tuple(
        part
        for part in ("FirstName", "LastName")
        if (field := sobject.field(part)) is not None and field.compound_field_name == "Name"
    )
    own = _DERIVATIONS.get(sobject.name)

    people = frozenset(each.id for each in sobject.record_types if each.person)
    if not (name_parts or own or people):
        return None

    def derive(record: StoredRecord, given: frozenset[str], moment: str) -> None:
        if people:
            record["IsPersonAccount"] = int(record.get("RecordTypeId") in people)
        if name_parts and record.get("IsPersonAccount", True):
            record["Name"] = " ".join(str(record[part]) for part in name_parts if record.get(part))
        if own is not None:
            own(record, given, moment)

    return derive


def rule_for_lacking(sobject: SObject) -> Callable[[Mapping[str, Stored]], list[str]] | None:
    """Finds fields that a new record needs although describe does not call them required."""
    if sobject.name == "Account":
        return _lacking_of_account if has_people(sobject) else None
    return _RULES_FOR_LACKING.get(sobject.name)


def _lacking_of_account(record: Mapping[str, Stored]) -> list[str]:
    person = record.get("IsPersonAccount") and record.get("LastName") is None
    return ["LastName"] if person else []


def _lacking_of_member(record: Mapping[str, Stored]) -> list[str]:
    """A campaign member is a contact or a lead."""
    return [] if record.get("LeadOrContactId") else ["ContactId", "LeadId"]


def _lacking_of_event(record: Mapping[str, Stored]) -> list[str]:
    """An event needs a start and, unless it lasts all day, an end or a length."""
    if record.get("IsAllDayEvent") and record.get("ActivityDate") is not None:
        return []
    lacking = [] if record.get("ActivityDateTime") is not None else ["ActivityDateTime"]
    timed = record.get("DurationInMinutes") is not None or record.get("EndDateTime") is not None
    return lacking if timed else ["DurationInMinutes", *lacking]


def _lacking_of_opportunity_product(record: Mapping[str, Stored]) -> list[str]:
    """A price follows from the total."""
    return [] if record.get("UnitPrice") is not None else ["UnitPrice"]


def lacks_entry(sobject: SObject, record: Mapping[str, Stored]) -> bool:
    """Whether a new opportunity product is of no price book entry and no product."""
    is_product = sobject.name == "OpportunityLineItem"
    return is_product and not (record.get("PricebookEntryId") or record.get("Product2Id"))


_RULES_FOR_LACKING: Mapping[str, Callable[[Mapping[str, Stored]], list[str]]] = {
    "CampaignMember": _lacking_of_member,
    "ContentVersion": lacking_of_version,
    "Event": _lacking_of_event,
    "OpportunityLineItem": _lacking_of_opportunity_product,
}


def misplaced_of(sobject: SObject) -> Callable[[StoredRecord, frozenset[str]], list[str]] | None:
    """Finds the fields given to a record that only another kind of its sObject has.

    A person account has no name of its own, other accounts have no fields of people. None if there
    is only one kind.
    """
    if not _is_of_people(sobject):
        return None
    before = [field.name for field in sobject.fields].index("PersonContactId")
    of_people = frozenset(field.name for field in sobject.fields[before:])

    def misplaced(record: StoredRecord, given: frozenset[str]) -> list[str]:
        if record.get("IsPersonAccount"):
            return sorted(given & {"Name"})
        return sorted(name for name in given & of_people if record.get(name) not in {None, 0})

    return misplaced


def _opportunity(record: StoredRecord, given: frozenset[str], moment: str) -> None:
    stage = str(record.get("StageName"))
    probability, category = _STAGES.get(stage, _UNKNOWN_STAGE)
    if "StageName" in given:
        record["LastStageChangeDate"] = moment
        record["IsWon"] = int(stage == "Closed Won")
        record["IsClosed"] = int(stage in {"Closed Won", "Closed Lost"})
        if "Probability" not in given:
            record["Probability"] = probability
        if "ForecastCategoryName" not in given:
            record["ForecastCategory"] = category
            record["ForecastCategoryName"] = _CATEGORY_NAMES.get(category, category)
    record["ExpectedRevenue"] = share(record.get("Amount"), record.get("Probability"))
    _fiscal(record)


def _fiscal(record: StoredRecord) -> None:
    close = record.get("CloseDate")
    if close is None:
        return
    day = date.fromisoformat(str(close))
    record["FiscalYear"] = day.year
    record["FiscalQuarter"] = (day.month + 2) // 3
    record["Fiscal"] = f"{day.year} {record['FiscalQuarter']}"


def _case(record: StoredRecord, given: frozenset[str], moment: str) -> None:
    if "Status" in given or "IsClosed" not in record or record.get("CreatedDate") == moment:
        closed = record.get("Status") in _CLOSED_CASE
        if closed and not record.get("IsClosed"):
            record["ClosedDate"] = moment
        elif not closed:
            record["ClosedDate"] = None
        record["IsClosed"] = int(closed)


def _task(record: StoredRecord, _given: frozenset[str], moment: str) -> None:
    closed = record.get("Status") in _CLOSED_TASK
    record["IsClosed"] = int(closed)
    if not closed:
        record["CompletedDateTime"] = None
    elif record.get("CompletedDateTime") is None:
        record["CompletedDateTime"] = moment
    record["IsHighPriority"] = int(record.get("Priority") == "High")


def _event(record: StoredRecord, given: frozenset[str], _moment: str) -> None:
    """Start, end and duration are redundant; a missing one follows from the others."""
    start = record.get("ActivityDateTime") or record.get("StartDateTime")
    if "StartDateTime" in given:
        start = record.get("StartDateTime")
    if start is None:
        return
    record["ActivityDateTime"] = record["StartDateTime"] = start
    record["ActivityDate"] = str(start)[:10]
    minutes = record.get("DurationInMinutes")
    begin = datetime.fromisoformat(str(start))
    if minutes is not None and "EndDateTime" not in given:
        end = begin + timedelta(minutes=int(minutes))
        record["EndDateTime"] = f"{end:%Y-%m-%dT%H:%M:%S}.000Z"
    elif record.get("EndDateTime") is not None:
        length = datetime.fromisoformat(str(record["EndDateTime"])) - begin
        record["DurationInMinutes"] = int(length.total_seconds() // 60)
    record["EndDate"] = str(record.get("EndDateTime") or start)[:10]


def _line_item(record: StoredRecord, given: frozenset[str], _moment: str) -> None:
    """The total price is quantity times price, less the discount."""
    quantity = _exact(record, "Quantity")
    kept = (_HUNDRED - _exact(record, "Discount")) / _HUNDRED
    if record.get("UnitPrice") is not None and "TotalPrice" not in given:
        record["TotalPrice"] = _in_cents(quantity * _exact(record, "UnitPrice") * kept)
    elif record.get("TotalPrice") is not None and quantity * kept and "UnitPrice" not in given:
        record["UnitPrice"] = _in_cents(_exact(record, "TotalPrice") / quantity / kept)


def _line_item_with_subtotal(record: StoredRecord, given: frozenset[str], moment: str) -> None:
    _line_item(record, given, moment)
    record["Subtotal"] = _in_cents(_exact(record, "Quantity") * _exact(record, "UnitPrice"))


def _exact(record: StoredRecord, name: str) -> Decimal:
    return exact_numbers.exact(cast("exact_numbers.Number", record.get(name) or 0.0))


def _in_cents(amount: Decimal) -> Stored:
    return exact_numbers.to_stored(round(amount, 2))


def _coded_status(record: StoredRecord, _given: frozenset[str], _moment: str) -> None:
    """Contract and Order: the status category behind the status."""
    status = str(record.get("Status") or "Draft")
    codes = {"In Approval Process": "InApproval", "Activated": "Activated"}
    record["StatusCode"] = codes.get(status, "Draft")


def _contract(record: StoredRecord, given: frozenset[str], moment: str) -> None:
    """A contract ends a day before its term of months is over."""
    _coded_status(record, given, moment)
    start, months = record.get("StartDate"), record.get("ContractTerm")
    record["EndDate"] = None
    if start is not None and months is not None:
        first = date.fromisoformat(str(start))
        years, month = divmod(first.month - 1 + int(months), _MONTHS)
        year = first.year + years
        day = min(first.day, monthrange(year, month + 1)[1])
        record["EndDate"] = str(date(year, month + 1, day) - timedelta(days=1))


def _campaign_member(record: StoredRecord, _given: frozenset[str], moment: str) -> None:
    """A member is a contact or a lead; of both, the contact counts."""
    if record.get("ContactId") is not None:
        record["LeadId"] = None
    record["LeadOrContactId"] = record.get("ContactId") or record.get("LeadId")
    record["Type"] = "Contact" if record.get("ContactId") else "Lead"
    record["HasResponded"] = int(record.get("Status") == _RESPONDED)
    if record["HasResponded"] and record.get("FirstRespondedDate") is None:
        record["FirstRespondedDate"] = moment[:10]


def _email_message(record: StoredRecord, _given: frozenset[str], _moment: str) -> None:
    record["Name"] = str(record.get("Subject") or "[No Subject]")[:_NAME_LENGTH]


def _quote(record: StoredRecord, _given: frozenset[str], _moment: str) -> None:
    parts = (record.get(name) for name in ("TotalPrice", "Tax", "ShippingHandling"))
    record["GrandTotal"] = total(*parts)


def _user(record: StoredRecord, _given: frozenset[str], _moment: str) -> None:
    if record.get("CommunityNickname") is None:
        record["CommunityNickname"] = str(record.get("Username") or "").split("@")[0][:40]
    if record.get("UserType") is None:
        record["UserType"] = "Standard"


_DERIVATIONS: Mapping[str, Derivation] = {
    "Opportunity": _opportunity,
    "Case": _case,
    "Task": _task,
    "Event": _event,
    "OpportunityLineItem": _line_item_with_subtotal,
    "OrderItem": _line_item,
    "CampaignMember": _campaign_member,
    "Contract": _contract,
    "EmailMessage": _email_message,
    "Quote": _quote,
    "QuoteLineItem": _line_item_with_subtotal,
    "Order": _coded_status,
    "User": _user,
    "Attachment": derive_attachment,
    "ContentVersion": derive_version,
}

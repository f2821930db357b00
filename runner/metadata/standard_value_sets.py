"""Which fields have the values of a standard value set.

Source: Metadata API guide, StandardValueSet Names and Standard Picklist Fields.
"""

from __future__ import annotations

from collections.abc import Iterator

_FIELDS = {
    "AccountOwnership": "Account.Ownership",
    "AccountRating": "Account.Rating Lead.Rating",
    "AccountType": "Account.Type",
    "AssetStatus": "Asset.Status",
    "CampaignMemberStatus": "CampaignMember.Status",
    "CampaignStatus": "Campaign.Status",
    "CampaignType": "Campaign.Type",
    "CaseOrigin": "Case.Origin",
    "CasePriority": "Case.Priority",
    "CaseReason": "Case.Reason",
    "CaseStatus": "Case.Status",
    "CaseType": "Case.Type",
    "ContactRole": "OpportunityContactRole.Role",
    "ContractStatus": "Contract.Status",
    "EventType": "Event.Type",
    "Industry": "Account.Industry Lead.Industry",
    "LeadSource": "Account.AccountSource Contact.LeadSource Lead.LeadSource Opportunity.LeadSource",
    "LeadStatus": "Lead.Status",
    "OpportunityStage": "Opportunity.StageName",
    "OpportunityType": "Opportunity.Type",
    "OrderStatus": "Order.Status",
    "OrderType": "Order.Type",
    "Product2Family": "Product2.Family",
    "QuoteStatus": "Quote.Status",
    "Salutation": "Contact.Salutation Lead.Salutation",
    "TaskPriority": "Task.Priority",
    "TaskStatus": "Task.Status",
    "TaskType": "Task.Type",
}


def fields_of(name: str) -> Iterator[tuple[str, str]]:
    """The objects and fields of a value set; none if it is one that no table here has."""
    for each in _FIELDS.get(name, "").split():
        sobject, _, field = each.partition(".")
        yield sobject, field

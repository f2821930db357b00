"""Fields that come from other records: every rule; and pairs that are unique."""

import pytest

from runner.local_org.app import open_org


@pytest.fixture
def sale(book):
    """An opportunity of an account, and an entry of the standard price book."""
    with book.org.store.reading() as conn:
        pricebook = conn.execute('SELECT Id FROM "Pricebook2"').fetchone()[0]
    product = book.insert("Product2", Name="Widget", ProductCode="W-1")
    entry = book.insert("PricebookEntry", Pricebook2Id=pricebook, Product2Id=product, UnitPrice=9.5)
    account = book.insert("Account", Name="Acme")
    opportunity = book.insert(
        "Opportunity",
        Name="Deal",
        AccountId=account,
        StageName="Prospecting",
        CloseDate="2024-07-01",
        Amount=7,
    )
    return {
        "pricebook": pricebook,
        "product": product,
        "entry": entry,
        "account": account,
        "opportunity": opportunity,
    }


def shown(book, sobject, record_id, *names):
    record = book.get(sobject, record_id)
    return tuple(record[name] for name in names)


def update(book, sobject, record_id, **fields):
    outcome = book.one("update", sobject, {"Id": record_id, **fields})
    assert outcome.success, outcome.errors


def test_a_price_book_entry_has_the_name_and_code_of_its_product(book, sale):
    update(book, "Product2", sale["product"], Name="Gadget")
    assert shown(book, "PricebookEntry", sale["entry"], "Name", "ProductCode") == ("Gadget", "W-1")


def test_an_opportunity_product_has_the_product_and_list_price_of_its_entry(book, sale):
    line = book.insert(
        "OpportunityLineItem",
        OpportunityId=sale["opportunity"],
        PricebookEntryId=sale["entry"],
        Quantity=2,
        UnitPrice=8,
    )
    update(book, "Product2", sale["product"], ProductCode="W-2")
    assert shown(book, "OpportunityLineItem", line, "Product2Id", "ProductCode", "ListPrice") == (
        sale["product"],
        "W-2",
        9.5,
    )


def test_an_opportunity_product_is_of_an_entry_and_has_a_price(book, sale):
    deal = {"OpportunityId": sale["opportunity"], "Quantity": 1}
    code, message, fields = book.refusal("insert", "OpportunityLineItem", {**deal, "UnitPrice": 1})
    assert (code, fields) == ("FIELD_INTEGRITY_EXCEPTION", ("PricebookEntryId", "unknown"))
    assert "must specify pricebook entry id" in message
    code, _, fields = book.refusal(
        "insert", "OpportunityLineItem", {**deal, "PricebookEntryId": sale["entry"]}
    )
    assert (code, fields) == ("REQUIRED_FIELD_MISSING", ("UnitPrice",))
    priced = {**deal, "PricebookEntryId": sale["entry"], "TotalPrice": 4}
    assert book.one("insert", "OpportunityLineItem", priced).success


def test_an_opportunity_sums_up_its_products(book, sale):
    deal = sale["opportunity"]
    assert shown(book, "Opportunity", deal, "Amount", "HasOpportunityLineItem") == (7.0, False)
    lines = [
        book.insert(
            "OpportunityLineItem",
            OpportunityId=deal,
            PricebookEntryId=sale["entry"],
            Quantity=1,
            UnitPrice=price,
        )
        for price in (0.1, 0.2)
    ]
    names = ("Amount", "HasOpportunityLineItem", "ExpectedRevenue")
    assert shown(book, "Opportunity", deal, *names) == (0.3, True, 0.03)
    update(book, "Opportunity", deal, Amount=500, Probability=50)
    assert shown(book, "Opportunity", deal, *names) == (0.3, True, 0.15)
    update(book, "OpportunityLineItem", lines[0], Quantity=3)
    assert shown(book, "Opportunity", deal, *names) == (0.5, True, 0.25)
    assert book.one("delete", "OpportunityLineItem", {"Id": lines[1]}).success
    assert shown(book, "Opportunity", deal, *names) == (0.3, True, 0.15)


def test_a_query_for_what_has_changed_finds_an_opportunity_whose_products_changed(book, sale):
    before = shown(book, "Opportunity", sale["opportunity"], "SystemModstamp")
    book.clock.advance(minutes=5)
    book.insert(
        "OpportunityLineItem",
        OpportunityId=sale["opportunity"],
        PricebookEntryId=sale["entry"],
        Quantity=1,
        UnitPrice=1,
    )
    assert shown(book, "Opportunity", sale["opportunity"], "SystemModstamp") > before


def test_an_order_sums_up_its_products(book, sale):
    order = book.insert(
        "Order", AccountId=sale["account"], EffectiveDate="2024-07-01", Status="Draft"
    )
    item = book.insert(
        "OrderItem", OrderId=order, PricebookEntryId=sale["entry"], Quantity=3, UnitPrice=9.5
    )
    assert shown(book, "Order", order, "TotalAmount") == (28.5,)
    assert shown(book, "OrderItem", item, "Product2Id", "ListPrice") == (sale["product"], 9.5)


def test_a_case_has_the_email_and_numbers_of_its_contact(book):
    names = ("ContactEmail", "ContactPhone", "ContactMobile", "ContactFax")
    person = {"Email": "a@example.com", "Phone": "1", "MobilePhone": "2", "Fax": "3"}
    contact = book.insert("Contact", LastName="Doe", **person)
    case = book.insert("Case", ContactId=contact)
    assert shown(book, "Case", case, *names) == ("a@example.com", "1", "2", "3")
    update(book, "Contact", contact, Email="b@example.com")
    assert shown(book, "Case", case, "ContactEmail") == ("b@example.com",)
    update(book, "Case", case, ContactId=None)
    assert shown(book, "Case", case, *names) == (None, None, None, None)


@pytest.mark.parametrize(
    ("sobject", "fields"),
    [("Task", {}), ("Event", {"ActivityDateTime": "2024-07-01T10:00:00Z", "DurationInMinutes": 5})],
)
def test_an_activity_belongs_to_the_account_of_what_or_whom_it_is_about(
    book, sale, sobject, fields
):
    contract = book.insert("Contract", AccountId=sale["account"])
    contact = book.insert("Contact", LastName="Doe", AccountId=sale["account"])
    elsewhere = book.insert("Campaign", Name="Fair")
    for about in (
        {"WhatId": sale["account"]},
        {"WhatId": sale["opportunity"]},
        {"WhatId": contract},
        {"WhoId": contact},
        {"WhoId": contact, "WhatId": elsewhere},
    ):
        activity = book.insert(sobject, **fields, **about)
        assert shown(book, sobject, activity, "AccountId") == (sale["account"],), about
    activity = book.insert(sobject, **fields, WhatId=elsewhere)
    assert shown(book, sobject, activity, "AccountId") == (None,)


def test_a_campaign_member_has_the_names_of_its_contact_or_lead(book):
    campaign = book.insert("Campaign", Name="Fair")
    account = book.insert("Account", Name="Acme")
    contact = book.insert("Contact", FirstName="Jo", LastName="Doe", AccountId=account)
    lead = book.insert("Lead", LastName="Roe", Company="Initech", City="Rome")
    members = [
        book.insert("CampaignMember", CampaignId=campaign, ContactId=contact, LeadId=lead),
        book.insert("CampaignMember", CampaignId=campaign, LeadId=lead, Status="Responded"),
    ]
    names = ("Name", "FirstName", "CompanyOrAccount", "City", "Type", "LeadId", "LeadOrContactId")
    assert shown(book, "CampaignMember", members[0], *names) == (
        *("Jo Doe", "Jo", "Acme", None, "Contact", None),
        contact,
    )
    assert shown(book, "CampaignMember", members[1], *names) == (
        *("Roe", None, "Initech", "Rome", "Lead", lead),
        lead,
    )
    answers = ("HasResponded", "FirstRespondedDate")
    assert shown(book, "CampaignMember", members[0], *answers) == (False, None)
    assert shown(book, "CampaignMember", members[1], *answers) == (True, "2024-05-06")
    update(book, "Account", account, Name="Acme Corp")
    update(book, "Contact", contact, LastName="Day")
    assert shown(book, "CampaignMember", members[0], "Name", "CompanyOrAccount") == (
        "Jo Day",
        "Acme Corp",
    )


def test_a_campaign_member_is_a_lead_or_a_contact_and_only_once(book):
    campaign = book.insert("Campaign", Name="Fair")
    row = {"CampaignId": campaign, "LeadId": book.insert("Lead", LastName="Roe", Company="Initech")}
    first, again = book.write("insert", "CampaignMember", [row, row])
    assert first.success
    assert (again.errors[0].code, again.errors[0].message) == (
        "DUPLICATE_VALUE",
        "Already a campaign member.",
    )
    assert book.refusal("insert", "CampaignMember", row)[0] == "DUPLICATE_VALUE"
    orphan = book.refusal("insert", "CampaignMember", {"CampaignId": campaign})
    assert orphan[0] == "REQUIRED_FIELD_MISSING"
    assert book.one("delete", "CampaignMember", {"Id": first.id}).success
    assert book.one("insert", "CampaignMember", row).success


def test_a_price_book_has_a_product_once(book, sale):
    row = {"Pricebook2Id": sale["pricebook"], "Product2Id": sale["product"], "UnitPrice": 1}
    assert book.refusal("insert", "PricebookEntry", row) == (
        "FIELD_INTEGRITY_EXCEPTION",
        "This price definition already exists in this price book",
        (),
    )


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2016-12-01", 1, "2016-12-31"),
        ("2016-11-30", 1, "2016-12-29"),
        ("2025-03-01", 5, "2025-07-31"),
        ("2023-03-01", 24, "2025-02-28"),
        ("2024-01-31", 1, "2024-02-28"),
        ("2024-01-31", None, None),
    ],
)
def test_a_contract_ends_the_day_before_its_term_is_over(book, start, months, end):
    account = book.insert("Account", Name="Acme")
    contract = book.insert("Contract", AccountId=account, StartDate=start, ContractTerm=months)
    assert shown(book, "Contract", contract, "EndDate") == (end,)


def test_selected_values_have_the_order_of_the_picklist(book):
    account = book.insert("Account", Name="Acme", Tags__c="C;A")
    assert shown(book, "Account", account, "Tags__c") == ("A;C",)


def test_an_org_of_an_earlier_version_gets_its_derived_fields(book):
    contact = book.insert("Contact", LastName="Doe", Email="a@example.com")
    case = book.insert("Case", ContactId=contact)
    store = book.org.store
    with store.writing() as conn:
        names = conn.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            conn.execute(f'DROP TRIGGER "{name}"')
        conn.execute('UPDATE "Case" SET ContactEmail = NULL')
    store.close()
    reopened = open_org(store.folder, {"version": 1})
    with reopened.store.reading() as conn:
        (email,) = conn.execute('SELECT ContactEmail FROM "Case" WHERE Id = ?', (case,)).fetchone()
    reopened.store.close()
    assert email == "a@example.com"


def test_a_quote_sums_up_its_lines_and_their_discounts(book, sale):
    quote = book.insert(
        "Quote", Name="Offer", OpportunityId=sale["opportunity"], Tax=1, ShippingHandling=2
    )
    line = book.insert(
        "QuoteLineItem",
        QuoteId=quote,
        PricebookEntryId=sale["entry"],
        Quantity=2,
        UnitPrice=10,
        Discount=10,
    )
    names = ("Subtotal", "TotalPrice", "GrandTotal", "LineItemCount", "AccountId")
    assert shown(book, "Quote", quote, *names) == (20.0, 18.0, 21.0, 1, sale["account"])
    update(book, "Quote", quote, Tax=0)
    assert shown(book, "Quote", quote, "GrandTotal") == (20.0,)
    assert shown(book, "QuoteLineItem", line, "LineNumber", "ListPrice") == ("QL-00001", 9.5)


def test_a_task_is_completed_when_it_is_closed(book):
    task = book.insert("Task", Subject="Call")
    assert shown(book, "Task", task, "CompletedDateTime") == (None,)
    update(book, "Task", task, Status="Completed")
    assert shown(book, "Task", task, "CompletedDateTime") == ("2024-05-06T07:08:09.000+0000",)


def test_an_email_message_has_the_name_of_its_subject(book):
    assert shown(book, "EmailMessage", book.insert("EmailMessage", Subject="Hi"), "Name") == ("Hi",)
    assert shown(book, "EmailMessage", book.insert("EmailMessage"), "Name") == ("[No Subject]",)

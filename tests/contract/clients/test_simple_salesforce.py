"""simple-salesforce over REST: what its README shows, against the local org."""

from datetime import UTC, datetime, timedelta

import pytest
from simple_salesforce import Salesforce, SFType, format_soql
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id

DAY = timedelta(days=1)
PAGES_OF_200 = {"Sforce-Query-Options": "batchSize=200"}


def test_a_record_is_created_read_updated_and_deleted(sf, tag):
    created = sf.Contact.create({"LastName": tag, "Email": "smith@example.com"})
    assert created == {"id": created["id"], "success": True, "errors": []}
    assert sf.Contact.update(created["id"], {"LastName": "Jones", "FirstName": "John"}) == 204

    contact = sf.Contact.get(created["id"])
    assert contact["attributes"]["type"] == "Contact"
    assert (contact["Name"], contact["Email"]) == ("John Jones", "smith@example.com")

    assert sf.Contact.delete(created["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound) as gone:
        sf.Contact.get(created["id"])
    assert gone.value.content[0]["errorCode"] == "NOT_FOUND"


def test_an_external_id_finds_creates_and_updates(sf, org, tag):
    key = format_external_id("ERP_Id__c", f"{tag}/this & that")
    assert sf.Contact.upsert(key, {"LastName": "Smith"}) == 201
    assert sf.Contact.upsert(key, {"LastName": "Jones"}) == 200

    plain = sf.Contact.upsert(f"ERP_Id__c/{tag}", {"LastName": tag}, raw_response=True)
    assert plain.json()["created"]
    found = sf.Contact.get_by_custom_id("ERP_Id__c", tag)
    assert (found["Id"], found["LastName"]) == (plain.json()["id"], tag)
    soql = f"SELECT LastName FROM Contact WHERE ERP_Id__c = '{tag}/this & that'"
    assert org.rows(soql) == [{"LastName": "Jones"}]


def test_an_upsert_of_many_is_all_or_none_when_asked(sf, org, tag):
    rows = [{"ERP_Id__c": tag, "LastName": tag}, {"ERP_Id__c": f"{tag}-2"}]
    records = [{"attributes": {"type": "Contact"}, **row} for row in rows]
    path, soql = (
        "composite/sobjects/Contact/ERP_Id__c",
        f"SELECT LastName FROM Contact WHERE ERP_Id__c LIKE '{tag}%'",
    )
    body = {"allOrNone": True, "records": records}
    together = sf.restful(path, method="PATCH", json=body)
    assert [each["errors"][0]["statusCode"] for each in together] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
    ]
    assert org.rows(soql) == []
    alone = sf.restful(path, method="PATCH", json={**body, "allOrNone": False})
    assert [each["success"] for each in alone] == [True, False]
    assert org.rows(soql) == [{"LastName": tag}]


def test_what_salesforce_refuses_is_raised_with_its_code(sf, tag):
    with pytest.raises(SalesforceMalformedRequest) as refused:
        sf.Account.create({"Industry": "Retail"})
    assert refused.value.content == [
        {
            "message": "Required fields are missing: [Name]",
            "errorCode": "REQUIRED_FIELD_MISSING",
            "fields": ["Name"],
        }
    ]
    with pytest.raises(SalesforceMalformedRequest) as malformed:
        sf.query("SELECT Id FRM Account")
    assert malformed.value.content[0]["errorCode"] == "MALFORMED_QUERY"
    with pytest.raises(SalesforceMalformedRequest) as unknown:
        sf.query("SELECT Nmae FROM Account")
    assert unknown.value.content[0]["errorCode"] == "INVALID_FIELD"


def test_a_session_that_has_ended_is_told_as_such(org, session):
    sf = Salesforce(session_id="00D000000000001EAA!spent", instance_url=org.url, session=session)
    with pytest.raises(SalesforceExpiredSession) as expired:
        sf.query("SELECT Id FROM Account")
    assert expired.value.content[0]["errorCode"] == "INVALID_SESSION_ID"


def test_updated_and_deleted_records_are_listed(sf, org, tag):
    kept, dropped = (org.create("Contact", LastName=tag) for _ in range(2))
    sf.Contact.delete(dropped)
    # Salesforce cuts seconds off both ends.
    end = datetime.now(UTC) + DAY
    deleted = sf.Contact.deleted(end - 2 * DAY, end)
    updated = sf.Contact.updated(end - 2 * DAY, end)
    assert dropped in [each["id"] for each in deleted["deletedRecords"]]
    assert kept in updated["ids"]
    assert set(updated) == {"ids", "latestDateCovered"}
    assert set(deleted) == {"deletedRecords", "earliestDateAvailable", "latestDateCovered"}


def test_queries_reach_parents_and_children(sf, org, tag):
    account = org.create("Account", Name=f"{tag} Ltd")
    org.create("Contact", LastName=tag, AccountId=account)

    child = sf.query(f"SELECT Id, Email, Account.Name FROM Contact WHERE LastName = '{tag}'")
    assert (child["totalSize"], child["done"]) == (1, True)
    assert child["records"][0]["Account"]["Name"] == f"{tag} Ltd"
    parent = sf.query(f"SELECT (SELECT LastName FROM Contacts) FROM Account WHERE Id = '{account}'")
    assert parent["records"][0]["Contacts"]["records"][0]["LastName"] == tag


def test_long_results_come_in_pages(sf, org, tag):
    org.create_many("Contact", [{"LastName": f"{tag} {n:03}"} for n in range(450)])
    soql = format_soql("SELECT LastName FROM Contact WHERE LastName LIKE '{:like}%'", tag)
    ordered = f"{soql} ORDER BY LastName"

    first = sf.query(ordered, headers=PAGES_OF_200)
    assert (first["totalSize"], first["done"], len(first["records"])) == (450, False, 200)
    by_url = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    by_id = sf.query_more(first["nextRecordsUrl"].rpartition("/")[2])
    assert by_url == by_id
    assert by_url["records"][0]["LastName"] == f"{tag} 200"

    everything = sf.query_all(ordered, headers=PAGES_OF_200)
    assert (everything["totalSize"], everything["done"]) == (450, True)
    lazily = [each["LastName"] for each in sf.query_all_iter(ordered, headers=PAGES_OF_200)]
    assert lazily == [f"{tag} {n:03}" for n in range(450)]


def test_literals_are_quoted_as_soql_reads_them(sf, org, tag):
    odd = f'{tag} O\'Brien \\ 100% "new"'
    org.create("Contact", LastName=odd)
    equal = format_soql("SELECT LastName FROM Contact WHERE LastName = {name}", name=odd)
    among = format_soql("SELECT LastName FROM Contact WHERE LastName IN {}", [odd, tag])
    alike = format_soql("SELECT LastName FROM Contact WHERE Name LIKE '{:like}%'", odd)
    since = format_soql(
        "SELECT LastName FROM Contact WHERE LastName = {} AND CreatedDate > {:literal}",
        odd,
        "2020-01-01T00:00:00Z",
    )
    for soql in (equal, among, alike, since):
        assert [each["LastName"] for each in sf.query(soql)["records"]] == [odd]


def test_deleted_records_are_queried_when_asked_for(sf, org, tag):
    sf.Contact.delete(org.create("Contact", LastName=tag))
    soql = f"SELECT IsDeleted FROM Contact WHERE LastName = '{tag}'"
    assert sf.query(soql)["totalSize"] == 0
    assert sf.query(soql, include_deleted=True)["records"][0]["IsDeleted"]
    assert sf.query_all(soql, include_deleted=True)["totalSize"] == 1


def test_the_org_and_its_objects_describe_themselves(sf):
    told = sf.describe()
    assert {"Account", "Contact", "Invoice__c"} <= {each["name"] for each in told["sobjects"]}
    described = sf.Contact.describe()
    fields = {each["name"]: each for each in described["fields"]}
    assert described["keyPrefix"] == "003"
    assert fields["ERP_Id__c"]["externalId"]
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    metadata = sf.Contact.metadata()
    assert metadata["objectDescribe"]["name"] == "Contact"
    assert set(metadata) == {"objectDescribe", "recentItems"}


def test_limits_are_counted(sf):
    limits = sf.limits()["DailyApiRequests"]
    assert 0 < limits["Remaining"] < limits["Max"]
    used = sf.api_usage["api-usage"]
    assert used.total == limits["Max"]
    assert used.used >= limits["Max"] - limits["Remaining"]


def test_the_org_says_what_kind_it_is_and_who_asks(sf):
    assert sf.is_sandbox() in (True, False)
    assert sf.oauth2("userinfo")["preferred_username"]


def test_any_rest_path_can_be_called(sf, tag):
    sent = {"records": [{"attributes": {"type": "Contact"}, "LastName": tag}]}
    answer = sf.restful("composite/sobjects", method="POST", json=sent)
    assert answer[0]["success"]
    found = sf.restful("query", params={"q": f"SELECT Id FROM Contact WHERE LastName = '{tag}'"})
    assert found["records"][0]["Id"] == answer[0]["id"]
    assert sf.restful(f"sobjects/Contact/{answer[0]['id']}", method="DELETE") is None


def test_an_object_is_used_without_the_whole_client(org, session, tag):
    instance = org.url.removeprefix("http://")
    contact = SFType("Contact", org.token, instance, session=session)
    assert contact.create({"LastName": tag})["success"]


def test_a_value_that_two_records_have_is_no_key(sf, org, tag):
    for _ in range(2):
        org.create("Contact", LastName=tag, Batch__c=tag)
    with pytest.raises(SalesforceMoreThanOneRecord) as both:
        sf.Contact.get_by_custom_id("Batch__c", tag)
    found = {path.rpartition("/")[2] for path in both.value.content}
    assert found == {
        each["Id"] for each in org.rows(f"SELECT Id FROM Contact WHERE Name = '{tag}'")
    }


def test_a_unique_value_is_given_once(sf, org, tag):
    first = org.create("Contact", LastName="Smith", ERP_Id__c=tag)
    with pytest.raises(SalesforceMalformedRequest) as twice:
        sf.Contact.create({"LastName": "Jones", "ERP_Id__c": tag})
    (error,) = twice.value.content
    assert error["errorCode"] == "DUPLICATE_VALUE"
    assert first[:15] in error["message"]


def test_files_go_in_as_base64_and_come_out_as_bytes(sf, tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(bytes(range(256)))
    account = sf.Account.create({"Name": "A"})["id"]
    made = sf.Attachment.create({"Name": "a.bin", "ParentId": account, "Body": "YQ=="})["id"]
    assert sf.Attachment.get_base64(made) == b"a"
    sf.Attachment.update_base64(made, str(file))
    assert sf.Attachment.get_base64(made) == file.read_bytes()
    version = {"PathOnClient": "b.txt", "VersionData": "Yg=="}
    made = sf.ContentVersion.create(version)["id"]
    assert sf.ContentVersion.get_base64(made, base64_field="VersionData") == b"b"


def test_a_sale_is_priced_by_the_org(sf, tag):
    product = sf.Product2.create({"Name": tag, "ProductCode": "W-1"})["id"]
    book = sf.query("SELECT Id FROM Pricebook2 WHERE IsStandard = true")["records"][0]["Id"]
    price = {"Pricebook2Id": book, "Product2Id": product, "UnitPrice": 9.5}
    entry = sf.PricebookEntry.create(price)["id"]
    deal = {"Name": tag, "StageName": "Prospecting", "CloseDate": "2024-07-01"}
    deal_id = sf.Opportunity.create(deal)["id"]
    line = {"OpportunityId": deal_id, "PricebookEntryId": entry, "Quantity": 3, "UnitPrice": 8}
    sf.OpportunityLineItem.create(line)

    soql = f"SELECT Amount, (SELECT ProductCode, ListPrice FROM OpportunityLineItems) FROM Opportunity WHERE Id = '{deal_id}'"  # noqa: E501
    (found,) = sf.query(soql)["records"]
    (item,) = found["OpportunityLineItems"]["records"]
    assert (found["Amount"], item["ProductCode"], item["ListPrice"]) == (24.0, "W-1", 9.5)
    with pytest.raises(SalesforceMalformedRequest) as twice:
        sf.PricebookEntry.create(price)
    assert twice.value.content[0]["errorCode"] == "FIELD_INTEGRITY_EXCEPTION"


def test_the_objects_of_people_and_schedules_describe_themselves(sf):
    named = {each["name"]: each for each in sf.describe()["sobjects"]}
    assert named["EmailMessage"]["keyPrefix"] == "02s"
    assert not named["CronTrigger"]["createable"]
    fields = {each["name"]: each for each in sf.UserRole.describe()["fields"]}
    assert fields["ParentRoleId"]["referenceTo"] == ["UserRole"]
    assert "CreatedDate" not in fields


def test_users_queues_and_owners(sf, tag):
    profile = sf.query("SELECT Id FROM Profile WHERE Name = 'Standard User'")["records"][0]["Id"]
    user = {
        "Username": f"{tag}@acme.example",
        "LastName": tag,
        "Email": f"{tag}@acme.example",
        "Alias": tag[:8],
        "TimeZoneSidKey": "GMT",
        "LocaleSidKey": "en_US",
        "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US",
    }
    with pytest.raises(SalesforceMalformedRequest) as refused:
        sf.User.create(user)
    assert refused.value.content[0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    owner = sf.User.create({**user, "ProfileId": profile})["id"]
    account = sf.Account.create({"Name": tag, "OwnerId": owner})["id"]
    soql = format_soql("SELECT Owner.Email FROM Account WHERE Id = {}", account)
    assert sf.query(soql)["records"][0]["Owner"]["Email"] == user["Email"]

    queue = sf.Group.create({"Name": tag, "DeveloperName": f"Q_{tag}", "Type": "Queue"})["id"]
    with pytest.raises(SalesforceMalformedRequest) as refused:
        sf.Case.create({"Subject": tag, "OwnerId": queue})
    assert refused.value.content[0]["errorCode"] == "INVALID_OPERATION"
    sf.QueueSobject.create({"QueueId": queue, "SobjectType": "Case"})
    assert sf.Case.create({"Subject": tag, "OwnerId": queue})["success"]

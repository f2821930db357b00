"""SOAP `undelete` and `merge`: what they do, and what is refused in which words."""

from urllib.parse import quote
from xml.etree import ElementTree as ET

ENVELOPE = "{http://schemas.xmlsoap.org/soap/envelope/}"
PARTNER = "{urn:partner.soap.sforce.com}"
HEADERS = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}


def message(token, *ids, call="undelete"):
    listed = "".join(f"<u:ids>{each}</u:ids>" for each in ids)
    return (
        '<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:u="urn:partner.soap.sforce.com"><e:Header><u:SessionHeader>'
        f"<u:sessionId>{token}</u:sessionId></u:SessionHeader></e:Header>"
        f"<e:Body><u:{call}>{listed}</u:{call}></e:Body></e:Envelope>"
    )


def post(rest, body, version="60.0", headers=HEADERS):
    path = f"/services/Soap/u/{version}"
    return rest.client.post(path, content=body, headers=headers)


def token_of(rest):
    return rest.client.headers["Authorization"].removeprefix("Bearer ")


def results(answer):
    assert answer.status_code == 200, answer.text
    found = ET.fromstring(answer.content).iter(f"{PARTNER}result")  # noqa: S314 - our own
    return [
        (
            each.findtext(f"{PARTNER}id"),
            each.findtext(f"{PARTNER}success"),
            each.findtext(f"{PARTNER}errors/{PARTNER}statusCode"),
        )
        for each in found
    ]


def fault(answer):
    assert answer.status_code == 500, answer.text
    return ET.fromstring(answer.content).findtext(f".//{ENVELOPE}Fault/faultcode")  # noqa: S314


def test_what_lies_in_the_recycle_bin_comes_back_with_what_went_along(rest):
    account = rest.create("Account", Name="Back")
    contact = rest.create("Contact", LastName="Along", AccountId=account)
    rest.delete(f"/sobjects/Account/{account}")
    assert rest.get(f"/sobjects/Contact/{contact}").status_code == 404
    assert results(post(rest, message(token_of(rest), account))) == [(account, "true", None)]
    assert rest.read("Contact", contact)["AccountId"] == account


def test_each_record_is_judged_on_its_own(rest):
    gone, alive = rest.create("Account", Name="Gone"), rest.create("Account", Name="Alive")
    rest.delete(f"/sobjects/Account/{gone}")
    found = results(post(rest, message(token_of(rest), alive, gone, "nonsense")))
    assert [(done, code) for _, done, code in found] == [
        ("false", "UNDELETE_FAILED"),
        ("true", None),
        ("false", "MALFORMED_ID"),
    ]


def test_a_session_that_is_none_is_a_fault(rest):
    answer = post(rest, message("00D000000000001!none", "001000000000001AAA"))
    assert fault(answer) == "sf:INVALID_SESSION_ID"
    assert "<sf:exceptionCode>INVALID_SESSION_ID</sf:exceptionCode>" in answer.text


def test_more_than_200_records_are_a_fault(rest):
    ids = ["001000000000001AAA"] * 201
    assert fault(post(rest, message(token_of(rest), *ids))) == "sf:EXCEEDED_ID_LIMIT"


def test_what_is_no_envelope_is_a_fault(rest):
    for body in ("", "{}", "<a/>", "<!DOCTYPE x [<!ENTITY y 'z'>]><x>&y;</x>", "<e:Envelope>"):
        assert fault(post(rest, body)) == "sf:CLIENT_ERROR"


def test_other_calls_other_versions_and_a_missing_header_are_faults(rest):
    token = token_of(rest)
    assert fault(post(rest, message(token, call="create"))) == "sf:UNKNOWN_EXCEPTION"
    assert fault(post(rest, message(token), version="20.0")) == "sf:UNSUPPORTED_API_VERSION"
    bare = {"Content-Type": "text/xml"}
    assert fault(post(rest, message(token), headers=bare)) == "sf:CLIENT_ERROR"


def merging(token, *requests):
    """The message of a merge: of each request the object, the master's fields, the losers."""
    parts = []
    for sobject, fields, losers in requests:
        named = "".join(f"<s:{name}>{value}</s:{name}>" for name, value in fields.items())
        master = f"<u:masterRecord><s:type>{sobject}</s:type>{named}</u:masterRecord>"
        others = "".join(f"<u:recordToMergeIds>{each}</u:recordToMergeIds>" for each in losers)
        parts.append(f"<u:request>{master}{others}</u:request>")
    return message(token, call="merge").replace(
        "<u:merge></u:merge>",
        f'<u:merge xmlns:s="urn:sobject.partner.soap.sforce.com">{"".join(parts)}</u:merge>',
    )


def merged(rest, *requests):
    answer = post(rest, merging(token_of(rest), *requests))
    assert answer.status_code == 200, answer.text
    found = ET.fromstring(answer.content).iter(f"{PARTNER}result")  # noqa: S314 - our own
    return [
        {
            "id": each.findtext(f"{PARTNER}id"),
            "success": each.findtext(f"{PARTNER}success"),
            "code": each.findtext(f"{PARTNER}errors/{PARTNER}statusCode"),
            "merged": [id_.text for id_ in each.iter(f"{PARTNER}mergedRecordIds")],
            "moved": sorted(id_.text for id_ in each.iter(f"{PARTNER}updatedRelatedIds")),
        }
        for each in found
    ]


def deleted_rows(rest, soql):
    return rest.get(f"/queryAll?q={quote(soql)}").json()["records"]


def test_children_of_the_losers_move_to_the_master_and_the_losers_name_it(rest):
    master, *losers = (rest.create("Account", Name=name) for name in "MLN")
    contact = rest.create("Contact", LastName="C", AccountId=losers[0])
    task = rest.create("Task", Subject="T", WhatId=losers[1])
    deal = rest.create(
        "Opportunity", Name="O", StageName="New", CloseDate="2026-01-01", AccountId=losers[0]
    )
    fields = {"fieldsToNull": "Industry", "Id": master, "Description": "a &amp; b"}
    (found,) = merged(rest, ("Account", fields, losers))
    moved = sorted([contact, task, deal])
    assert found == {
        "id": master, "success": "true", "code": None, "merged": losers, "moved": moved,
    }  # fmt: skip
    assert rest.read("Account", master)["Description"] == "a & b"
    parents = (
        rest.read("Contact", contact)["AccountId"],
        rest.read("Task", task)["WhatId"],
        rest.read("Opportunity", deal)["AccountId"],
    )
    assert parents == (master, master, master)
    gone = deleted_rows(rest, "SELECT Id, MasterRecordId FROM Account WHERE IsDeleted = true")
    assert {row["Id"]: row["MasterRecordId"] for row in gone} == dict.fromkeys(losers, master)
    assert results(post(rest, message(token_of(rest), losers[0]))) == [(losers[0], "true", None)]
    assert rest.read("Account", losers[0])["MasterRecordId"] is None


def test_each_merge_succeeds_or_changes_nothing(rest):
    one, two, three, four = (rest.create("Contact", LastName=name) for name in "abcd")
    gone = rest.create("Contact", LastName="gone")
    rest.delete(f"/sobjects/Contact/{gone}")
    account = rest.create("Account", Name="A")
    found = merged(
        rest,
        ("Contact", {"Id": one}, [two, gone]),
        ("Contact", {"Id": one}, [account]),
        ("Contact", {"Id": one}, [one]),
        ("Contact", {"Id": one}, []),
        ("Contact", {"LastName": "x"}, [two]),
        ("Contact", {"Id": one, "Email": "no address"}, [two]),
        ("Contact", {"Id": one}, [two, three]),
        ("Contact", {"Id": one}, [four]),
    )
    assert [each["code"] for each in found] == [
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
        "DUPLICATE_VALUE",
        "INVALID_ID_FIELD",
        "MISSING_ARGUMENT",
        "INVALID_EMAIL_ADDRESS",
        None,
        None,
    ]
    left = rest.get("/query?q=SELECT+LastName+FROM+Contact").json()["records"]
    assert [row["LastName"] for row in left] == ["a"]


def test_a_master_below_its_loser_is_refused(rest):
    loser = rest.create("Account", Name="above")
    master = rest.create("Account", Name="below", ParentId=loser)
    (found,) = merged(rest, ("Account", {"Id": master}, [loser]))
    assert found["code"] == "CIRCULAR_DEPENDENCY"
    assert rest.read("Account", master)["ParentId"] == loser


def test_other_objects_and_too_many_merges_are_faults(rest):
    token, case = token_of(rest), ("Case", {"Id": "500000000000001AAA"}, ["500000000000002AAA"])
    assert fault(post(rest, merging(token, case))) == "sf:INVALID_TYPE_FOR_OPERATION"
    unknown = ("Nothing__c", {}, [])
    assert fault(post(rest, merging(token, unknown))) == "sf:INVALID_TYPE"
    lead = ("Lead", {"Id": "00Q000000000001AAA"}, ["00Q000000000002AAA"])
    assert fault(post(rest, merging(token, *[lead] * 201))) == "sf:EXCEEDED_ID_LIMIT"

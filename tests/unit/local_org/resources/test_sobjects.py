import pytest


def test_a_create_answers_201_with_id_and_location(rest):
    answer = rest.post("/sobjects/Account", {"Name": "A"})
    record_id = answer.json()["id"]
    assert (answer.status_code, answer.json()) == (
        201,
        {"id": record_id, "success": True, "errors": []},
    )
    assert answer.headers["Location"] == f"/services/data/v60.0/sobjects/Account/{record_id}"


def test_a_refused_create_answers_400_with_an_array(rest):
    answer = rest.post("/sobjects/Account", {})
    assert answer.status_code == 400
    assert answer.json() == [
        {
            "message": "Required fields are missing: [Name]",
            "errorCode": "REQUIRED_FIELD_MISSING",
            "fields": ["Name"],
        }
    ]


def test_a_value_of_the_wrong_type_is_told_with_its_place(rest):
    answer = rest.client.post(
        "/services/data/v60.0/sobjects/Contact", content='{"LastName":"A",\n "Birthdate": "x"}'
    )
    assert answer.status_code == 400
    assert answer.json()[0]["errorCode"] == "JSON_PARSER_ERROR"
    assert "VALUE_STRING value x" in answer.json()[0]["message"]
    assert answer.json()[0]["message"].endswith("[line:2, column:15]")


@pytest.mark.parametrize("content", ["", "{", "[]", '"x"'])
def test_a_body_that_is_no_object_is_refused(rest, content):
    answer = rest.client.post("/services/data/v60.0/sobjects/Account", content=content)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")


def test_half_a_surrogate_pair_is_no_character(rest):
    answer = rest.client.post(
        "/services/data/v60.0/sobjects/Account",
        content='{"Name":"a\\ud800b","Site":"\\ud83d\\ude00"}',
    )
    record = rest.read("Account", answer.json()["id"])
    assert (record["Name"], record["Site"]) == ("a?b", "\U0001f600")


def test_an_unknown_object_is_not_found(rest):
    answer = rest.post("/sobjects/Nope", {})
    assert answer.status_code == 404
    assert answer.json() == [
        {"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}
    ]


def test_a_read_gives_attributes_first_and_only_the_fields_asked_for(rest):
    account = rest.create("Account", Name="A", Site="x")
    answer = rest.get(f"/sobjects/Account/{account[:15]}?fields=Site,name")
    assert list(answer.json().items()) == [
        (
            "attributes",
            {"type": "Account", "url": f"/services/data/v60.0/sobjects/Account/{account}"},
        ),
        ("Site", "x"),
        ("Name", "A"),
    ]


def test_a_field_that_does_not_exist_refuses_the_read(rest):
    account = rest.create("Account", Name="A")
    answer = rest.get(f"/sobjects/Account/{account}?fields=Nope")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


@pytest.mark.parametrize("record_id", ["001000000000000AAA", "xyz", "003000000000000AAA"])
def test_a_read_of_nothing_is_not_found(rest, record_id):
    answer = rest.get(f"/sobjects/Account/{record_id}")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_an_update_answers_204_and_nothing(rest):
    account = rest.create("Account", Name="A")
    answer = rest.patch(f"/sobjects/Account/{account}", {"Name": "B"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert rest.read("Account", account)["Name"] == "B"


def test_the_id_stands_in_the_path_only(rest):
    account = rest.create("Account", Name="A")
    answer = rest.patch(f"/sobjects/Account/{account}", {"id": account})
    assert answer.status_code == 400
    assert answer.json()[0]["message"] == (
        "The Id field should not be specified in the sobject data."
    )


def test_changing_or_deleting_nothing_is_404_in_other_words_than_the_deleted(rest):
    account = rest.create("Account", Name="A")
    assert rest.delete(f"/sobjects/Account/{account}").status_code == 204
    for call in (
        lambda each: rest.patch(f"/sobjects/Account/{each}", {"Name": "B"}),
        lambda each: rest.delete(f"/sobjects/Account/{each}"),
    ):
        gone, unknown, malformed = call(account), call("001000000000000AAA"), call("x")
        assert {gone.status_code, unknown.status_code, malformed.status_code} == {404}
        assert gone.json()[0]["errorCode"] == "ENTITY_IS_DELETED"
        assert unknown.json()[0]["errorCode"] == "INVALID_CROSS_REFERENCE_KEY"
        assert malformed.json()[0]["errorCode"] == "NOT_FOUND"


def test_an_id_with_wrong_check_characters_is_an_error_of_the_record(rest):
    path = "/sobjects/Account/001000000000000AAB"
    assert rest.patch(path, {"Name": "B"}).json() == [
        {
            "message": "Account ID: id value of incorrect type: 001000000000000AAB",
            "errorCode": "MALFORMED_ID",
            "fields": ["Id"],
        }
    ]
    # Unknown fields are found first; such an error has no `fields`, as recorded.
    answer = rest.patch(path, {"Nope": "B"})
    assert answer.json() == [
        {
            "message": "No such column 'Nope' on sobject of type Account",
            "errorCode": "INVALID_FIELD",
        }
    ]
    assert rest.get("/sobjects/Account/23foo").json() == [
        {
            "message": "Provided external ID field does not exist or is not accessible: 23foo",
            "errorCode": "NOT_FOUND",
        }
    ]


def test_an_account_has_an_etag_that_changes_with_it(rest):
    path = f"/sobjects/Account/{rest.create('Account', Name='A')}"
    read = rest.get(path)
    tag = read.headers["ETag"]
    assert rest.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert rest.patch(path, {"Name": "B"}, headers={"If-Match": tag}).status_code == 204
    assert rest.get(path, headers={"If-None-Match": tag}).json()["Name"] == "B"
    late = rest.patch(path, {"Name": "C"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()[0]["errorCode"]) == (412, "PRECONDITION_FAILED")
    assert rest.delete(path, headers={"If-Match": tag}).status_code == 412
    contact = rest.get(f"/sobjects/Contact/{rest.create('Contact', LastName='A')}")
    assert "ETag" not in contact.headers
    assert contact.headers["Last-Modified"].endswith(" GMT")


@pytest.mark.parametrize(
    ("version", "created", "updated"),
    [("60.0", 201, 200), ("46.0", 201, 200), ("45.0", 201, 204)],
)
def test_an_upsert_tells_what_it_did_as_its_version_does(rest, version, created, updated):
    path = "/sobjects/Account/Ext__c/a%2Fb"
    first = rest.patch(path, {"Name": "A"}, version=version)
    second = rest.patch(path, {"Name": "B"}, version=version)
    assert (first.status_code, second.status_code) == (created, updated)
    assert first.json().get("created") is (True if version != "45.0" else None)
    assert second.content == b"" or second.json()["created"] is False
    record = rest.read("Account", first.json()["id"])
    assert (record["Ext__c"], record["Name"]) == ("a/b", "B")


def test_update_only_creates_nothing(rest):
    answer = rest.patch("/sobjects/Account/Ext__c/a?updateOnly=true", {"Name": "A"})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_the_key_stands_in_the_path_only(rest):
    answer = rest.patch("/sobjects/Account/Ext__c/a", {"Name": "A", "ext__c": "a"})
    assert answer.status_code == 400
    assert answer.json()[0]["message"] == (
        "The Ext__c field should not be specified in the sobject data."
    )


@pytest.mark.parametrize("field", ["Namez", "Site"])
def test_a_field_that_is_no_key_is_not_found(rest, field):
    answer = rest.patch(f"/sobjects/Account/{field}/a", {"Name": "A"})
    assert answer.status_code == 404
    assert answer.json()[0]["message"] == (
        f"Provided external ID field does not exist or is not accessible: {field}"
    )


def test_a_key_of_several_records_answers_300_with_their_urls(rest):
    ids = [rest.create("Account", Name="A", Loose__c="x") for _ in range(2)]
    urls = [f"/services/data/v60.0/sobjects/Account/{each}" for each in ids]
    for answer in (
        rest.get("/sobjects/Account/Loose__c/x"),
        rest.patch("/sobjects/Account/Loose__c/x", {"Name": "B"}),
        rest.delete("/sobjects/Account/Loose__c/x"),
    ):
        assert (answer.status_code, answer.json()) == (300, urls)


def test_a_record_is_read_and_deleted_by_its_key(rest):
    account = rest.create("Account", Name="A", Ext__c="x")
    assert rest.get("/sobjects/Account/Ext__c/X").json()["Id"] == account
    assert rest.delete("/sobjects/Account/Ext__c/x").status_code == 204
    assert rest.get("/sobjects/Account/Ext__c/x").status_code == 404


def test_creating_through_the_upsert_route_came_with_37(rest):
    assert rest.post("/sobjects/Account/Id", {"Name": "A"}).status_code == 201
    assert rest.post("/sobjects/Account/Id", {"Name": "A"}, version="36.0").status_code != 201


def test_conditions_on_the_moment_of_change(rest):
    account = rest.create("Account", Name="A")
    past, future = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2999 00:00:00 GMT"
    path = f"/sobjects/Account/{account}"
    assert rest.get(path, headers={"If-Modified-Since": future}).status_code == 304
    assert rest.get(path, headers={"If-Modified-Since": past}).status_code == 200
    assert rest.get(path, headers={"If-Modified-Since": "soon"}).status_code == 200
    refused = rest.patch(path, {"Name": "B"}, headers={"If-Unmodified-Since": past})
    assert refused.status_code == 412
    assert rest.delete(path, headers={"If-Unmodified-Since": future}).status_code == 204


def test_conditions_hold_for_reads_and_descriptions_and_must_be_valid_for_changes(rest):
    """REST API guide, Conditional Request Headers."""
    path = f"/sobjects/Account/{rest.create('Account', Name='A')}"
    tag = rest.get(path).headers["ETag"]
    past = {"If-Unmodified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}
    for read in (path, "/sobjects", "/sobjects/Account/describe"):
        assert rest.get(read, headers=past).status_code == 412
    assert rest.get(path, headers={"If-Match": f'"other", {tag}'}).status_code == 200
    assert rest.get(path, headers={"If-Match": '"other"'}).status_code == 412
    for header in ({"If-None-Match": tag}, {"If-None-Match": "*"}, {"If-Match": '"other"'}):
        assert rest.patch(path, {"Name": "B"}, headers=header).status_code == 412
    for name in ("If-Match", "If-None-Match", "If-Unmodified-Since"):
        assert rest.patch(path, {"Name": "B"}, headers={name: "soon"}).status_code == 400
    assert rest.read("Account", path.rsplit("/", 1)[1])["Name"] == "A"


def test_the_duplicate_rule_header_saves_in_spite_of_an_alert(rest):
    lead = {"LastName": "A", "Company": "Acme"}
    rest.create("Lead", **lead)
    refused = rest.post("/sobjects/Lead", lead)
    assert refused.json()[0]["errorCode"] == "DUPLICATES_DETECTED"
    assert refused.json()[0]["duplicateResult"]["allowSave"] is True
    header = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    assert rest.post("/sobjects/Lead", lead, headers=header).status_code == 201


def test_what_a_key_in_the_path_names_is_looked_for_as_an_id_is(rest):
    """An Id of the path that cannot be changed is 404, on every route that has it."""
    gone = rest.create("Account", Name="A", Ext__c="x")
    rest.delete(f"/sobjects/Account/{gone}")
    for record_id, code in (
        (gone, "ENTITY_IS_DELETED"),
        ("001000000000000AAA", "INVALID_CROSS_REFERENCE_KEY"),
    ):
        path = f"/sobjects/Account/Id/{record_id}"
        for answer in (rest.patch(path, {"Name": "B"}), rest.delete(path)):
            assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, code)
    rest.create("Account", Name="A", Ext__c="x")
    past = {"If-Unmodified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"}
    path = "/sobjects/Account/Ext__c/x"
    assert rest.patch(path, {"Name": "B"}, headers=past).status_code == 412
    assert rest.delete(path, headers=past).status_code == 412


def test_a_blank_key_creates_nothing(rest):
    answer = rest.patch("/sobjects/Account/Ext__c/%20", {"Name": "A"})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "MISSING_ARGUMENT")
    assert rest.get("/limits/recordCount?sObjects=Account").json() == {"sObjects": []}


def test_a_value_in_a_message_is_written_as_in_json(rest):
    answer = rest.post("/sobjects/Contact", {"LastName": "A", "Account": {"Ext__c": None}})
    assert "external ID: null not found" in answer.json()[0]["message"]
    answer = rest.post("/sobjects/Contact", {"LastName": "A", "AccountId": True})
    assert answer.json()[0]["message"].endswith("incorrect type: true")

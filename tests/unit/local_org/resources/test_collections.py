def _records(*rows, kind="Account"):
    return [{"attributes": {"type": kind}, **row} for row in rows]


def test_each_record_stands_alone_in_the_order_sent(rest):
    body = {"records": [*_records({"Name": "A"}, {}), *_records({"LastName": "B"}, kind="Contact")]}
    answer = rest.post("/composite/sobjects", body)
    good, bad, other = answer.json()
    assert answer.status_code == 200
    assert (good["success"], good["errors"], good["id"][:3]) == (True, [], "001")
    assert bad == {
        "success": False,
        "errors": [
            {
                "statusCode": "REQUIRED_FIELD_MISSING",
                "message": "Required fields are missing: [Name]",
                "fields": ["Name"],
            }
        ],
    }
    assert other["id"].startswith("003")


def test_all_or_none_undoes_across_types(rest):
    body = {
        "allOrNone": True,
        "records": [*_records({"Name": "A"}), *_records({"FirstName": "B"}, kind="Contact")],
    }
    first, second = rest.post("/composite/sobjects", body).json()
    assert first["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert second["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert rest.get("/limits/recordCount?sObjects=Account").json() == {"sObjects": []}


def test_more_than_200_records_are_refused(rest):
    body = {"records": _records(*({"Name": "A"} for _ in range(201)))}
    answer = rest.post("/composite/sobjects", body)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    assert answer.json()[0]["message"] == (
        "record limit reached. cannot submit more than 200 records into this call"
    )


def test_types_may_change_ten_times(rest):
    pair = [*_records({"Name": "A"}), *_records({"LastName": "B"}, kind="Contact")]
    assert rest.post("/composite/sobjects", {"records": pair * 5}).status_code == 200
    assert rest.post("/composite/sobjects", {"records": pair * 6}).status_code == 400


def test_updates_take_the_id_from_each_record(rest):
    account = rest.create("Account", Name="A")
    body = {"records": _records({"id": account, "Name": "B"}, {"Name": "C"})}
    updated, nameless = rest.patch("/composite/sobjects", body).json()
    assert updated == {"id": account, "success": True, "errors": []}
    assert nameless["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    assert rest.read("Account", account)["Name"] == "B"


def test_upserts_tell_what_was_created(rest):
    rest.create("Account", Name="A", Ext__c="a")
    body = {"records": _records({"Ext__c": "a", "Name": "B"}, {"Ext__c": "b", "Name": "C"})}
    answer = rest.patch("/composite/sobjects/Account/Ext__c", body)
    assert [each["created"] for each in answer.json()] == [False, True]
    assert rest.patch("/composite/sobjects/Account/Site", body).status_code == 400
    assert rest.patch("/composite/sobjects/Contact/Email", body).status_code == 400


def test_an_upsert_is_all_or_none_when_asked(rest):
    known = rest.create("Account", Name="A", Ext__c="a")
    rows = _records({"Ext__c": "a", "Name": "B"}, {"Ext__c": "b", "Name": "C"}, {"Ext__c": "c"})
    body = {"allOrNone": True, "records": rows}
    answer = rest.patch("/composite/sobjects/Account/Ext__c", body)
    assert [(each["success"], each["errors"][0]["statusCode"]) for each in answer.json()] == [
        (False, "ALL_OR_NONE_OPERATION_ROLLED_BACK"),
        (False, "ALL_OR_NONE_OPERATION_ROLLED_BACK"),
        (False, "REQUIRED_FIELD_MISSING"),
    ]
    # As at Salesforce: what would have been created says so, though it was not.
    assert [each["created"] for each in answer.json()] == [False, True, False]
    assert rest.read("Account", known)["Name"] == "A"
    assert rest.get("/limits/recordCount?sObjects=Account").json()["sObjects"][0]["count"] == 1

    body["allOrNone"] = False
    answer = rest.patch("/composite/sobjects/Account/Ext__c", body)
    assert [each["success"] for each in answer.json()] == [True, True, False]
    assert rest.read("Account", known)["Name"] == "B"


def test_deletes_name_their_ids_in_the_query(rest):
    account = rest.create("Account", Name="A")
    contact = rest.create("Contact", LastName="B")
    answer = rest.delete(f"/composite/sobjects?ids={account},{contact},001000000000000AAA")
    assert [each["success"] for each in answer.json()] == [True, True, False]
    assert answer.json()[0]["id"] == account
    assert "id" not in answer.json()[2]
    undone = rest.create("Account", Name="A")
    answer = rest.delete(f"/composite/sobjects?allOrNone=true&ids={undone},{account}")
    assert [each["success"] for each in answer.json()] == [False, False]
    assert [each.get("id") for each in answer.json()] == [undone, None]  # as in the guide
    assert rest.read("Account", undone)["Name"] == "A"


def test_retrieved_records_stand_where_their_ids_stood(rest):
    account = rest.create("Account", Name="A")
    by_get = rest.get(f"/composite/sobjects/Account?ids=001000000000000AAA,{account}&fields=Name")
    by_post = rest.post(
        "/composite/sobjects/Account",
        {"ids": ["001000000000000AAA", account[:15]], "fields": ["Name"]},
    )
    assert by_get.json() == by_post.json()
    assert by_get.json()[0] is None
    assert by_get.json()[1]["Name"] == "A"
    bad = rest.post("/composite/sobjects/Account", {"ids": [account], "fields": ["Nope"]})
    assert (bad.status_code, bad.json()[0]["errorCode"]) == (400, "INVALID_FIELD")


def test_collections_came_with_42_and_their_upserts_with_46(rest):
    body = {"records": _records({"Ext__c": "a", "Name": "B"})}
    assert rest.post("/composite/sobjects", body, version="41.0").status_code == 404
    upsert = "/composite/sobjects/Account/Ext__c"
    assert rest.patch(upsert, body, version="45.0").status_code == 404


def test_a_malformed_envelope_is_refused_as_a_whole(rest):
    for body in ({}, {"records": [1]}, {"records": [{"Name": "A"}]}):
        assert rest.post("/composite/sobjects", body).status_code == 400


def test_an_unknown_field_fails_its_record_only(rest):
    body = {"records": _records({"Name": "A", "Foo": 1}, {"Name": "B"})}
    bad, good = rest.post("/composite/sobjects", body).json()
    assert bad["errors"][0]["message"] == "No such column 'Foo' on sobject of type Account"
    assert good["success"]

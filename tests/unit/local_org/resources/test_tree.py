def _node(reference, kind="Account", **fields):
    return {"attributes": {"type": kind, "referenceId": reference}, **fields}


def test_parents_and_children_are_created_together(rest):
    invoice = _node("i", "Invoice__c")
    contact = _node("c", "Contact", LastName="B")
    account = _node(
        "a", Name="A", Contacts={"records": [contact]}, Invoices__r={"records": [invoice]}
    )
    answer = rest.post("/composite/tree/Account", {"records": [account]})
    assert (answer.status_code, answer.json()["hasErrors"]) == (201, False)
    ids = {each["referenceId"]: each["id"] for each in answer.json()["results"]}
    assert rest.read("Contact", ids["c"])["AccountId"] == ids["a"]
    assert rest.read("Invoice__c", ids["i"])["Account__c"] == ids["a"]


def test_one_bad_record_leaves_nothing(rest):
    good = _node("a", Name="A", Contacts={"records": [_node("c", "Contact")]})
    answer = rest.post("/composite/tree/Account", {"records": [good, _node("b", Name="B")]})
    assert (answer.status_code, answer.json()["hasErrors"]) == (400, True)
    (failure,) = answer.json()["results"]
    assert failure["referenceId"] == "c"
    assert failure["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert rest.get("/limits/recordCount?sObjects=Account").json() == {"sObjects": []}


def test_a_tree_has_its_limits(rest):
    many = [_node(f"a{n}", Name="A") for n in range(201)]
    assert rest.post("/composite/tree/Account", {"records": many}).status_code == 400
    deep = _node("l6", Name="6")
    for level in range(5, 0, -1):
        deep = _node(f"l{level}", Name=str(level), ChildAccounts={"records": [deep]})
    assert rest.post("/composite/tree/Account", {"records": [deep]}).status_code == 400
    unknown = _node("a", Name="A", Nopes={"records": []})
    assert rest.post("/composite/tree/Account", {"records": [unknown]}).status_code == 400


def test_results_are_level_by_level(rest):
    """REST API guide, sObject Tree Response Body."""
    first = _node("a", Name="A", Contacts={"records": [_node("c", "Contact", LastName="B")]})
    answer = rest.post("/composite/tree/Account", {"records": [first, _node("b", Name="B")]})
    assert [each["referenceId"] for each in answer.json()["results"]] == ["a", "b", "c"]


def test_only_the_records_that_caused_the_error_are_told(rest):
    bad = _node("a", Contacts={"records": [_node("c", "Contact")]})
    answer = rest.post("/composite/tree/Account", {"records": [bad]})
    assert [each["referenceId"] for each in answer.json()["results"]] == ["a"]


def test_reference_ids_are_unique_and_have_few_characters(rest):
    records = [_node("a", Name="A"), _node("b", Name="B"), _node("a", Name="C")]
    answer = rest.post("/composite/tree/Account", {"records": records})
    assert (answer.status_code, answer.json()["hasErrors"]) == (400, True)
    assert [each["referenceId"] for each in answer.json()["results"]] == ["a", "a"]
    for reference in ("", "a b", "_a"):
        bad = {"records": [_node(reference, Name="A")]}
        assert rest.post("/composite/tree/Account", bad).status_code == 400, reference
    assert rest.get("/limits/recordCount?sObjects=Account").json() == {"sObjects": []}


def test_records_have_the_type_of_their_place_and_at_most_five_types(rest):
    untyped = {"attributes": {"referenceId": "a"}, "Name": "A"}
    contact = _node("a", "Contact", LastName="B")
    child = _node("a", Name="A", Contacts={"records": [_node("c", "Lead", LastName="B")]})
    lists = {
        "Contacts": _node("c", "Contact", LastName="B"),
        "Invoices__r": _node("i", "Invoice__c"),
        "Cases": _node("k", "Case"),
        "Assets": _node("s", "Asset", Name="A"),
        "Opportunities": _node(
            "o", "Opportunity", Name="O", StageName="Prospecting", CloseDate="2026-01-31"
        ),
    }
    wide = _node("a", Name="A", **{name: {"records": [each]} for name, each in lists.items()})
    for record in (untyped, contact, child, wide):
        answer = rest.post("/composite/tree/Account", {"records": [record]})
        assert answer.status_code == 400, record
    del wide["Opportunities"]
    assert rest.post("/composite/tree/Account", {"records": [wide]}).status_code == 201

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

from urllib.parse import quote

ROOT = "/services/data/v60.0"


def _part(method, path, reference, body=None):
    part = {"method": method, "url": f"{ROOT}{path}", "referenceId": reference}
    return part if body is None else {**part, "body": body}


def _composite(rest, *parts, **options):
    answer = rest.post("/composite", {"compositeRequest": list(parts), **options})
    assert answer.status_code == 200, answer.text
    return answer.json()["compositeResponse"]


def test_later_parts_refer_to_earlier_answers(rest):
    soql = quote("SELECT Id, AccountId FROM Contact WHERE AccountId = '@{a.id}'", safe="@{}.")
    account, contact, found, named = _composite(
        rest,
        _part("POST", "/sobjects/Account", "a", {"Name": "A"}),
        _part("POST", "/sobjects/Contact", "c", {"LastName": "B", "AccountId": "@{a.id}"}),
        _part("GET", f"/query?q={soql}", "q"),
        _part("PATCH", "/sobjects/Contact/@{q.records[0].Id}", "p", {"Title": "of @{a.id}"}),
    )
    assert account["httpStatusCode"] == 201
    assert account["httpHeaders"]["Location"].endswith(account["body"]["id"])
    assert found["body"]["records"][0]["Id"] == contact["body"]["id"]
    assert (named["httpStatusCode"], named["body"]) == (204, None)
    title = rest.read("Contact", contact["body"]["id"])["Title"]
    assert title == f"of {account['body']['id']}"


def test_parts_have_the_validators_of_their_answers(rest):
    """Recorded by CumulusCI: a describe in a composite answers 304 to who has it already."""
    account = rest.create("Account", Name="A")
    record, described = _composite(
        rest,
        _part("GET", f"/sobjects/Account/{account}", "r"),
        _part("GET", "/sobjects/Account/describe", "d"),
    )
    for part in (record, described):
        assert sorted(part["httpHeaders"]) == ["ETag", "Last-Modified"]
        assert part["httpHeaders"]["ETag"].startswith('"')
    since = {"If-Modified-Since": described["httpHeaders"]["Last-Modified"]}
    again = _part("GET", "/sobjects/Account/describe", "d") | {"httpHeaders": since}
    (known,) = _composite(rest, again)
    assert (known["httpStatusCode"], known["body"]) == (304, None)
    assert known["httpHeaders"] == described["httpHeaders"]


def test_without_all_or_none_each_part_stands_alone(rest):
    bad, good = _composite(
        rest,
        _part("POST", "/sobjects/Account", "a", {}),
        _part("POST", "/sobjects/Account", "b", {"Name": "B"}),
    )
    assert bad["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert (bad["httpStatusCode"], good["httpStatusCode"]) == (400, 201)
    assert bad["referenceId"] == "a"


def test_a_part_that_needs_one_that_failed_is_halted(rest):
    _, halted, other = _composite(
        rest,
        _part("POST", "/sobjects/Account", "a", {}),
        _part("POST", "/sobjects/Contact", "c", {"LastName": "B", "AccountId": "@{a.id}"}),
        _part("GET", "/sobjects/Account/@{nope.id}", "n"),
    )
    assert halted["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert other["body"][0]["message"].startswith("Invalid reference specified.")


def test_all_or_none_undoes_everything(rest):
    first, second, third = _composite(
        rest,
        _part("POST", "/sobjects/Account", "a", {"Name": "A"}),
        _part("POST", "/sobjects/Account", "b", {}),
        _part("POST", "/sobjects/Account", "c", {"Name": "C"}),
        allOrNone=True,
    )
    undone = {
        "errorCode": "PROCESSING_HALTED",
        "message": (
            "The transaction was rolled back since another operation in the same transaction"
            " failed."
        ),
    }
    assert first["body"] == third["body"] == [undone]
    assert second["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert rest.get("/limits/recordCount?sObjects=Account").json() == {"sObjects": []}


def test_there_are_at_most_25_parts_and_5_queries(rest):
    query = _part("GET", "/query?q=SELECT+Id+FROM+Account", "q")
    many = [{**query, "referenceId": f"q{n}"} for n in range(6)]
    assert rest.post("/composite", {"compositeRequest": many}).status_code == 400
    read = [_part("GET", "/limits", f"r{n}") for n in range(26)]
    assert rest.post("/composite", {"compositeRequest": read}).status_code == 400
    twice = [_part("GET", "/limits", "r")] * 2
    assert rest.post("/composite", {"compositeRequest": twice}).status_code == 400


def test_a_part_is_as_signed_in_as_the_whole(rest):
    body = {"compositeRequest": [_part("GET", "/limits", "r")]}
    answer = rest.post("/composite", body, headers={"Authorization": "Bearer no"})
    assert answer.status_code == 401


def test_a_batch_carries_out_independent_parts(rest):
    body = {
        "batchRequests": [
            {"method": "POST", "url": "v60.0/sobjects/Account", "richInput": {"Name": "A"}},
            {"method": "GET", "url": "v59.0/sobjects/Account/x"},
            {"method": "GET", "url": "v60.0/limits/recordCount?sObjects=Account"},
        ]
    }
    answer = rest.post("/composite/batch", body).json()
    assert answer["hasErrors"] is True
    assert [each["statusCode"] for each in answer["results"]] == [201, 404, 200]
    assert answer["results"][2]["result"] == {"sObjects": [{"count": 1, "name": "Account"}]}


def test_a_batch_halts_when_asked_to(rest):
    parts = [{"method": "GET", "url": "v60.0/sobjects/x"}, {"method": "GET", "url": "v60.0/limits"}]
    answer = rest.post("/composite/batch", {"haltOnError": True, "batchRequests": parts}).json()
    assert [each["statusCode"] for each in answer["results"]] == [404, 412]
    assert answer["results"][1]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"


def _graph(name, *parts):
    return {"graphId": name, "compositeRequest": list(parts)}


def test_each_graph_is_all_or_nothing_by_itself(rest):
    graphs = [
        _graph(
            "good",
            _part("POST", "/sobjects/Account", "a", {"Name": "A"}),
            _part("POST", "/sobjects/Contact", "c", {"LastName": "B", "AccountId": "@{a.id}"}),
        ),
        _graph(
            "bad",
            _part("POST", "/sobjects/Account", "a", {"Name": "A"}),
            _part("POST", "/sobjects/Contact", "c", {}),
        ),
    ]
    answer = rest.post("/composite/graph", {"graphs": graphs}).json()["graphs"]
    assert [each["isSuccessful"] for each in answer] == [True, False]
    counts = rest.get("/limits/recordCount?sObjects=Account,Contact").json()["sObjects"]
    assert [each["count"] for each in counts] == [1, 1]


def test_graphs_have_their_limits_and_came_with_50(rest):
    chain = [_part("POST", "/sobjects/Account", "n0", {"Name": "A"})]
    for number in range(1, 16):
        body = {"Name": "A", "ParentId": f"@{{n{number - 1}.id}}"}
        chain.append(_part("POST", "/sobjects/Account", f"n{number}", body))
    deep = {"graphs": [_graph("deep", *chain)]}
    assert rest.post("/composite/graph", deep).status_code == 400
    fine = {"graphs": [_graph("fine", *chain[:15])]}
    assert rest.post("/composite/graph", fine).json()["graphs"][0]["isSuccessful"]
    assert rest.post("/composite/graph", fine, version="49.0").status_code == 404
    twice = {"graphs": [_graph("g"), _graph("g")]}
    assert rest.post("/composite/graph", twice).status_code == 400


def test_a_number_of_many_digits_passes_whole_from_part_to_part(rest):
    wide = 123456789012345678
    again = {"Name": "is @{r.AnnualRevenue}", "AnnualRevenue": "@{r.AnnualRevenue}"}
    *_, made = _composite(
        rest,
        _part("POST", "/sobjects/Account", "a", {"Name": "A", "AnnualRevenue": wide}),
        _part("GET", "/sobjects/Account/@{a.id}", "r"),
        _part("POST", "/sobjects/Account", "b", again),
    )
    text = rest.get(f"/sobjects/Account/{made['body']['id']}").text
    assert f'"Name":"is {wide}.0"' in text
    assert f'"AnnualRevenue":{wide}.0' in text

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
    read = [_part("GET", "/sobjects/Account", f"r{n}") for n in range(26)]
    assert rest.post("/composite", {"compositeRequest": read}).status_code == 400
    twice = [_part("GET", "/sobjects/Account", "r")] * 2
    assert rest.post("/composite", {"compositeRequest": twice}).status_code == 400


def test_the_resources_of_composite_are_listed_by_version(rest):
    listed = rest.get("/composite").json()
    assert list(listed) == ["tree", "batch", "sobjects", "graph"]
    assert listed["graph"] == f"{ROOT}/composite/graph"
    assert list(rest.get("/composite", version="41.0").json()) == ["tree", "batch"]


def test_a_part_is_as_signed_in_as_the_whole(rest):
    body = {"compositeRequest": [_part("GET", "/sobjects/Account", "r")]}
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


def test_a_batch_is_read_before_any_part_is_run(rest):
    made = {"method": "POST", "url": "v60.0/sobjects/Account", "richInput": {"Name": "A"}}
    for wrong in ({"method": "PUSH"}, {"url": "here"}, {"method": None}):
        parts = {"batchRequests": [made, {**made, **wrong}]}
        assert rest.post("/composite/batch", parts).status_code == 400, wrong
    assert rest.get("/limits/recordCount?sObjects=Account").json() == {"sObjects": []}


def test_parts_of_a_batch_have_versions_from_34_to_its_own(rest):
    urls = ["v33.0/limits", "v34.0/limits", "v60.0/limits", "v61.0/limits"]
    parts = [{"method": "GET", "url": url} for url in urls]
    answer = rest.post("/composite/batch", {"batchRequests": parts}).json()
    assert [each["statusCode"] for each in answer["results"]] == [404, 200, 200, 404]


def test_a_part_cannot_have_every_method_header_or_url(rest):
    """REST API guide, Composite Request Body: each fails the whole request."""
    good = _part("GET", "/sobjects/Account", "a")
    wrong = [
        {"method": "get"},
        {"url": "v60.0/sobjects/Account"},
        {"url": "/services/oauth2/userinfo"},
        {"httpHeaders": {"authorization": "Bearer x"}},
        {"httpHeaders": {"Accept": "text/csv"}},
        {"referenceId": "a-b"},
        {"referenceId": "_a"},
    ]
    for each in wrong:
        answer = rest.post("/composite", {"compositeRequest": [{**good, **each}]})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    assert answer.json()[0]["message"].startswith("Provided referenceId ('_a') must start with a")


def test_before_52_only_parts_that_use_a_bad_reference_id_fail(rest):
    parts = [
        _part("POST", "/sobjects/Account", "a[1]", {"Name": "A"}),
        _part("POST", "/sobjects/Contact", "c", {"LastName": "B", "AccountId": "@{a[1].id}"}),
        _part("POST", "/sobjects/Account", "a-2", {"Name": "A"}),
        _part("POST", "/sobjects/Contact", "d", {"LastName": "B", "AccountId": "@{a-2.id}"}),
    ]
    old = [{**part, "url": part["url"].replace("v60.0", "v51.0")} for part in parts]
    answer = rest.post("/composite", {"compositeRequest": old}, version="51.0").json()
    results = answer["compositeResponse"]
    assert [each["httpStatusCode"] for each in results] == [201, 400, 201, 400]
    assert [each["referenceId"] for each in results] == ["a[1]", "c", "a-2", "d"]


def test_a_reference_without_a_value_is_named_and_null_is_one_since_52(rest):
    contact = rest.create("Contact", LastName="B")
    parts = [
        {**_part("GET", f"/sobjects/Contact/{contact}?fields=FirstName", "r")},
        _part("POST", "/sobjects/Contact", "n", {"FirstName": "@{r.FirstName}", "LastName": "C"}),
        _part("POST", "/sobjects/Account", "a", {"Name": "@{r.Nope}"}),
    ]
    _, made, missing = _composite(rest, *parts)
    assert made["httpStatusCode"] == 201
    said = missing["body"][0]["message"]
    assert said.startswith("Invalid reference specified. No value for r.Nope found in r. Provided ")
    old = [{**part, "url": part["url"].replace("v60.0", "v51.0")} for part in parts]
    answer = rest.post("/composite", {"compositeRequest": old}, version="51.0").json()
    assert [each["httpStatusCode"] for each in answer["compositeResponse"]] == [200, 400, 400]


def test_values_inside_text_are_written_as_in_json(rest):
    account = _part("POST", "/sobjects/Account", "a", {"Name": "A"})
    named = _part("POST", "/sobjects/Account", "b", {"Name": "is @{a.success}"})
    *_, made = _composite(rest, account, named)
    assert rest.read("Account", made["body"]["id"])["Name"] == "is true"


def test_a_composite_has_records_queries_and_collections_of_its_version_only(rest):
    collection = {"records": [{"attributes": {"type": "Account"}, "Name": "A"}]}
    parts = [
        _part("GET", "/limits", "a"),
        _part("GET", "/jobs/ingest", "b"),
        _part("POST", "/composite", "c", {"compositeRequest": []}),
        {**_part("GET", "", "d"), "url": "/services/data/v61.0/sobjects/Account"},
        _part("GET", "/queryAll?q=SELECT+Id+FROM+Account", "e"),
        _part("POST", "/composite/sobjects", "f", collection),
    ]
    answers = _composite(rest, *parts)
    assert [each["httpStatusCode"] for each in answers] == [400, 400, 400, 400, 200, 200]
    assert answers[0]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    old = {**parts[5], "url": "/services/data/v42.0/composite/sobjects"}
    answer = rest.post("/composite", {"compositeRequest": [old]}, version="42.0").json()
    assert answer["compositeResponse"][0]["httpStatusCode"] == 400


def test_a_files_content_is_no_part(rest):
    account = rest.create("Account", Name="A")
    body = {"ParentId": account, "Name": "a.png", "Body": "/4AB"}
    made = rest.create("Attachment", **body)
    (answer,) = _composite(rest, _part("GET", f"/sobjects/Attachment/{made}/Body", "b"))
    assert (answer["httpStatusCode"], answer["body"][0]["errorCode"]) == (400, "PROCESSING_HALTED")


def test_all_or_none_counts_the_records_of_a_collection(rest):
    """REST API guide, allOrNone Parameters in Composite and Collections Requests, case 4."""
    records = [
        {"attributes": {"type": "Account"}, "Name": "A"},
        {"attributes": {"type": "Account"}},
    ]
    first, collection, last = _composite(
        rest,
        _part("POST", "/sobjects/Account", "a", {"Name": "A"}),
        _part("POST", "/composite/sobjects", "c", {"allOrNone": False, "records": records}),
        _part("POST", "/sobjects/Contact", "d", {"LastName": "B"}),
        allOrNone=True,
    )
    assert [each["success"] for each in collection["body"]] == [True, False]
    assert collection["httpStatusCode"] == 200
    assert [each["body"][0]["errorCode"] for each in (first, last)] == ["PROCESSING_HALTED"] * 2
    assert rest.get("/limits/recordCount?sObjects=Account,Contact").json() == {"sObjects": []}


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


def test_a_graph_has_single_records_only(rest):
    refused = [
        _part("GET", "/limits", "a"),
        _part("GET", "/query?q=SELECT+Id+FROM+Account", "a"),
        _part("POST", "/composite/sobjects", "a", {"records": []}),
        _part("GET", "/sobjects/Account", "a"),
        _part("GET", "/sobjects/Account/describe", "a"),
    ]
    graphs = [_graph(str(number), part) for number, part in enumerate(refused)]
    answer = rest.post("/composite/graph", {"graphs": graphs}).json()["graphs"]
    assert [each["isSuccessful"] for each in answer] == [False] * 5
    part = _part("POST", "/sobjects/Account", "a", {"Name": "A"})
    for parts in ([part, part], [{**part, "referenceId": "a b"}], [{**part, "method": "post"}]):
        graph = {"graphs": [_graph("g", *parts)]}
        assert rest.post("/composite/graph", graph).status_code == 400


def test_nodes_of_other_versions_methods_and_objects_are_different(rest):
    """At most 15 in the whole request (REST API guide, Composite Graph Limits)."""
    urls = [f"/services/data/v{n}.0/sobjects/Account/Ext__c/x{n}" for n in range(50, 58)]
    parts = [
        {"method": method, "url": url, "referenceId": f"{method}{n}", "body": {"Name": "A"}}
        for n, url in enumerate(urls)
        for method in ("PATCH", "GET")
    ]
    graphs = [_graph("first", *parts[:8]), _graph("second", *parts[8:15])]
    assert rest.post("/composite/graph", {"graphs": graphs}).status_code == 200
    graphs[1] = _graph("second", *parts[8:])
    assert rest.post("/composite/graph", {"graphs": graphs}).status_code == 400


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

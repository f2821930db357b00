"""Why rows failed: the same error is one line, different errors are not; nothing is left out."""

import pytest


@pytest.mark.parametrize("api", ["rest", "bulk"])
def test_errors_are_counted_by_code_field_and_message(bench, org, api):
    rows = [f"E{n},,{tier},true" for n, tier in enumerate(["Tin", "Zinc", "Lead"])]  # no name
    rows += [f"F{n},n,{tier},true" for n, tier in enumerate(["Tin", "Zinc", "Lead", "Iron"])]
    rows += [f"G{n}{'x' * 20}{n},n,Gold,true" for n in range(2)]
    bench.write("a.csv", "ERP_Id__c,Name,Tier__c,Active__c\n" + "\n".join(rows) + "\n")
    bench.env["ORG_TOKEN"] = org.token
    connection = f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    job = bench.job(
        f"- {{name: load, create: Account, from: a.csv, api: {api}}}", connection=connection
    )
    task = bench.run("run", job, "-o", "json").task("load")
    counted = {(each["code"], each["rows"]) for each in task["top_errors"]}
    assert ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", 7) in counted
    assert ("STRING_TOO_LONG", 2) in counted
    assert sum(each["rows"] for each in task["top_errors"]) == 9
    assert task["other_errors"] == 0


def test_what_is_left_out_is_said(bench, org):
    places = ["alpha", "beta", "gamma", "delta", "eps", "zeta", "eta", "theta", "iota", "kappa"]
    answers = [
        f'{{"success": false, "errors": [{{"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION",'
        f'"message": "Rule {place}", "fields": []}}]}}'
        for place in [*places, *places, "lambda", "my", "ny"]
    ]
    bench.write("a.csv", "Name\n" + "x\n" * len(answers))
    body = f"[{','.join(answers)}]"
    org.fault(kind="status", path="composite/sobjects", method="POST", status=200, body=body)
    bench.env["ORG_TOKEN"] = org.token
    connection = f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    job = bench.job(
        "- {name: load, create: Account, from: a.csv, api: rest}", connection=connection
    )
    ended = bench.run("run", job)
    assert ended.out.count("2 x FIELD_CUSTOM_VALIDATION_EXCEPTION") == 10
    assert "3 more for other reasons, listed in the files" in ended.out
    assert bench.run("show", "-o", "json").document["tasks"][0]["outcome"]["other_errors"] == 3

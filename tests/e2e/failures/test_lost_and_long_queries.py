"""Queries whose result is lost halfway, and queries that are too long for an API."""

import csv
import json

import pytest

from tests.short_form import slow

GONE = b'[{"message":"invalid query locator","errorCode":"INVALID_QUERY_LOCATOR"}]'
ONE = """
- name: read
  query: {soql}
  to: out.csv
  api: {api}
  retry: {{attempts: 2, longest_wait: 1s}}
"""


def load(bench, count):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(count)))
    job = bench.job("- name: load\n  create: Account\n  from: a.csv\n", name="load.yaml")
    assert bench.run("run", job).code == 0


GONE_RESULTS = {
    "rest": ("rest", "-2000", 400, GONE),
    "not found": ("bulk", "/results", 404, b'[{"message":"gone","errorCode":"NOT_FOUND"}]'),
    "bulk": ("bulk", "/results", 400, GONE),
}


@pytest.mark.parametrize(
    ("answer", "times", "code"),
    [
        ("rest", 1, 0),
        ("not found", 1, 0),
        ("bulk", 1000, 1),
        *slow(("rest", 1000, 1), ("not found", 1000, 1), ("bulk", 1, 0)),
    ],
)
def test_a_result_that_is_gone_is_read_once_more(bench, org, proxy, answer, times, code):
    api, part, status, body = GONE_RESULTS[answer]
    load(bench, 2500)
    left = [times]

    def change(passing):
        if part in passing.path and passing.method == "GET" and left[0]:
            left[0] -= 1
            passing.status, passing.body = status, body

    proxy.change = change
    soql = "SELECT Id, Name FROM Account"
    ended = bench.run("run", bench.job(ONE.format(soql=soql, api=api), connection=proxy.connection))
    assert ended.code == code, ended.err
    assert "reading the query again" in ended.err
    if not code:
        with (bench.folder / "out.csv").open(encoding="utf-8") as lines:
            assert len({row["Id"] for row in csv.DictReader(lines)}) == 2500
    else:
        assert not (bench.folder / "out.csv").exists()


def among(count):
    return ",".join(f"'a rather long name of number {number}'" for number in range(count))


def test_a_long_query_says_that_it_goes_over_bulk_and_is_refused_over_rest(bench, org):
    soql = f"SELECT Id, Name FROM Account WHERE Name IN ({among(500)})"
    ended = bench.run("run", bench.job(ONE.format(soql=soql, api="auto")))
    assert ended.code == 0, ended.err
    assert "too long for a URL: it runs over Bulk API" in ended.err
    ended = bench.run("run", bench.job(ONE.format(soql=soql, api="rest")))
    assert ended.code == 2, ended.err
    assert "its WHERE clause has" in ended.err + ended.out


def test_a_long_query_that_bulk_cannot_run_names_both_limits(bench, org):
    soql = f"SELECT COUNT(Id) n FROM Account WHERE Name IN ({among(500)})"
    ended = bench.run("run", bench.job(ONE.format(soql=soql, api="auto")))
    assert ended.code == 1, ended.err
    assert "too long for REST" in ended.err + ended.out
    assert "Bulk API cannot run it" in ended.err + ended.out


@pytest.mark.slow
def test_a_record_of_five_million_characters(bench, serve_org):
    names = [f"L{number}__c" for number in range(40)]
    fields = "".join(f"      {n}: {{type: long_text, label: L, length: 131072}}\n" for n in names)
    file = f"version: 1\nobjects:\n  Account:\n    fields:\n{fields}"
    org = serve_org(org_file=file)
    path = f"/services/data/v62.0/sobjects/Account/{org.create('Account', Name='long')}"
    for start in range(0, 40, 8):
        values = dict.fromkeys(names[start : start + 8], "x" * 131_000)
        assert org.request("PATCH", path, json=values).status_code == 204
    soql = f"SELECT {', '.join(names)} FROM Account"
    for api in ("rest", "bulk"):
        for suffix in ("csv", "json", "parquet"):
            query = f"- name: q\n  query: {soql}\n  to: {api}.{suffix}\n  api: {api}\n"
            job = bench.job(query, connection="{environment: local, org_file: org.yaml}")
            assert bench.run("run", job).code == 0
        (row,) = json.loads((bench.folder / f"{api}.json").read_text(encoding="utf-8"))
        assert row == dict.fromkeys(names, "x" * 131_000)

"""Answers that are changed on their way: fetched again, and never a green run with fewer rows."""

import csv
import gzip
import json
from itertools import product
from pathlib import Path

import pytest

from tests.short_form import short_form

ROWS = 3000
QUERY = """
- name: read
  query: SELECT Id, Name FROM Account
  to: out.csv
  api: {api}
  retry: {{attempts: 3, longest_wait: 1s}}
"""
LOAD = """
- name: load
  create: Account
  from: a.csv
  api: bulk
  retry: {attempts: 3, longest_wait: 1s}
"""


def half_of_the_gzip(passing):
    packed = gzip.compress(passing.body)
    passing.body = packed[: len(packed) // 2]
    passing.headers["Content-Encoding"] = "gzip"


def members(passing):
    middle = len(passing.body) // 2
    passing.body = gzip.compress(passing.body[:middle]) + gzip.compress(passing.body[middle:])
    passing.headers["Content-Encoding"] = "gzip"


def cut_after_a_line(passing):
    passing.body = passing.body[: passing.body.index(b"\n", len(passing.body) // 2) + 1]


def cut_in_the_last_record(passing):
    passing.body = passing.body[: passing.body.rindex(b",")]


def doubled(passing):
    passing.body *= 2


def a_web_page(passing):
    passing.body = b"<html><body>Please\nlog\nin</body></html>"
    passing.headers["content-type"] = "text/html"


def an_unlabelled_web_page(passing):
    passing.body = b"<html><body>Please\nlog\nin</body></html>"


def garbled(passing):
    passing.body = passing.body[:-20] + b"\xff\xfe" + passing.body[-18:]


def another_encoding(passing):
    passing.headers["Content-Encoding"] = "br"


def nothing(passing):
    passing.body = b""


DAMAGE = pytest.mark.parametrize(
    "damage",
    [
        half_of_the_gzip,
        cut_after_a_line,
        cut_in_the_last_record,
        doubled,
        a_web_page,
        an_unlabelled_web_page,
        garbled,
        another_encoding,
        nothing,
    ],
    ids=lambda damage: damage.__name__,
)
SOME_DAMAGE = pytest.mark.parametrize(
    "damage",
    short_form(DAMAGE.args[1], [half_of_the_gzip, cut_in_the_last_record, an_unlabelled_web_page]),
    ids=lambda damage: damage.__name__,
)


def strikes(damage, part, times=1000, method="GET"):
    """Damage the answers to requests whose path has this in it, the first times only."""
    left = [times]

    def change(passing):
        if passing.method == method and part in passing.path and passing.status < 300 and left[0]:
            left[0] -= 1
            damage(passing)

    return change


def fill(org, rows=ROWS):
    body = b"Name\n" + b"".join(b'"n %d\nline"\n' % number for number in range(rows))
    base = "/services/data/v62.0/jobs/ingest"
    asked = {"object": "Account", "operation": "insert", "lineEnding": "LF", "contentType": "CSV"}
    job = org.request("POST", base, json=asked).json()["id"]
    org.request("PUT", f"{base}/{job}/batches", content=body, headers={"Content-Type": "text/csv"})
    org.request("PATCH", f"{base}/{job}", json={"state": "UploadComplete"})
    while org.request("GET", f"{base}/{job}").json()["state"] != "JobComplete":
        pass


def lines(file):
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@DAMAGE
def test_a_bulk_page_that_arrives_damaged_is_fetched_again_or_fails_the_run(
    bench, org, proxy, damage
):
    fill(org)
    job = bench.job(QUERY.format(api="bulk"), connection=proxy.connection)
    proxy.change = strikes(damage, "/results")
    ended = bench.run("run", job)
    assert ended.code == 1, ended.err + ended.out
    assert "arrived damaged" in ended.out + ended.err
    assert not (bench.folder / "out.csv").exists()
    proxy.change = strikes(damage, "/results", times=1)
    ended = bench.run("run", job)
    assert ended.code == 0, ended.err
    assert len(lines(bench.folder / "out.csv")) == ROWS


@pytest.mark.parametrize("api", ["bulk", "rest"])
def test_every_gzip_member_is_read(bench, org, proxy, api):
    fill(org)
    proxy.change = strikes(members, "/")
    ended = bench.run("run", bench.job(QUERY.format(api=api), connection=proxy.connection))
    assert ended.code == 0, ended.err
    assert len(lines(bench.folder / "out.csv")) == ROWS


def fewer_records(passing):
    page = json.loads(passing.body)
    page["records"] = page["records"][:10]
    passing.body = json.dumps(page).encode()


def half_the_json(passing):
    passing.body = passing.body[: len(passing.body) // 2]


@pytest.mark.parametrize(
    "damage", [half_of_the_gzip, half_the_json, a_web_page, nothing, garbled, fewer_records]
)
def test_a_rest_page_that_arrives_damaged_is_fetched_again_or_fails_the_run(
    bench, org, proxy, damage
):
    fill(org)
    job = bench.job(QUERY.format(api="rest"), connection=proxy.connection)
    proxy.change = strikes(damage, "-2000")
    ended = bench.run("run", job)
    assert ended.code == 1, ended.err + ended.out
    assert not (bench.folder / "out.csv").exists()
    proxy.change = strikes(damage, "-2000", times=1)
    ended = bench.run("run", job)
    assert ended.code == 0, ended.err + ended.out
    assert len(lines(bench.folder / "out.csv")) == ROWS


def test_records_taken_out_of_the_only_page_are_noticed(bench, org, proxy):
    fill(org, 100)
    proxy.change = strikes(fewer_records, "/query")
    ended = bench.run("run", bench.job(QUERY.format(api="rest"), connection=proxy.connection))
    assert ended.code == 1, ended.err + ended.out
    assert "100 records" in ended.out + ended.err


@SOME_DAMAGE
def test_result_sets_that_arrive_damaged_once_are_fetched_again(bench, org, proxy, damage):
    text = "Name,Tier__c\n" + "".join(f"n {n},{'' if n % 3 else 'Tin'}\n" for n in range(300))
    bench.write("a.csv", text)
    changes = [strikes(damage, each, times=1) for each in ("successfulResults", "failedResults")]
    proxy.change = lambda passing: [change(passing) for change in changes]
    ended = bench.run("run", bench.job(LOAD, connection=proxy.connection), "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    counts = ended.task("load")["counts"]
    assert (counts["created"], counts["failed"], counts["in_doubt"]) == (200, 100, 0)


@SOME_DAMAGE
def test_rows_of_a_result_set_that_stays_damaged_are_known_after_a_resume(
    bench, org, proxy, damage
):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(300)))
    proxy.change = strikes(damage, "successfulResults")
    job = bench.job(LOAD, connection=proxy.connection)
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 1, ended.err + ended.out
    told = ended.task("load")["message"]
    assert "result set successfulResults of ingest job 750" in told
    proxy.change = lambda _: None
    resumed = bench.run("resume", "-o", "json")
    assert resumed.code == 0, resumed.err + resumed.out
    assert resumed.task("load")["counts"]["created"] == 300
    assert resumed.task("load")["counts"]["in_doubt"] == 0
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 300}]


def other_values(passing):
    passing.body = passing.body.replace(b'"n 7"', b'"m 7"')


@pytest.mark.parametrize(("times", "code"), [(1, 0), (1000, 1)])
def test_results_of_other_rows_are_downloaded_again(bench, org, proxy, times, code):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(300)))
    proxy.change = strikes(other_values, "successfulResults", times=times)
    ended = bench.run("run", bench.job(LOAD, connection=proxy.connection), "-o", "json")
    assert ended.code == code, ended.err + ended.out
    if code:
        proxy.change = lambda _: None
        ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 300
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 300}]


def without_an_id(passing):
    """And in another order, so that results are parsed."""
    head, *lines = passing.body.decode().splitlines(keepends=True)
    place = next(at for at, line in enumerate(lines) if line.endswith('"n 7"\n'))
    lines[place] = '"",' + lines[place].partition(",")[2]
    passing.body = "".join([head, *reversed(lines)]).encode()


@pytest.mark.parametrize(("times", "code"), [(1, 0), (1000, 1)])
def test_a_row_that_succeeded_without_an_id_is_in_doubt(bench, org, proxy, times, code):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(300)))
    proxy.change = strikes(without_an_id, "successfulResults", times=times)
    ended = bench.run("run", bench.job(LOAD, connection=proxy.connection), "-o", "json")
    assert ended.code == code, ended.err + ended.out
    if code:
        counts = ended.task("load")["counts"]
        assert (counts["created"], counts["in_doubt"]) == (299, 1)
        assert "rows without a result: 1 (8)" in ended.task("load")["message"]
        proxy.change = lambda _: None
        ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 300
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 300}]


REST_LOAD = """
- name: load
  {verb}: Account
  {key}from: a.csv
  api: rest
  retry: {{attempts: 3, longest_wait: 1s}}
"""


@pytest.mark.parametrize(
    ("verb", "damage"),
    short_form(
        [
            *product(
                ["create", "upsert"],
                [half_of_the_gzip, half_the_json, a_web_page, nothing, garbled],
            )
        ],
        [("create", half_of_the_gzip), ("upsert", half_the_json), ("create", nothing)],
    ),
)
def test_a_rest_answer_that_is_cut_after_the_work_was_done(bench, org, proxy, damage, verb):
    text = "ERP_Id__c,Name\n" + "".join(f"E{n},n {n}\n" for n in range(300))
    bench.write("a.csv", text)
    method = "POST" if verb == "create" else "PATCH"
    proxy.change = strikes(damage, "composite/sobjects", times=1, method=method)
    key = "key: ERP_Id__c\n  " if verb == "upsert" else ""
    job = bench.job(REST_LOAD.format(verb=verb, key=key), connection=proxy.connection)
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 300
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 300}]


def test_the_place_of_the_state_is_not_named(bench, org, proxy):
    """A message names the result set, not a file of the run."""
    bench.write("a.csv", "Name\nn\n")
    proxy.change = strikes(garbled, "successfulResults")
    ended = bench.run("run", bench.job(LOAD, connection=proxy.connection))
    assert "part-0" not in ended.err + ended.out
    assert str(Path(bench.state)) not in ended.err


def without_two_ids(passing):
    results = json.loads(passing.body)
    for each in results[5:7]:
        each["id"] = None
    passing.body = json.dumps(results).encode()


@pytest.mark.parametrize("verb", ["create", "upsert"])
def test_a_rest_record_that_succeeded_without_an_id_is_in_doubt(bench, org, proxy, verb):
    bench.write("a.csv", "Name,ERP_Id__c\n" + "".join(f"n {n},E{n}\n" for n in range(10)))
    method = "POST" if verb == "create" else "PATCH"
    key = "key: ERP_Id__c\n  " if verb == "upsert" else ""
    proxy.change = strikes(without_two_ids, "composite/sobjects", times=1, method=method)
    job = bench.job(REST_LOAD.format(verb=verb, key=key), connection=proxy.connection)
    ended = bench.run("run", job, "-o", "json")
    if verb == "upsert":
        assert ended.code == 1, ended.err + ended.out
        assert "says of 2 of 10 records that they succeeded" in ended.task("load")["message"]
        ended = bench.run("resume", "-o", "json")
    # A create has found its records by their unique field.
    assert ended.code == 0, ended.err + ended.out
    found = lines(Path(ended.task("load")["results"]) / "succeeded.csv")
    assert sorted(each["sf__Id"] for each in found) == sorted(
        each["Id"] for each in org.rows("SELECT Id FROM Account")
    )
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 10}]

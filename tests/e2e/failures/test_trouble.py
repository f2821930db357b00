"""What a run makes of an org, or a network, that does not behave."""

from itertools import product

import pytest

from tests.e2e.apis import OVER_BULK, OVER_REST
from tests.short_form import short_form, slow

LOAD = """
- name: load
  {verb}: Account
  from: a.csv
  api: {api}
  retry: {{attempts: 4, longest_wait: 1s}}
"""


@pytest.fixture
def trouble(org):
    def ask(kind, **more):
        answer = org.request("POST", "/__org/faults", json={"kind": kind, **more})
        assert answer.status_code == 201, answer.text

    return ask


def write_rows(bench, count):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(count)))


@pytest.mark.parametrize(
    ("api", "status"),
    short_form(
        [*product(["rest", "bulk"], [500, 502, 503, 429])],
        [("bulk", 500), ("rest", 503), ("bulk", 429)],
    ),
)
def test_a_passing_outage_is_waited_out(bench, org, trouble, api, status):
    write_rows(bench, 300)
    trouble(
        "status", path="composite|jobs", method="GET|PATCH|PUT", status=status, html=True, times=2
    )
    ended = bench.run("run", bench.job(LOAD.format(verb="create", api=api)), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 300}]


@pytest.mark.parametrize("kind", ["answer_lost", *slow("reset_after")])
def test_a_create_whose_answer_was_lost_is_told_and_never_sent_again(bench, org, trouble, kind):
    write_rows(bench, 600)
    trouble(kind, path="/composite/sobjects", method="POST", nth=2)
    ended = bench.run("run", bench.job(LOAD.format(verb="create", api="rest")), "-o", "json")
    assert ended.code in {3, 5}, ended.err + ended.out
    assert org.rows("SELECT COUNT(Id) n FROM Account")[0]["n"] <= 600
    counts = ended.task("load")["counts"]
    assert counts["in_doubt"] == 200
    assert counts["created"] + counts["in_doubt"] + counts["unprocessed"] == 600
    doubtful = ended.rows("in_doubt")
    assert len(doubtful) == 200
    assert doubtful[0]["sf__Code"] == "ANSWER_LOST"
    names = {row["Name"] for row in org.rows("SELECT Name FROM Account")}
    assert {row["Name"] for row in doubtful} <= names, "they had been carried out"
    assert not {row["Name"] for row in ended.rows("unprocessed")} & names


@pytest.mark.parametrize("kind", ["answer_lost", *slow("reset_after", "reset_before")])
def test_an_upsert_whose_answer_was_lost_is_sent_again(bench, org, trouble, kind):
    bench.write("a.csv", "ERP_Id__c,Name\n" + "".join(f"E{n},n {n}\n" for n in range(500)))
    trouble(kind, path="/composite/sobjects", nth=2)
    job = bench.job(LOAD.format(verb="upsert", api="rest") + "  key: ERP_Id__c\n")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 500}]


REQUESTS = {"POST": "/jobs/ingest$", "PUT": "/batches", "PATCH": "/jobs/ingest/"}


@pytest.mark.parametrize(
    ("method", "kind"),
    short_form(
        [*product(REQUESTS, ["answer_lost", "reset_after", "reset_before"])],
        [("POST", "answer_lost"), ("PUT", "reset_before"), ("PATCH", "reset_after")],
    ),
)
def test_a_bulk_create_is_carried_out_once_whichever_answer_is_lost(
    bench, org, trouble, kind, method
):
    path = REQUESTS[method]
    write_rows(bench, 300)
    trouble(kind, path=path, method=method, nth=1)
    ended = bench.run("run", bench.job(LOAD.format(verb="create", api="bulk")), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 300}]
    assert ended.task("load")["counts"]["created"] == 300


@OVER_BULK
def test_locked_rows_are_tried_again(bench, org, trouble, api):
    write_rows(bench, 300)
    trouble("lock_rows", probability=0.3, times=60)
    ended = bench.run("run", bench.job(LOAD.format(verb="create", api=api)), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 300


@OVER_REST
def test_the_daily_limit_stops_the_run_and_says_when_to_come_back(bench, org, trouble, api):
    write_rows(bench, 500)
    trouble("daily_limit", path="composite/sobjects|jobs/ingest$")
    ended = bench.run("run", bench.job(LOAD.format(verb="create", api=api)), "-o", "json")
    assert ended.code == 5, ended.err + ended.out
    task = ended.task("load")
    assert task["code"] == "REQUEST_LIMIT_EXCEEDED"
    assert task["counts"]["unprocessed"] == 500
    assert len(ended.rows("unprocessed")) == 500


@pytest.mark.parametrize(
    ("kind", "word"), [("job_fails", "Failed"), *slow(("job_aborts", "Aborted"))]
)
def test_a_job_that_ends_badly_half_way_is_accounted_row_by_row(bench, org, trouble, kind, word):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(20_500)))
    trouble(kind, rows=10_000)
    once = LOAD.format(verb="create", api="bulk").replace("attempts: 4", "attempts: 1")
    ended = bench.run("run", bench.job(once), "-o", "json")
    assert ended.code == 1, ended.err + ended.out
    counts = ended.task("load")["counts"]
    in_org = org.rows("SELECT COUNT(Id) n FROM Account")[0]["n"]
    assert counts["created"] == in_org == len(ended.rows("succeeded"))
    assert 0 < counts["created"] < 20_500
    assert counts["created"] + counts["failed"] + counts["unprocessed"] == 20_500
    assert word in ended.task("load")["message"]


@pytest.mark.parametrize("kind", ["job_aborts", *slow("job_fails")])
def test_what_a_bad_job_left_unprocessed_goes_into_a_new_one(bench, org, trouble, kind):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(10_500)))
    trouble(kind, rows=10_000, times=1)
    ended = bench.run("run", bench.job(LOAD.format(verb="create", api="bulk")), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 10_500
    assert len(ended.task("load")["bulk_job_ids"]) == 2
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 10_500}]
    assert len({row["sf__Row"] for row in ended.rows("succeeded")}) == 10_500


@pytest.mark.parametrize("attempts", [4, *slow(1)])
def test_rows_of_a_failed_job_that_lists_none_are_sent_again(bench, org, trouble, attempts):
    write_rows(bench, 300)
    trouble("job_fails", times=1)
    answer = {"status": 200, "body": "\n", "headers": {"Content-Type": "text/csv"}}
    trouble("status", path="unprocessedrecords", **answer)
    load = LOAD.format(verb="create", api="bulk").replace("attempts: 4", f"attempts: {attempts}")
    ended = bench.run("run", bench.job(load), "-o", "json")
    counts = ended.task("load")["counts"]
    if attempts == 1:
        assert ended.code == 1, ended.err + ended.out
        assert "is Failed" in ended.task("load")["message"]
        assert (counts["unprocessed"], counts["in_doubt"]) == (300, 0)
    else:
        assert ended.code == 0, ended.err + ended.out
        assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 300}]


def test_a_task_timeout_ends_it_with_its_rows_accounted_for(bench, serve_org):
    serve_org("--bulk-pace-seconds", "60")
    write_rows(bench, 10)
    job = bench.job(LOAD.format(verb="create", api="bulk") + "  timeout: 1s\n")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 5, ended.err
    assert ended.task("load")["counts"]["in_doubt"] == 10


def test_nothing_there_is_told_as_such(bench):
    connection = "{environment: local, url: 'http://127.0.0.1:9', token: {env: T}}"
    bench.env["T"] = "00D000000000001!x"
    one_try = LOAD.format(verb="create", api="rest").replace("attempts: 4", "attempts: 1")
    job = bench.job(one_try, connection=connection)
    write_rows(bench, 1)
    ended = bench.run("run", job)
    assert ended.code == 5
    assert "127.0.0.1:9" in ended.err


@OVER_BULK
def test_a_job_says_itself_which_row_errors_are_tried_again(bench, org, trouble, api):
    write_rows(bench, 50)
    trouble("lock_rows", probability=0.5, times=20)
    tasks = LOAD.format(verb="create", api=api)
    ignoring = tasks.replace("longest_wait: 1s", "longest_wait: 1s, ignore: [UNABLE_TO_LOCK_ROW]")
    ended = bench.run("run", bench.job(ignoring), "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    assert ended.task("load")["top_errors"][0]["code"] == "UNABLE_TO_LOCK_ROW"

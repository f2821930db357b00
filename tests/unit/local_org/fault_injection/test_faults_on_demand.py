"""Faults on demand: each kind seen by a plain client; counting, chance, taking away."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from runner.local_org.app import open_org
from runner.local_org.catalog.section import DeclarationError
from runner.local_org.oauth.sessions import Sessions
from runner.local_org.org import Settings

ACCOUNTS = "/services/data/v60.0/sobjects/Account"
SAYS = "/services/data/v60.0"


@pytest.fixture
def org(served):
    return served()


@pytest.fixture
def fault(org):
    """Puts a rule in force; gives its number."""

    def add(**rule):
        answer = org.client.post("/__org/faults", json=rule)
        assert answer.status_code == 201, answer.text
        return answer.json()["ids"][0]

    return add


def count(org):
    """How many accounts there are, asked of the store itself."""
    with org.org.store.reading() as conn:
        return conn.execute('SELECT COUNT(*) FROM "Account"').fetchone()[0]


def test_a_status_without_a_body_twice_and_then_no_more(org, fault):
    fault(kind="status", status=503, times=2)
    answers = [org.client.get(SAYS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].content == b""


def test_a_status_in_salesforces_shape(org, fault):
    fault(
        kind="status",
        status=500,
        code="UNKNOWN_EXCEPTION",
        message="An unexpected error occurred.",
        headers={"Retry-After": "1"},
    )
    answer = org.client.get(SAYS)
    assert answer.json() == [
        {"message": "An unexpected error occurred.", "errorCode": "UNKNOWN_EXCEPTION"}
    ]
    assert answer.headers["retry-after"] == "1"


def test_an_edge_answers_with_html(org, fault):
    fault(kind="status", status=502, html=True)
    answer = org.client.get(SAYS)
    assert answer.headers["content-type"] == "text/html"
    assert "<html>" in answer.text


def test_only_what_matches_goes_wrong(org, fault):
    fault(kind="status", method="post", path="/sobjects/Account$", nth=2)
    codes = [org.client.post(ACCOUNTS, json={"Name": "A"}).status_code for _ in range(3)]
    assert codes == [201, 503, 201]
    assert org.client.get(SAYS).status_code == 200


def test_a_reset_before_the_work_leaves_nothing(org, fault):
    fault(kind="reset_before", times=1)
    with pytest.raises(httpx.ReadError):
        org.client.post(ACCOUNTS, json={"Name": "A"})
    assert count(org) == 0
    assert org.client.post(ACCOUNTS, json={"Name": "A"}).status_code == 201


def test_a_reset_after_the_work_leaves_it_done(org, fault):
    fault(kind="reset_after", times=1)
    with pytest.raises(httpx.ReadError):
        org.client.post(ACCOUNTS, json={"Name": "A"})
    assert count(org) == 1


def test_an_answer_lost_after_the_work_leaves_it_done(org, fault):
    fault(kind="answer_lost", times=1)
    answer = org.client.post(ACCOUNTS, json={"Name": "A"})
    assert (answer.status_code, answer.content) == (504, b"")
    assert count(org) == 1


def test_a_truncated_body_breaks_off(org, fault):
    fault(kind="truncated", bytes=10, times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        org.client.get(SAYS)
    assert org.client.get(SAYS).status_code == 200


def test_a_slow_body_arrives_whole(org, fault):
    whole = org.client.get(SAYS).content
    fault(kind="slow", bytes_per_second=20_000)
    assert org.client.get(SAYS).content == whole


def test_a_stale_session_is_really_over(org, fault):
    token = org.org.part(Sessions).begin(org.org.user, "3MVG9").token
    fault(kind="stale_session", times=1)
    headers = {"Authorization": f"Bearer {token}"}
    answers = [org.client.get(SAYS, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json()[0]["errorCode"] == "INVALID_SESSION_ID"


def test_the_servers_own_session_is_refused_and_goes_on(org, fault):
    fault(kind="stale_session", times=1)
    assert [org.client.get(SAYS).status_code for _ in range(2)] == [401, 200]


@pytest.mark.parametrize(
    ("kind", "words"), [("concurrency_limit", "ConcurrentRequests"), ("daily_limit", "TotalReq")]
)
def test_limits_are_told_as_salesforce_tells_them(org, fault, kind, words):
    fault(kind=kind)
    answer = org.client.get(SAYS)
    assert answer.status_code == 403
    assert answer.json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    assert answer.json()[0]["message"].startswith(words)


def test_chance_repeats_with_the_seed(served, tmp_path):
    def drawn(name, seed):
        org = served(settings=Settings(seed=seed), folder=tmp_path / name)
        org.client.post("/__org/faults", json={"kind": "status", "probability": 0.5})
        return [org.client.get(SAYS).status_code for _ in range(20)]

    first = drawn("one", 7)
    assert first == drawn("two", 7)
    assert set(first) == {200, 503}
    assert first != drawn("three", 8)


def test_rows_of_a_chosen_parent_are_locked(org, fault):
    parent = org.client.post(ACCOUNTS, json={"Name": "P"}).json()["id"]
    fault(kind="lock_rows", object="Contact", values=[parent], times=1)
    path = "/services/data/v60.0/composite/sobjects"
    records = [
        {"attributes": {"type": "Contact"}, "LastName": "Held", "AccountId": parent},
        {"attributes": {"type": "Contact"}, "LastName": "Free"},
    ]
    held, free = org.client.post(path, json={"records": records}).json()
    assert held["errors"] == [
        {
            "statusCode": "UNABLE_TO_LOCK_ROW",
            "message": "unable to obtain exclusive access to this record or 1 records: "
            + parent[:15],
            "fields": [],
        }
    ]
    assert free["success"] is True
    again = org.client.post(path, json={"records": records[:1]}).json()
    assert again[0]["success"] is True


def test_each_row_is_looked_at_once(org, fault):
    fault(kind="lock_rows", after=1)
    records = [{"attributes": {"type": "Account"}, "Name": name} for name in "AB"]
    first, second = org.client.post(
        "/services/data/v60.0/composite/sobjects", json={"records": records}
    ).json()
    assert (first["success"], second["success"]) == (True, False)


def test_all_or_none_takes_the_others_along(org, fault):
    fault(kind="lock_rows", nth=1)
    records = [{"attributes": {"type": "Account"}, "Name": name} for name in "AB"]
    answer = org.client.post(
        "/services/data/v60.0/composite/sobjects", json={"allOrNone": True, "records": records}
    )
    codes = [each["errors"][0]["statusCode"] for each in answer.json()]
    assert codes == ["UNABLE_TO_LOCK_ROW", "ALL_OR_NONE_OPERATION_ROLLED_BACK"]
    assert count(org) == 0


class TestJobs:
    PATH = "/services/data/v60.0/jobs/ingest"

    def begin(self, org, rows=450):
        client = org.client
        job = client.post(self.PATH, json={"object": "Account", "operation": "insert"}).json()
        content = "Name\n" + "".join(f"Acme {number}\n" for number in range(rows))
        client.put(
            f"{self.PATH}/{job['id']}/batches",
            content=content,
            headers={"Content-Type": "text/csv"},
        )
        client.patch(f"{self.PATH}/{job['id']}", json={"state": "UploadComplete"})
        return f"{self.PATH}/{job['id']}"

    def until(self, org, path, *states, rows=0):
        for _ in range(100_000):
            job = org.client.get(path).json()
            if job["state"] in states and job.get("numberRecordsProcessed", 0) >= rows:
                return job
        raise AssertionError(job)

    def names(self, org, path, which):
        text = org.client.get(f"{path}/{which}").text
        return [row["Name"] for row in csv.DictReader(io.StringIO(text))]

    @pytest.mark.parametrize(
        ("kind", "state"), [("job_fails", "Failed"), ("job_aborts", "Aborted")]
    )
    def test_a_job_ends_half_way(self, org, fault, kind, state):
        fault(kind=kind, object="Account", rows=200)
        path = self.begin(org)
        assert self.until(org, path, state)["numberRecordsProcessed"] == 200
        done = self.names(org, path, "successfulResults")
        left = self.names(org, path, "unprocessedrecords")
        assert (len(done), len(left)) == (200, 250)
        assert not set(done) & set(left)
        assert count(org) == 200

    def test_a_job_fails_with_the_message_asked_for(self, org, fault):
        fault(kind="job_fails", message="InternalServerError : no luck")
        job = self.until(org, self.begin(org), "Failed")
        assert job["errorMessage"] == "InternalServerError : no luck"
        assert job["numberRecordsProcessed"] == 0

    def test_a_stalled_job_goes_on_when_the_fault_is_taken_away(self, org, fault):
        number = fault(kind="job_stalls", rows=200)
        path = self.begin(org)
        self.until(org, path, "InProgress", rows=200)
        assert org.client.get(path).json()["numberRecordsProcessed"] == 200
        org.client.delete(f"/__org/faults/{number}")
        assert self.until(org, path, "JobComplete")["numberRecordsProcessed"] == 450
        assert count(org) == 450

    def test_a_stalled_job_can_be_aborted(self, org, fault):
        fault(kind="job_stalls")
        path = self.begin(org)
        self.until(org, path, "InProgress")
        assert org.client.patch(path, json={"state": "Aborted"}).json()["state"] == "Aborted"

    def test_a_crash_half_way_does_no_row_twice(self, served, org, fault):
        fault(kind="job_stalls", rows=200)
        path = self.begin(org)
        self.until(org, path, "InProgress", rows=200)
        org.stop()
        again = served()
        assert self.until(again, path, "JobComplete")["numberRecordsProcessed"] == 450
        assert count(again) == 450
        assert len(set(self.names(again, path, "successfulResults"))) == 450


def test_rules_are_listed_with_what_they_did_and_taken_away(org, fault):
    number = fault(kind="status", path="/sobjects", times=1)
    org.client.get(SAYS)
    org.client.get("/services/data/v60.0/sobjects")
    (listed,) = org.client.get("/__org/faults").json()
    assert (listed["id"], listed["met"], listed["struck"]) == (number, 1, 1)
    assert listed["path"] == "/sobjects"
    assert org.client.delete("/__org/faults").json() == {"removed": 1}
    assert org.client.get("/__org/faults").json() == []


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "kind is missing"),
        ({"kind": "flood"}, "kind is one of"),
        ({"kind": "status", "path": "("}, "not a regular expression"),
        ({"kind": "status", "times": "2"}, "times is a whole number"),
        ({"kind": "status", "probability": 2}, "probability is out of range"),
        ({"kind": "status", "colour": 1}, "unknown key colour"),
        ([1], "an object with a kind"),
    ],
)
def test_a_rule_that_says_nonsense_is_refused(org, rule, words):
    answer = org.client.post("/__org/faults", json=rule)
    assert answer.status_code == 400
    assert words in answer.json()[0]["message"]


def test_the_org_file_may_bring_faults(served, tmp_path):
    declared = {"version": 1, "faults": [{"kind": "status", "status": 502, "times": 1}]}
    org = served(declared, folder=tmp_path / "troubled")
    assert [org.client.get(SAYS).status_code for _ in range(2)] == [502, 200]


def test_a_mistake_in_the_org_file_is_told_with_its_place(tmp_path):
    declared = {
        "version": 1,
        "faults": [{"kind": "status"}, {"kind": "flood"}],
        "apps": [{"client_secret": "x"}, {"client_id": "a", "colour": "blue"}],
    }
    with pytest.raises(DeclarationError) as caught:
        open_org(tmp_path / "wrong", declared)
    assert [problem.path for problem in caught.value.problems] == [
        ("apps", 0, "client_id"),
        ("apps", 1, "colour"),
        ("faults", 1),
    ]


def test_requests_are_logged_newest_first(org):
    org.client.get(SAYS)
    org.client.get("/services/data/v60.0/nothing?a=1")
    latest = org.client.get("/__org/requests?limit=2").json()
    assert [(each["method"], each["path"], each["status"]) for each in latest] == [
        ("GET", "/services/data/v60.0/nothing", 404),
        ("GET", SAYS, 200),
    ]
    assert latest[0]["query"] == "a=1"
    org.client.delete("/__org/requests")
    assert org.client.get("/__org/requests").json() == []


def test_a_reset_empties_the_org_and_keeps_the_sign_in(org):
    org.client.post(ACCOUNTS, json={"Name": "A"})
    assert org.client.post("/__org/reset").status_code == 204
    assert count(org) == 0
    answer = org.client.post(ACCOUNTS, json={"Name": "A"})
    assert answer.status_code == 201


def test_sessions_can_be_ended_but_for_the_servers_own(org):
    token = org.org.part(Sessions).begin(org.org.user, "3MVG9").token
    assert org.client.post("/__org/sessions/expire").json() == {"ended": 1}
    ended = org.client.get(SAYS, headers={"Authorization": f"Bearer {token}"})
    assert ended.status_code == 401
    assert org.client.get(SAYS).status_code == 200


def test_a_page_of_another_origin_may_not_reset(org):
    answer = org.client.post("/__org/reset", headers={"Origin": "https://example.com"})
    assert answer.status_code == 403


def test_a_name_that_only_pretends_to_lead_here_may_not_reset(org):
    answer = org.client.post("/__org/reset", headers={"Host": "evil.example:80"})
    assert answer.status_code == 403


def test_requests_are_counted_and_run_out(served, tmp_path):
    org = served(settings=Settings(daily_api_requests=3), folder=tmp_path / "small")
    answers = [org.client.get(SAYS) for _ in range(4)]
    assert [answer.headers["sforce-limit-info"] for answer in answers] == [
        "api-usage=1/3", "api-usage=2/3", "api-usage=3/3", "api-usage=3/3",
    ]  # fmt: skip
    assert answers[3].status_code == 403
    assert answers[3].json() == [
        {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
    ]
    versions = org.client.get("/services/data")
    assert versions.status_code == 200
    assert "sforce-limit-info" not in versions.headers


def test_late_records_are_found_by_a_later_query(org, fault):
    late, other = (
        org.client.post(ACCOUNTS, json={"Name": name}).json()["id"] for name in ("Late", "Other")
    )
    fault(kind="late_records", object="Account", values=[late], times=2)

    def found(path, sobject="Account"):
        asked = {"q": f"SELECT Id FROM {sobject} WHERE Id != null"}
        answer = org.client.get(f"/services/data/v60.0/{path}", params=asked)
        return [record["Id"] for record in answer.json()["records"]]

    assert found("query", "Contact") == []
    assert [found("query"), found("queryAll"), found("query")] == [[other], [other], [late, other]]


def test_the_clock_goes_ahead(org):
    def said():
        return parsedate_to_datetime(org.client.get("/services/data").headers["date"])

    before = said()
    answer = org.client.post("/__org/clock", json={"ahead": 3_600})
    assert answer.status_code == 200
    assert timedelta(minutes=59) < said() - before < timedelta(minutes=61)
    for wrong in ({"ahead": "1"}, {"ahead": 1e300}, {}, []):
        assert org.client.post("/__org/clock", json=wrong).status_code == 400

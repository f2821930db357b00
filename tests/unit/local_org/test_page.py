"""The page for people, as a browser without JavaScript has it."""

from __future__ import annotations

import csv

import pytest

from runner.local_org.seeding import load_seeds

ACCOUNT = "/services/data/v60.0/sobjects/Account"


@pytest.fixture
def org(served):
    org = served()
    for name in ("Acme & Sons", "Globex"):
        org.client.post(ACCOUNT, json={"Name": name, "Industry": "Retail"})
    return org


def test_it_shows_objects_requests_and_faults(org):
    org.client.post("/__org/faults", json={"kind": "status", "path": "/sobjects/Lead"})
    text = org.client.get("/").text
    assert '<a href="/objects/Account"><span>Account</span>\n<strong>2</strong></a>' in text
    assert ACCOUNT in text
    assert "<code>/sobjects/Lead</code>" in text


def test_it_shows_jobs_and_why_they_failed(org):
    path = "/services/data/v60.0/jobs/ingest"
    job = org.client.post(path, json={"object": "Account", "operation": "insert"}).json()["id"]
    org.client.put(
        f"{path}/{job}/batches", content="Foo\nx\n", headers={"Content-Type": "text/csv"}
    )
    org.client.patch(f"{path}/{job}", json={"state": "UploadComplete"})
    for _ in range(100_000):
        if org.client.get(f"{path}/{job}").json()["state"] == "Failed":
            break
    text = org.client.get("/").text
    assert job in text
    assert "Field name not found : Foo" in text


def test_records_are_listed_searched_and_opened(org):
    listed = org.client.get("/objects/account").text
    assert "Acme &amp; Sons" in listed
    assert "Globex" in listed
    found = org.client.get("/objects/Account", params={"q": "acme"}).text
    assert "Acme &amp; Sons" in found
    assert "Globex" not in found
    path = found.split('href="/objects/Account/')[1].split('"')[0]
    record = org.client.get(f"/objects/Account/{path}").text
    assert "Retail" in record


@pytest.mark.parametrize("text", ["25", "1250.5", "2026-11", "no such"])
def test_numbers_and_dates_are_searched_as_they_are_shown(org, text):
    body = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-11-29", "Amount": 1250.5}
    org.client.post("/services/data/v60.0/sobjects/Opportunity", json=body)
    answer = org.client.get("/objects/Opportunity", params={"q": text})
    assert answer.status_code == 200
    assert ("Deal" in answer.text) == (text != "no such")


def test_every_object_is_searched(org):
    for sobject in org.org.catalog.sobjects:
        answer = org.client.get(f"/objects/{sobject.name}", params={"q": "5"})
        assert answer.status_code == 200, sobject.name


@pytest.mark.parametrize("page", ["0", "2", "99", "9" * 5000, "-1", "²", "x", ""])
def test_a_page_beyond_the_end_is_the_last_one(org, page):
    answer = org.client.get("/objects/Account", params={"page": page})
    assert answer.status_code == 200
    assert "Globex" in answer.text


def test_the_last_of_several_pages_is_marked_as_the_last(org):
    rows = [{"attributes": {"type": "Account"}, "Name": f"A{n}"} for n in range(100)]
    org.client.post("/services/data/v60.0/composite/sobjects", json={"records": rows})
    text = org.client.get("/objects/Account", params={"page": 7}).text
    assert "Page 3 of 3" in text
    assert "Older" not in text


def test_lookups_lead_to_their_records(org):
    parent = org.client.get("/objects/Account", params={"q": "Globex"}).text
    account = parent.split('href="/objects/Account/')[1].split('"')[0]
    body = {"LastName": "Ada", "AccountId": account}
    contact = org.client.post("/services/data/v60.0/sobjects/Contact", json=body).json()["id"]
    link = f'href="/objects/Account/{account}"'
    assert link in org.client.get("/objects/Contact").text
    record = org.client.get(f"/objects/Contact/{contact}").text
    assert link in record
    assert f'href="/objects/User/{org.org.user.id}"' in record


def test_a_bulk_job_leads_to_its_object_and_its_records(org):
    path = "/services/data/v60.0/jobs/ingest"
    job = org.client.post(path, json={"object": "account", "operation": "insert"}).json()["id"]
    content = "Name,NumberOfEmployees\nNew,1\nBad,nine\n"
    org.client.put(f"{path}/{job}/batches", content=content, headers={"Content-Type": "text/csv"})
    org.client.patch(f"{path}/{job}", json={"state": "UploadComplete"})
    for _ in range(100_000):
        if org.client.get(f"{path}/{job}").json()["state"] == "JobComplete":
            break
    for listed in ("/", "/jobs"):
        text = org.client.get(listed).text
        assert f'href="/jobs/{job}"' in text
        assert 'href="/objects/Account"' in text
    limit = csv.field_size_limit()
    shown = org.client.get(f"/jobs/{job}").text
    assert csv.field_size_limit() == limit  # which rows that are read meanwhile may need
    assert "2 rows, 1 failed" in shown
    assert "INVALID_FIELD:Failed to deserialize" in shown
    created = shown.split('href="/objects/Account/')[1].split('"')[0]
    assert "New" in org.client.get(f"/objects/Account/{created}").text


def test_the_icon_of_a_browser_tab_is_served(org):
    answer = org.client.get("/favicon.ico")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")


def test_reset_asks_before_it_deletes(org):
    asked = org.client.get("/reset").text
    assert "Reset the org?" in asked
    assert 'method="post" action="/reset"' in asked
    assert "Acme" in org.client.get("/objects/Account").text


SEEDS = {"version": 1, "seed": {"Account": "accounts.csv"}}


@pytest.mark.parametrize("path", ["/reset", "/__org/reset"])
def test_a_reset_loads_the_seeds_again(served, tmp_path, path):
    (tmp_path / "accounts.csv").write_text("Name\nSeeded\n")
    org = served(SEEDS)
    org.client.post(ACCOUNT, json={"Name": "Acme"})
    assert "accounts.csv" in org.client.get("/reset").text
    assert org.client.post(path).is_error is False
    text = org.client.get("/objects/Account").text
    assert "Seeded" in text
    assert "Acme" not in text
    assert load_seeds(org.org).records == 0


@pytest.mark.parametrize("path", ["/reset", "/__org/reset"])
def test_a_reset_whose_seeds_are_wrong_deletes_nothing(served, tmp_path, path):
    (tmp_path / "accounts.csv").write_text("Nam\nSeeded\n")
    org = served(SEEDS)
    org.client.post(ACCOUNT, json={"Name": "Acme"})
    answer = org.client.post(path)
    assert answer.status_code == 400
    assert "Account has no field" in answer.text
    assert "Nothing was deleted" in answer.text
    assert "Acme" in org.client.get("/objects/Account").text


@pytest.mark.parametrize(
    "path", ["/objects/Nothing", "/objects/Account/001000000000000AAA", "/nothing", "/jobs/750"]
)
def test_what_is_not_there_is_not_found(org, path):
    answer = org.client.get(path)
    assert answer.status_code == 404
    assert "<h1>There is no such page</h1>" in answer.text


@pytest.mark.parametrize("path", ["/services/nothing", "/__org/nothing"])
def test_programs_are_refused_in_json(org, path):
    answer = org.client.get(path)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_the_buttons_inject_remove_and_reset(org):
    form = {"kind": "status", "path": "/limits", "status": "502", "times": "", "body": ""}
    answer = org.client.post("/faults", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert org.client.get("/services/data/v60.0/limits").status_code == 502
    number = org.client.get("/__org/faults").json()[0]["id"]
    assert org.client.post(f"/faults/{number}/remove").status_code == 303
    assert org.client.get("/services/data/v60.0/limits").status_code == 200
    assert org.client.post("/reset").status_code == 303
    assert "Acme" not in org.client.get("/objects/Account").text


def test_a_wrong_fault_is_told_on_the_page(org):
    answer = org.client.post("/faults", data={"kind": "status", "path": "("})
    assert answer.status_code == 400
    assert "path is not a regular expression" in answer.text


@pytest.mark.parametrize("path", ["/reset", "/faults", "/faults/1/remove"])
def test_a_page_of_another_origin_cannot_press_the_buttons(org, path):
    answer = org.client.post(path, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/", "/objects/Account", "/requests", "/jobs"])
def test_a_page_under_a_name_that_only_leads_here_shows_nothing(org, path):
    answer = org.client.get(path, headers={"Host": "elsewhere.example:80"})
    assert answer.status_code == 403
    assert "Account" not in answer.text

"""The page for people, as a browser without JavaScript has it."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize("path", ["/objects/Nothing", "/objects/Account/001000000000000AAA"])
def test_what_is_not_there_is_not_found(org, path):
    assert org.client.get(path).status_code == 404


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

"""The records of a new org, and those that are written after them."""

import pytest

REST = "/services/data/v60.0/sobjects"
USER = {
    "LastName": "Lovelace",
    "Alias": "ada",
    "Email": "ada@local.example",
    "TimeZoneSidKey": "Europe/London",
    "LocaleSidKey": "en_GB",
    "LanguageLocaleKey": "en_US",
    "EmailEncodingKey": "UTF-8",
}


def body_of(org, sobject, number):
    if sobject != "User":
        return {"Name": f"{sobject} {number}"}
    found = org.client.get("/services/data/v60.0/query", params={"q": "SELECT Id FROM Profile"})
    profile = found.json()["records"][0]["Id"]
    return {**USER, "Username": f"ada{number}@local.example", "ProfileId": profile}


def created(org, sobject, numbers):
    bodies = [body_of(org, sobject, number) for number in numbers]
    answers = [org.client.post(f"{REST}/{sobject}", json=body) for body in bodies]
    assert [answer.status_code for answer in answers] == [201] * len(bodies), answers[-1].text
    return {answer.json()["id"] for answer in answers}


@pytest.mark.parametrize("sobject", ["User", "Pricebook2"])
def test_new_records_never_get_the_id_of_an_initial_one(served, sobject):
    org = served()
    assert len(created(org, sobject, range(4))) == 4
    assert org.client.post("/__org/reset").status_code == 204
    assert len(created(org, sobject, range(4))) == 4


def test_an_initial_record_is_added_to_an_org_that_has_used_its_number(served, tmp_path):
    org = served(folder=tmp_path / "old")
    with org.org.store.writing() as conn:  # as it was before numbers were reserved
        conn.execute("UPDATE _counters SET next = 1 WHERE name = 'User'")
    org.stop()
    assert len(created(served(folder=tmp_path / "old"), "User", range(2))) == 2


def test_a_username_is_taken_in_any_case(served):
    org = served()
    created(org, "User", [1])
    body = {**body_of(org, "User", 1), "Username": "ADA1@local.example"}
    answer = org.client.post(f"{REST}/User", json=body)
    error = answer.json()[0]
    assert (answer.status_code, error["errorCode"]) == (400, "DUPLICATE_USERNAME")
    assert error["fields"] == ["Username"]
    assert error["message"].startswith("Duplicate Username.<br>The username already exists")


def test_a_create_without_profile_and_locale_is_refused(served):
    answer = served().client.post(f"{REST}/User", json={"Username": "a@b.example"})
    error = answer.json()[0]
    assert error["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert {"ProfileId", "TimeZoneSidKey", "LocaleSidKey"} <= set(error["fields"])


def test_each_org_has_an_id_of_its_own_and_keeps_it(served, tmp_path):
    def organization(org):
        query = {"q": "SELECT Id FROM Organization"}
        return org.client.get("/services/data/v60.0/query", params=query).json()["records"]

    one, other = served(folder=tmp_path / "one"), served(folder=tmp_path / "other")
    before = organization(one)
    assert len(before) == 1
    assert before[0]["Id"] != organization(other)[0]["Id"]
    assert one.client.post("/__org/reset").status_code == 204
    one.stop()
    assert organization(served(folder=tmp_path / "one"))[0]["Id"] == before[0]["Id"]

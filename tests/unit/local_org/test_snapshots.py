"""Snapshots: what they hold, what a restore brings back and what it leaves."""

import json
import subprocess
import sys
import zipfile
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import pytest

FIELDS = {"version": 1, "objects": {"Account": {"fields": {"No__c": {"type": "auto_number"}}}}}
ROOT = "/services/data/v62.0"


def create(org, sobject, **values):
    answer = org.client.post(f"{ROOT}/sobjects/{sobject}", json=values)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def take(org, name="base", **more):
    answer = org.client.post("/__org/snapshots", json={"name": name, **more})
    assert answer.status_code == 201, answer.text


def restore(org, name="base"):
    return org.client.post(f"/__org/snapshots/{name}/restore")


def refused(answer):
    assert answer.status_code == 400, answer.text
    (error,) = answer.json()
    assert error["errorCode"] == "INVALID_SNAPSHOT"
    return error["message"]


def test_records_deleted_ones_files_and_the_clock_come_back(served):
    org = served(FIELDS)
    kept = create(org, "Account", Name="Kept")
    binned = create(org, "Account", Name="Binned")
    org.client.delete(f"{ROOT}/sobjects/Account/{binned}")
    note = b64encode(b"what it was").decode()
    file = create(org, "Attachment", Name="a.txt", ParentId=kept, Body=note)
    org.client.post("/__org/clock", json={"ahead": 86_400})
    take(org)
    org.client.patch(f"{ROOT}/sobjects/Account/{kept}", json={"Name": "Changed"})
    create(org, "Account", Name="Added")
    org.client.post("/__org/reset")
    org.client.post("/__org/clock", json={"ahead": 0})
    assert restore(org).status_code == 200
    assert org.values("SELECT Id, Name, No__c FROM Account") == [[kept, "Kept", "1"]]
    all_rows = org.client.get(f"{ROOT}/queryAll", params={"q": "SELECT Id FROM Account"})
    assert {each["Id"] for each in all_rows.json()["records"]} == {kept, binned}
    assert org.client.get(f"{ROOT}/sobjects/Attachment/{file}/Body").content == b"what it was"
    assert org.client.get("/__org/clock").json()["ahead"] == 86_400
    # Ids and auto-numbers go on as they did after the snapshot was taken.
    create(org, "Account", Name="Next")
    assert org.values("SELECT No__c FROM Account WHERE Name = 'Next'") == [["3"]]


def test_it_is_there_after_a_restart_and_the_clock_goes_on(served):
    first = served(FIELDS)
    create(first, "Account", Name="Kept")
    take(first)
    first.client.post("/__org/clock", json={"ahead": 7_200})
    first.client.post("/__org/reset")
    first.stop()
    second = served(FIELDS)
    assert second.client.get("/__org/clock").json()["ahead"] == 7_200
    assert restore(second).status_code == 200
    assert second.values("SELECT Name FROM Account") == [["Kept"]]


def test_sign_ins_are_not_in_it_and_outlive_a_restore(served, tmp_path):
    org = served()
    take(org)
    (file,) = (tmp_path / "org/snapshots").glob("*.zip")
    with zipfile.ZipFile(file) as archive:
        held = b"".join(archive.read(name) for name in archive.namelist())
    assert org.server.access_token.encode() not in held
    assert restore(org).status_code == 200
    assert org.values("SELECT Count() FROM Account") == []


def test_bulk_jobs_go_and_no_id_of_one_is_given_twice(served):
    org = served()
    take(org)

    def job():
        asked = {"object": "Account", "operation": "insert"}
        answer = org.client.post(f"{ROOT}/jobs/ingest", json=asked)
        return answer.json()["id"]

    before = job()
    assert restore(org).status_code == 200
    assert org.client.get(f"{ROOT}/jobs/ingest/{before}").status_code == 404
    assert job() != before


def test_a_restore_while_a_bulk_job_works_is_refused(served):
    org = served()
    take(org)
    org.client.post("/__org/faults", json={"kind": "job_stalls"})
    asked = {"object": "Account", "operation": "insert"}
    job = org.client.post(f"{ROOT}/jobs/ingest", json=asked).json()["id"]
    path = f"{ROOT}/jobs/ingest/{job}"
    org.client.put(f"{path}/batches", content="Name\nA\n", headers={"Content-Type": "text/csv"})
    org.client.patch(path, json={"state": "UploadComplete"})
    assert refused(restore(org)) == "A Bulk job is in progress in this org"
    org.client.delete("/__org/faults")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "x" * 101, "a b"])
def test_a_name_that_is_none_is_refused(served, name):
    org = served()
    answer = org.client.post("/__org/snapshots", json={"name": name})
    assert "cannot be the name of a snapshot" in refused(answer)


def test_one_of_this_name_is_replaced_only_on_request(served):
    org = served()
    take(org)
    create(org, "Account", Name="Later")
    again = org.client.post("/__org/snapshots", json={"name": "base"})
    assert refused(again) == "There is a snapshot base already"
    take(org, update=True)
    org.client.post("/__org/reset")
    restore(org)
    assert org.values("SELECT Name FROM Account") == [["Later"]]


def damaged_archive(file):
    file.write_bytes(file.read_bytes()[:1000])


def damaged_store(file):
    with zipfile.ZipFile(file) as archive:
        about = archive.read("snapshot.json")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("snapshot.json", about)
        archive.writestr("org.sqlite3", b"SQLite format 3\0" + b"x" * 5000)


def without_a_store(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("snapshot.json", json.dumps({"format": 1}))


def of_another_version(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("snapshot.json", json.dumps({"format": 2}))


@pytest.mark.parametrize("damage", [damaged_archive, damaged_store, without_a_store])
def test_a_damaged_one_leaves_the_org_as_it_is(served, tmp_path, damage):
    org = served()
    take(org)
    create(org, "Account", Name="Later")
    damage(tmp_path / "org/snapshots/base.zip")
    assert "base.zip is damaged" in refused(restore(org))
    assert org.values("SELECT Name FROM Account") == [["Later"]]


def test_one_of_another_format_is_refused(served, tmp_path):
    org = served()
    take(org)
    of_another_version(tmp_path / "org/snapshots/base.zip")
    assert "another version of the runner" in refused(restore(org))


def test_a_field_that_was_declared_since_is_there_after_a_restore(served):
    first = served()
    create(first, "Account", Name="Kept")
    take(first)
    first.stop()
    org = served(FIELDS)
    assert restore(org).status_code == 200
    create(org, "Account", Name="New")
    assert org.values("SELECT Name, No__c FROM Account ORDER BY Name") == [
        ["Kept", None],
        ["New", "1"],
    ]


def objects(*names):
    return {"version": 1, "objects": {name: {"label": name, "fields": {}} for name in names}}


def test_one_with_the_ids_of_other_objects_is_refused(served, tmp_path):
    first = served(objects("One__c"))
    take(first)
    first.stop()
    other = served(objects("Two__c"), folder=tmp_path / "other")
    (tmp_path / "other/snapshots").mkdir()
    file = "snapshots/base.zip"
    (tmp_path / "other" / file).write_bytes((tmp_path / "org" / file).read_bytes())
    assert "was taken with another org file: Ids of One__c begin with a00" in refused(
        restore(other)
    )


def test_of_another_folder_it_gets_the_id_of_this_org(served, tmp_path):
    first = served()
    create(first, "Account", Name="Kept")
    take(first)
    other = served(folder=tmp_path / "other")
    (tmp_path / "other/snapshots").mkdir()
    file = "snapshots/base.zip"
    (tmp_path / "other" / file).write_bytes((tmp_path / "org" / file).read_bytes())
    assert restore(other).status_code == 200
    assert other.values("SELECT Id FROM Organization") == [[other.org.id]]
    assert other.values("SELECT Name FROM Account") == [["Kept"]]


DIES = """
import os, sys
from pathlib import Path
from runner.local_org.app import open_org
from runner.local_org.snapshots import Snapshots
from runner.local_org.store import Store, connect

def dies(store, path):
    step = lambda _status, left, _total: os._exit(7) if left < 20 else None
    connect(path).backup(store._connection(), pages=5, progress=step)

Store.replace_by = dies
Snapshots(open_org(Path(sys.argv[1]))).restore("base")
"""


def test_a_process_that_dies_while_it_restores_leaves_the_org_as_it_was(served, tmp_path):
    first = served()
    create(first, "Account", Name="Before")
    take(first)
    create(first, "Account", Name="Later")
    first.stop()
    command = [sys.executable, "-c", DIES, str(tmp_path / "org")]
    assert subprocess.run(command, check=False, timeout=60).returncode == 7
    again = served()
    assert again.values("SELECT Name FROM Account ORDER BY Name") == [["Before"], ["Later"]]
    assert restore(again).status_code == 200
    assert again.values("SELECT Name FROM Account") == [["Before"]]
    assert not list((tmp_path / "org/snapshots").glob(".making-*")), "what it left is removed"


def test_rows_written_meanwhile_are_in_it_whole_or_not_at_all(served):
    org = served()
    rows = [{"attributes": {"type": "Account"}, "Name": str(number)} for number in range(200)]

    def write(_):
        org.client.post(f"{ROOT}/composite/sobjects", json={"allOrNone": True, "records": rows})

    with ThreadPoolExecutor(3) as pool:
        writes = pool.map(write, range(4))
        take(org)
        list(writes)
    restore(org)
    answer = org.client.get(f"{ROOT}/query", params={"q": "SELECT Count() FROM Account"})
    assert answer.json()["totalSize"] % 200 == 0


def test_they_are_listed_and_deleted(served):
    org = served()
    for name in ("one", "two"):
        take(org, name)
    listed = org.client.get("/__org/snapshots").json()
    assert [(each["name"], each["records"]) for each in listed] == [("one", 7), ("two", 7)]
    assert org.client.delete("/__org/snapshots/one").status_code == 204
    assert "no snapshot one" in refused(org.client.delete("/__org/snapshots/one"))
    foreign = {"Origin": "https://evil.example"}
    assert org.client.post("/__org/snapshots", json={}, headers=foreign).status_code == 403

"""Files in the folder of a run that somebody changes, cuts short or deletes before it has ended."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.short_form import short_form, slow

ROWS = 450
DAMAGES = {
    "doubled": lambda content: content * 2,
    "cut": lambda content: content[: len(content) * 2 // 3],
    "emptied": lambda content: content[:0],
    "removed": lambda _content: None,
    "another Id": lambda content: re.sub(rb"(?m)^(\"?001\w{11})(.)", rb"\1z", content),
    "other bytes": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
}
LIMITS = {
    "rest": {"path": "composite/sobjects", "after": 4},
    "bulk": {"path": "jobs/ingest$", "after": 2},
}
MORE = {"rest": "  batch_size: 50\n  concurrency: serial\n", "bulk": ""}


@pytest.fixture
def stopped(bench, org, killer):
    """Makes a run of 450 rows that stops half-way, and gives its task's folder."""

    def stop(api, state):
        assert org.request("POST", "/__org/reset").status_code == 204
        # Rows that are not sent are in a file of their own, and numbers of others depend on it.
        cells = (f"n {n} {'y' * 20},{'maybe' if n % 50 == 7 else 'true'},x" for n in range(ROWS))
        bench.write("a.csv", "\n".join(["Name,Active,Other", *cells, ""]))
        killer.env["T"] = org.token
        connection = f"{{environment: local, url: '{org.url}', token: {{env: T}}}}"
        job = bench.job(
            f"- name: load\n  create: Account\n  from: a.csv\n  api: {api}\n"
            f"  fields: {{Name: Name, Active__c: Active}}\n{MORE[api]}",
            connection=connection,
        )
        org.fault(kind="daily_limit", method="POST", **LIMITS[api])
        ended = killer.run("run", job, "-o", "json", state=state)
        assert ended.code == 5, ended.err + ended.out
        org.go_on()
        return Path(ended.document["tasks"][0]["results"])

    return stop


def damage(file, how):
    content = DAMAGES[how](file.read_bytes())
    file.unlink()
    if content is not None:
        file.write_bytes(content)


def whole(org, ended):
    """Every row is where it belongs, and none is in the org twice."""
    assert ended.code == 3, ended.err + ended.out
    task = ended.document["tasks"][0]
    assert (task["counts"]["created"], task["counts"]["failed"]) == (ROWS - 9, 9)
    there = {row["Id"]: row["Name"] for row in org.rows("SELECT Id, Name FROM Account")}
    assert len(there) == ROWS - 9
    with (Path(task["results"]) / "succeeded.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert {row["sf__Id"]: row["Name"] for row in rows} == there
    for row in rows:
        assert row["Name"].startswith(f"n {int(row['sf__Row']) - 1} ")


CASES = [
    ("rest", "rows/chunk-0.csv", "emptied"),
    ("rest", "rows/index.json", "cut"),
    ("bulk", "rows/chunk-0.rejected.csv", "doubled"),
    ("bulk", "rows/chunk-0.sent.csv", "other bytes"),
    ("bulk", "parts/part-0001.succeeded.csv", "another Id"),
]
FILES = {
    "rest": [f"rows/{each}" for each in ("chunk-0.csv", "chunk-0.rejected.csv")]
    + [f"rows/{each}" for each in ("chunk-0.sent.csv", "index.json")]
}
FILES["bulk"] = FILES["rest"] + [
    f"parts/part-000{n}.{kind}.csv" for n in (1, 2) for kind in ("succeeded", "failed")
]
ALL = [
    (api, file, how)
    for api, files in FILES.items()
    for file in files
    for how in DAMAGES
    if how != "another Id" or "succeeded" in file
]


@pytest.mark.parametrize(
    ("api", "file", "how"),
    short_form(ALL, CASES),
)
def test_what_is_damaged_is_read_again(bench, org, killer, stopped, api, file, how):
    state = bench.folder / "state"
    damage(stopped(api, state) / file, how)
    ended = killer.run("resume", "-o", "json", state=state)
    whole(org, ended)
    if file.startswith("rows/"):
        assert "The rows are read from their source again." in ended.err


def test_rows_that_are_lost_together_with_their_source_are_not_sent(bench, org, killer, stopped):
    state = bench.folder / "state"
    folder = stopped("rest", state)
    damage(folder / "rows" / "chunk-0.rejected.csv", "emptied")
    source = (bench.folder / "a.csv").read_text()
    bench.write("a.csv", source.replace("n 449 ", "new "))
    refused = killer.run("resume", "-o", "json", state=state)
    assert refused.code == 2, refused.err + refused.out
    task = refused.document["tasks"][0]
    assert "its source has changed, and the rows that the run had kept are lost" in task["message"]
    assert "chunk-0.rejected.csv has 0 bytes instead of" in task["message"]
    assert "--abandon" in task["hint"]
    assert task["counts"]["created"] == 200
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 200}]
    bench.write("a.csv", source)
    whole(org, killer.run("resume", "-o", "json", state=state))


def test_rows_that_are_lost_and_now_others_are_not_sent(bench, org, killer, stopped):
    """Which rows are sent depends on the org here, and a batch has got results by its place."""
    state = bench.folder / "state"
    org.create("Account", Name="parent", ERP_Id__c="P1")
    rows = "".join(f"n {n},{'P2' if n == 3 else 'P1'}\n" for n in range(100))
    bench.write("c.csv", "LastName,account\n" + rows)
    killer.env["T"] = org.token
    job = bench.job(
        "- name: load\n  create: Contact\n  from: c.csv\n  api: rest\n  batch_size: 20\n"
        "  concurrency: serial\n  fields:\n    LastName: LastName\n"
        "    AccountId: {lookup: Account, by: ERP_Id__c, value: account}\n",
        connection=f"{{environment: local, url: '{org.url}', token: {{env: T}}}}",
    )
    org.fault(kind="daily_limit", method="POST", path="composite/sobjects", after=2)
    ended = killer.run("run", job, "-o", "json", state=state)
    assert ended.code == 5, ended.err + ended.out
    org.go_on()
    shutil.rmtree(Path(ended.document["tasks"][0]["results"]) / "rows")
    org.create("Account", Name="late", ERP_Id__c="P2")
    refused = killer.run("resume", "-o", "json", state=state)
    assert refused.code == 2, refused.err + refused.out
    task = refused.document["tasks"][0]
    assert "what it sends has changed" in task["message"]
    assert "rows is missing" in task["message"]
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": 40}]


@pytest.mark.parametrize("lost", ["rows/chunk-0.sent.csv", ".", *slow("rows", "rows/index.json")])
def test_damaged_rows_of_a_plan_are_not_read_from_the_source(bench, org, killer, lost):
    state = bench.folder / "state"
    bench.write("a.csv", "Name\na\nb\n")
    killer.env["T"] = org.token
    job = bench.job(
        "- {name: first, create: Account, from: a.csv, api: rest}\n"
        "- {name: second, create: Account, from: a.csv, api: rest}\n",
        connection=f"{{environment: local, url: '{org.url}', token: {{env: T}}}}",
    )
    assert killer.run("plan", job, "--save", "a.plan", state=state).code == 0
    org.fault(kind="daily_limit", method="POST", path="composite/sobjects")
    ended = killer.run("apply", "a.plan", "-o", "json", state=state)
    assert ended.code == 5, ended.err + ended.out
    org.go_on()
    first = Path(ended.document["tasks"][0]["results"])
    place = first.with_name("second") / lost
    if place.is_dir():
        shutil.rmtree(place)
    else:
        damage(place, "cut")
    ended = killer.run("resume", "-o", "json", state=state)
    assert ended.code == 1, ended.err + ended.out
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 2}]
    second = ended.document["tasks"][1]
    assert "The rows of the plan are damaged" in second["message"]
    assert "make the plan again" in second["hint"]


@pytest.mark.parametrize("folder", ["rows", *slow("staging")])
def test_files_deleted_during_a_run_do_not_make_its_rows_unprocessed(bench, org, folder):
    org.stall_jobs()
    rows = [*(f"n {n},true" for n in range(10)), "x,maybe"]
    bench.write("a.csv", "\n".join(["Name,Active__c", *rows, ""]))
    job = bench.job("- {name: load, create: Account, from: a.csv, api: bulk}\n")
    process = bench.begin("run", job, "-v", "-o", "json")
    for line in process.stderr:
        if "UploadComplete" in line or "InProgress" in line:
            break
    [place] = bench.state.glob(f"runs/*/load/{folder}")
    shutil.rmtree(place)
    org.go_on()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    task = json.loads(out)["tasks"][0]
    assert f"/{folder}/" in task["message"]
    counts = task["counts"]
    assert (counts["created"], counts["failed"], counts["unprocessed"]) == (10, 1, 0)
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 10
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 10}]


CHAIN = """
- {name: first, create: Account, from: a.csv, api: rest}
- name: second
  create: Contact
  from: {task: first}
  fields: {LastName: Name, AccountId: {lookup: Account, by: Name, value: Name}}
"""


@pytest.mark.parametrize("how", ["doubled", "cut"])
def test_rows_that_a_finished_task_has_left_are_not_read_when_they_are_damaged(bench, org, how):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(30)))
    org.fault(kind="daily_limit", path="/query", after=1)
    ended = bench.run("run", bench.job(CHAIN), "-o", "json")
    assert ended.code == 5, ended.err + ended.out
    org.go_on()
    left = Path(ended.task("first")["results"]) / "succeeded.csv"
    content = left.read_bytes()
    damage(left, how)
    refused = bench.run("resume", "-o", "json")
    assert refused.code == 1, refused.err + refused.out
    assert (
        "succeeded.csv, which task 'second' reads, is not as" in refused.task("second")["message"]
    )
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": 0}]
    left.write_bytes(content)
    assert bench.run("resume").code == 0
    assert org.rows("SELECT COUNT(Id) n FROM Contact") == [{"n": 30}]


def test_results_that_were_cut_short_are_not_undone_in_part(bench, org):
    bench.write("a.csv", "Name\n" + "".join(f"n {n}\n" for n in range(30)))
    ended = bench.run(
        "run", bench.job("- {name: load, create: Account, from: a.csv}\n"), "-o", "json"
    )
    results = Path(ended.task("load")["results"]) / "succeeded.csv"
    content = results.read_bytes()
    for cut in (b"", b"".join(content.splitlines(keepends=True)[:9])):
        results.write_bytes(cut)
        refused = bench.run("undo", "last", "--yes")
        assert refused.code == 1, refused.err + refused.out
        assert "rows instead of 30" in refused.err
    results.write_bytes(content)
    undone = bench.run("undo", "last", "--yes")
    assert undone.code == 0, undone.err
    assert org.rows("SELECT Id FROM Account") == []


@pytest.mark.parametrize(
    ("file", "how", "told"),
    [
        ("failed.csv", "emptied", "failed.csv is cut off"),
        ("succeeded.csv", "removed", "succeeded.csv is gone"),
        ("succeeded.csv", "cut", "succeeded.csv is cut off"),
        ("failed.csv", "short", "failed.csv has 1 row instead of 2"),
        ("skipped.csv", "removed", "skipped.csv is gone"),
        ("failed.csv", "saved by Excel", None),
    ],
)
def test_result_files_that_are_lost_before_a_run_is_closed_are_told(bench, org, file, how, told):
    """Their task has ended and is not repeated, so nothing writes them again."""
    bench.write("a.csv", "ERP_Id__c,Name,Active__c\na,a,true\nb,b,true\nb,b,no\nc,c,x\nd,d,z\n")
    job = bench.job(
        "- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv, api: rest,"
        " duplicates: last}\n"
        "- {name: list, query: SELECT Id FROM Account, to: b.csv, api: bulk, needs: [],"
        " retry: {attempts: 1}}"
    )
    org.fault(kind="status", status=503, path="jobs/query", times=1)
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 5, ended.err + ended.out
    changed = Path(ended.document["tasks"][0]["results"]) / file
    content = changed.read_bytes()
    if how == "short":
        changed.write_bytes(b"".join(content.splitlines(keepends=True)[:-1]))
    elif how == "saved by Excel":
        changed.write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    else:
        damage(changed, how)
    resumed = bench.run("resume", "-o", "json")
    assert resumed.code == (1 if told else 3), resumed.err + resumed.out
    load, listed = resumed.document["tasks"]
    assert listed["status"] == "done"
    assert load["counts"] == ended.document["tasks"][0]["counts"]
    assert (told or "") in (load["message"] or "")
    if told:
        assert told in bench.run("show", "last").out
    assert bench.run("resume").code == 2

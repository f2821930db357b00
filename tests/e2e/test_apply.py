"""A plan that is saved is applied as it is, or not at all."""

from pathlib import Path

from tests.e2e.apis import OVER_BULK, OVER_REST
from tests.e2e.saved_plans import ACCOUNTS, SIMPLE, planned


def counts(ended, task="load"):
    found = ended.task(task)["counts"]
    return {kind: number for kind, number in found.items() if number and kind != "read"}


@OVER_REST
def test_it_does_what_the_plan_says_and_a_second_plan_is_empty(bench, org, api):
    org.create("Account", Name="A same", ERP_Id__c="K1", Phone="1")
    org.create("Account", Name="B other", ERP_Id__c="K2", Phone="2", Score__c=2)
    before = org.rows(ACCOUNTS)
    bench.write(
        "a.csv",
        "ERP_Id__c,Name,Phone,Score__c\nK1,A same,1,\nK2,B other,20,2.0\nK3,C new,3,1.5\n,D,4,\n",
    )
    job = bench.job(
        f"- {{name: load, upsert: Account, key: ERP_Id__c, from: a.csv, api: {api}, undo: true}}"
    )
    document = planned(bench, job)
    assert document["tasks"][0]["counts"]["unchanged"] == 1
    assert (bench.folder / "saved.plan").stat().st_mode & 0o777 == 0o600
    assert org.rows(ACCOUNTS) == before
    ended = bench.run("apply", "saved.plan", "-o", "json")
    assert ended.code == 3, ended.err
    assert counts(ended) == {"created": 1, "updated": 1, "unchanged": 1, "failed": 1}
    same, other, new = org.rows(ACCOUNTS)
    assert same == before[0]
    assert (other["Phone"], other["Score__c"]) == ("20", 2)
    assert (new["Phone"], new["Score__c"]) == ("3", 1.5)
    assert ended.rows("failed")[0]["sf__Code"] == "KEY_IS_BLANK"
    folder = Path(ended.task("load")["results"])
    assert not (folder / "planned").exists()
    assert not (folder / "rows").exists()

    again = bench.run("plan", job, "-o", "json", "--detailed-exitcode")
    assert again.document["has_changes"] is False
    shown = bench.run("show", "last", "-o", "json").document
    assert shown["verb"] == "apply"

    undone = bench.run("undo", "last", "--yes", "-o", "json")
    assert undone.code == 0, undone.err
    assert [row["Phone"] for row in org.rows(ACCOUNTS)] == ["1", "2"]


@OVER_BULK
def test_records_that_changed_since_are_left_alone(bench, org, api):
    ids = [org.create("Account", Name=f"A{n}", ERP_Id__c=f"K{n}", Phone="1") for n in range(4)]
    bench.write("a.csv", "ERP_Id__c,Phone\nK0,2\nK1,2\nK2,2\nK9,2\n")
    bench.write("gone.csv", f"Id\n{ids[3]}\n")
    job = bench.job(
        f"- {{name: load, upsert: Account, key: ERP_Id__c, from: a.csv, api: {api},"
        " fields: {ERP_Id__c: ERP_Id__c, Phone: Phone, Name: \"'Name'\"}, on_create: [Name]}\n"
        f"- {{name: clear, delete: Account, from: gone.csv, api: {api}}}"
    )
    document = planned(bench, job)
    assert document["tasks"][0]["counts"]["update"] == 3
    data = "/services/data/v62.0/sobjects/Account"
    for record in (ids[1], ids[3]):
        moved(org, record)
    assert org.request("DELETE", f"{data}/{ids[2]}").status_code == 204
    org.create("Account", Name="Somebody", ERP_Id__c="K9", Phone="5")
    ended = bench.run("apply", "saved.plan", "-o", "json")
    assert ended.code == 3, ended.err
    assert counts(ended) == {"updated": 1, "skipped": 3}
    left = ended.rows("changed_since")
    assert [(row["ERP_Id__c"], row["sf__Code"]) for row in left] == [
        ("K1", "CHANGED_SINCE"),
        ("K2", "CHANGED_SINCE"),
        ("K9", "CHANGED_SINCE"),
    ]
    assert [row["sf__Message"].partition(" since the plan")[0].split()[-1] for row in left] == [
        "changed",
        "deleted",
        "created",
    ]
    assert counts(ended, "clear") == {"skipped": 1}
    found = {row["ERP_Id__c"]: row["Phone"] for row in org.rows(ACCOUNTS)}
    assert found == {"K0": "2", "K1": "7", "K3": "7", "K9": "5"}


def moved(org, record):
    """Change a record, so that its SystemModstamp is another."""
    path = f"/services/data/v62.0/sobjects/Account/{record}"
    before = org.request("GET", path).json()["SystemModstamp"]
    while org.request("GET", path).json()["SystemModstamp"] == before:
        assert org.request("PATCH", path, json={"Phone": "7"}).status_code == 204


def test_a_file_that_a_query_of_the_plan_writes_is_no_source_that_has_changed(bench, org):
    org.create("Account", Name="One", ERP_Id__c="K1", Phone="1")
    bench.write("out.csv", "Id,Phone\n")  # of an earlier run
    job = bench.job(
        "- {name: found, query: 'SELECT Id, Phone FROM Account', to: out.csv}\n"
        "- {name: load, update: Account, from: out.csv, fields: {Id: Id, Phone: \"'9' || Phone\"}}"
    )
    assert planned(bench, job)["tasks"][1]["counts"]["update"] == 1
    assert bench.run("apply", "saved.plan").code == 0
    assert [row["Phone"] for row in org.rows(ACCOUNTS)] == ["91"]


def test_a_plan_is_saved_over_no_other_file(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\n")
    job = bench.job(SIMPLE)
    (bench.folder / "folder").mkdir()
    for name in (job.name, "new.YML", "a.csv", "folder", "/dev/null"):
        ended = bench.run("plan", job, "--save", name)
        assert ended.code == 2, name
        assert f"--save {name}: " in ended.err
    assert not (bench.folder / "new.YML").exists()
    bench.write("saved.plan", "")  # as `mktemp` leaves it
    planned(bench, job)
    planned(bench, job)
    assert bench.run("apply", "saved.plan").code == 0


def test_records_that_earlier_tasks_change_or_delete_are_compared_during_the_run(bench, org):
    for n in range(1, 5):
        org.create("Account", Name=f"A{n}", ERP_Id__c=f"K{n}", Phone="1", Score__c=n)
    bench.write("one.csv", "ERP_Id__c,Phone\nK1,2\n")
    bench.write("all.csv", "ERP_Id__c,Name,Phone\nK1,A1,1\nK2,A2,1\nK3,A3,1\nK5,A5,\n")
    bench.write("scores.csv", "ERP_Id__c,Score__c\nK1,1\n")
    bench.write("new.csv", "ERP_Id__c,Name,Phone\nK5,A5,5\n")
    job = bench.job(
        "- {name: scores_before, upsert: Account, key: ERP_Id__c, from: one.csv}\n"
        "- {name: other_field, upsert: Account, key: ERP_Id__c, from: scores.csv}\n"
        "- {name: old, query: \"SELECT Id FROM Account WHERE ERP_Id__c = 'K2'\"}\n"
        "- {name: gone, delete: Account, from: {task: old}}\n"
        "- {name: new, create: Account, from: new.csv}\n"
        "- {name: load, upsert: Account, key: ERP_Id__c, from: all.csv, blank: clear}"
    )
    document = planned(bench, job)
    tasks = {task["name"]: task for task in document["tasks"]}
    assert tasks["other_field"]["unknown"] == []
    assert "changes records of Account first" in tasks["load"]["unknown"][0]
    assert bench.run("apply", "saved.plan").code == 0
    held = [(row["ERP_Id__c"], row["Phone"]) for row in org.rows(ACCOUNTS)]
    assert held == [("K1", "1"), ("K2", "1"), ("K3", "1"), ("K4", "1"), ("K5", None)]


@OVER_REST
def test_rows_that_change_nothing_are_handed_on_as_by_a_run(bench, org, api):
    for n in range(3):
        org.create("Account", Name=f"A{n}", ERP_Id__c=f"K{n}")
    bench.write("a.csv", "ERP_Id__c,Name\nK0,A0\nK1,B1\nK2,A2\nK3,A3\nK4,\n")
    job = bench.job(
        f"- {{name: load, upsert: Account, key: ERP_Id__c, from: a.csv, api: {api}, RULE}}\n"
        "- {name: call, update: Account, from: {task: load},"
        f" fields: {{Id: sf__Id, Phone: \"'1'\"}}, api: {api}}}\n"
        "- {name: rate, update: Account, from: {task: call},"
        f" fields: {{Id: sf__Id, Rating: \"'Hot'\"}}, api: {api}}}"
    )
    text = job.read_text()
    job.write_text(text.replace(", RULE", ""))
    document = planned(bench, job)
    assert [task["counts"]["update"] for task in document["tasks"]] == [1, 4, 4]
    ended = bench.run("apply", "saved.plan", "-o", "json")
    assert ended.code == 3, ended.err
    assert counts(ended) == {"created": 1, "updated": 1, "unchanged": 2, "failed": 1}
    assert counts(ended, "call") == {"updated": 4}
    assert len(org.rows("SELECT Id FROM Account WHERE Phone = '1' AND Rating = 'Hot'")) == 4
    assert bench.run("plan", job, "--detailed-exitcode").code == 3, "only a refused row"

    job.write_text(text.replace("RULE", "only_changes: true"))
    document = planned(bench, job)
    assert [task["read"] for task in document["tasks"]] == [5, 0, 0]


def test_files_that_a_query_brings_are_those_of_the_run(bench, org):
    (bench.folder / "in").mkdir()
    bench.write("in/a.txt", "hello")
    bench.write("in/files.csv", "path\na.txt\n")
    fields = "{PathOnClient: \"'a.txt'\", Title: \"'A'\", VersionData: {file: COLUMN}}"
    first = bench.job(
        "- {name: load, create: ContentVersion, from: in/files.csv, fields: "
        + fields.replace("COLUMN", "path")
        + "}"
    )
    document = planned(bench, first)
    cells = {each["field"]: each["after"] for each in document["tasks"][0]["rows"][0]["cells"]}
    assert cells["VersionData"] == "a.txt, 5 bytes"
    assert bench.run("apply", "saved.plan").code == 0
    job = bench.job(
        "- {name: found, query: 'SELECT VersionData FROM ContentVersion', files: out/files,"
        " to: out/files.csv}\n"
        "- {name: load, create: ContentVersion, from: out/files.csv, fields: "
        + fields.replace("COLUMN", "VersionData")
        + "}"
    )
    planned(bench, job)
    ended = bench.run("apply", "saved.plan", "-o", "json")
    assert ended.code == 0, ended.out
    assert counts(ended) == {"created": 1}


def test_of_a_job_the_plan_is_made_and_confirmed(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\n")
    job = bench.job(SIMPLE)
    asked = bench.run("apply", job)
    assert asked.code == 8
    assert "create 1" in asked.out
    assert "--yes" in asked.err
    assert org.rows(ACCOUNTS) == []
    ended = bench.run("apply", job, "--yes", "-o", "json")
    assert ended.code == 0, ended.err
    assert counts(ended) == {"created": 1}
    nothing = bench.run("apply", job)
    assert nothing.code == 0, nothing.err
    assert "unchanged 1" in nothing.out
    assert len(bench.run("history", "-o", "json").document["runs"]) == 1
    assert not (bench.state / "plans").exists()


def test_who_is_asked_is_told_what_is_not_known_yet(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\n")
    job = bench.job(
        f"{SIMPLE}\n- {{name: found, query: SELECT Id FROM Account}}\n"
        "- {name: gone, delete: Account, from: {task: found}}"
    )
    asked = bench.run("apply", job)
    assert asked.code == 8
    assert "the plan has 1 change and those of `gone` that are not known yet" in asked.err


def test_rows_of_other_writes_are_read_during_the_run(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\n")
    job = bench.job(
        f"{SIMPLE}\n- {{name: rate, update: Account, from: {{task: load}},"
        " fields: {Id: sf__Id, Rating: \"'Hot'\"}}"
    )
    document = planned(bench, job)
    assert "during the run" in document["tasks"][1]["unknown"][0]
    ended = bench.run("apply", "saved.plan", "-o", "json")
    assert ended.code == 0, ended.err
    assert counts(ended, "rate") == {"updated": 1}
    assert [row["Rating"] for row in org.rows("SELECT Rating FROM Account")] == ["Hot"]


def test_rows_that_a_query_found_are_those_of_the_plan(bench, org):
    org.create("Lead", LastName="L", Company="Old")
    job = bench.job(
        "- {name: old, query: SELECT Id FROM Lead, to: out/old.csv}\n"
        "- {name: clear, delete: Lead, from: {task: old}}"
    )
    planned(bench, job)
    org.create("Lead", LastName="New", Company="Old")
    ended = bench.run("apply", "saved.plan", "-o", "json")
    assert ended.code == 0, ended.err
    assert counts(ended, "clear") == {"deleted": 1}
    assert [row["LastName"] for row in org.rows("SELECT LastName FROM Lead")] == ["New"]


def test_a_limit_that_the_plan_exceeds_stops_it(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\nK2,Two\n")
    job = bench.job(SIMPLE, head="limits: {max_creates: 1}\n")
    document = planned(bench, job)
    assert [each["rail"] for each in document["trips"]] == ["max_creates"]
    ended = bench.run("apply", "saved.plan")
    assert ended.code == 6, ended.err
    assert "job.yaml:4:" in ended.err
    assert org.rows(ACCOUNTS) == []
    ended = bench.run("apply", job, "--yes")
    assert ended.code == 6, ended.err
    assert "create 2" in ended.out
    assert bench.run("apply", "saved.plan", "--allow", "max_creates").code == 0
    assert len(org.rows(ACCOUNTS)) == 2


def test_a_limit_holds_for_rows_that_only_the_apply_knows(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\nK2,Two\n")
    job = bench.job(
        SIMPLE
        + """
- name: found
  query: SELECT Id FROM Account
- name: gone
  delete: Account
  from: {task: found}
  limits: {max_deletes: 1}
"""
    )
    planned(bench, job)
    ended = bench.run("apply", "saved.plan")
    assert ended.code == 6, ended.err + ended.out
    assert "`gone` would delete 2 records, and `max_deletes` allows 1" in ended.err + ended.out
    assert len(org.rows(ACCOUNTS)) == 2


def test_a_resumed_apply_leaves_out_what_does_not_change_in_later_tasks_too(bench, org):
    """The second task reads the rows of the first, so its own are not in the plan."""
    org.create("Account", Name="A", ERP_Id__c="K1", Phone="1")
    bench.write("a.csv", "no,Name,Phone\nK1,A2,1\nK2,B,1\n")
    job = bench.job("""
- {name: first, upsert: Account, key: ERP_Id__c, from: a.csv, fields: {ERP_Id__c: no, Name: Name}}
- {name: second, update: Account, from: {task: first}, fields: {Id: sf__Id, Phone: Phone}}
""")
    assert bench.run("plan", job, "--save", "kept.plan").code == 0
    org.fault(kind="daily_limit", path="/query", nth=4)
    ended = bench.run("apply", "kept.plan", "--yes", "-o", "json")
    assert ended.code == 5, ended.err + ended.out
    assert ended.task("first")["status"] == "done"
    org.go_on()
    resumed = bench.run("resume", "-o", "json")
    assert resumed.code == 0, resumed.err
    counts = resumed.task("second")["counts"]
    assert (counts["updated"], counts["unchanged"]) == (1, 1)

"""A saved plan of something else, of another org, or that is not whole is not applied."""

import hashlib
import io
import json
from zipfile import ZipFile

from tests.e2e.saved_plans import ACCOUNTS, SIMPLE, planned


def refused(bench, org, *options):
    before = org.rows(ACCOUNTS)
    ended = bench.run("apply", "saved.plan", *options)
    assert ended.code == 2, ended.out + ended.err
    assert org.rows(ACCOUNTS) == before
    assert bench.run("history", "-o", "json").document["runs"] == []
    assert list((bench.state / "runs").iterdir()) == []
    return ended.err


def test_a_plan_of_something_else_is_refused(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\n")
    job = bench.job(SIMPLE)
    planned(bench, job)
    bench.write("a.csv", "ERP_Id__c,Name\nK1,Two\n")
    assert "The source of task 'load' has changed" in refused(bench, org)
    (bench.folder / "a.csv").unlink()
    assert refused(bench, org)
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\n")
    assert "0 seconds" in refused(bench, org, "--max-age", "0s")
    text = job.read_text()
    job.write_text(text + "# later\n")
    assert "has changed since the plan was made" in refused(bench, org)
    job.write_text(text)
    assert "--task cannot change a saved plan" in refused(bench, org, "--task", "load")
    bench.env |= {
        "SFRUNNER_TASK": "load",
        "SFRUNNER_PARAM": "day=2026-01-31",
    }  # as in CI
    assert bench.run("apply", "saved.plan", "-o", "json").code == 0
    assert len(org.rows(ACCOUNTS)) == 1


def test_files_that_sql_or_a_list_reads_are_sources_too(bench, org):
    org.create("Account", Name="One", ERP_Id__c="K1")
    job = bench.job(
        "- {name: found, query: 'SELECT Id FROM Account WHERE ERP_Id__c IN :keys', to: out.csv,"
        " lists: {keys: {from: keys.csv, column: key}}}\n"
        "- {name: load, upsert: Account, key: ERP_Id__c,"
        " from: {sql: SELECT * FROM a, tables: {a: a.csv}}}"
    )
    files = {"a.csv": "ERP_Id__c,Name\nK1,Two\n", "keys.csv": "key\nK1\n"}
    for name, text in files.items():
        bench.write(name, text)
    planned(bench, job)
    for name, task in (("a.csv", "load"), ("keys.csv", "found")):
        bench.write(name, f"{files[name]}K2,\n")
        assert f"The source of task '{task}' has changed" in refused(bench, org)
        bench.write(name, files[name])
    assert bench.run("apply", "saved.plan").code == 0
    assert [row["Name"] for row in org.rows(ACCOUNTS)] == ["Two"]


def with_index(file, more=(), **members):
    """Make a plan say something else, and have more members; its digest is right."""
    content = file.read_bytes().rpartition(b"\nrunner-plan ")[0]
    with ZipFile(io.BytesIO(content)) as old, ZipFile(file, "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename == "plan.json":
                data = json.dumps(json.loads(data) | members)
            new.writestr(member.filename, data)
        for name in more:
            new.writestr(name, "x")
    content = file.read_bytes()
    line = f"\nrunner-plan 1 {hashlib.sha256(content).hexdigest()}\n"
    file.write_bytes(content + line.encode())


def test_a_plan_of_another_org_is_refused(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\n")
    document = planned(bench, bench.job(SIMPLE))
    file = bench.folder / "saved.plan"
    with_index(file, org_id="00D000000000009EAA")
    assert "is a plan of org 00D000000000009EAA" in refused(bench, org)
    with_index(file, org_id=document["org_id"])
    assert bench.run("apply", "saved.plan").code == 0


def test_nothing_is_unpacked_outside_of_the_run(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\n")
    planned(bench, bench.job(SIMPLE))
    file = bench.folder / "saved.plan"
    with_index(file, more=["tasks/../../../../evil.csv"])
    assert "is not a plan: it contains" in refused(bench, org)
    assert not list(bench.folder.rglob("evil.csv"))


def test_a_plan_that_is_cut_short_or_edited_is_refused(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nK1,One\n")
    planned(bench, bench.job(SIMPLE))
    file = bench.folder / "saved.plan"
    whole = file.read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        assert "cut short" in refused(bench, org)
    for place in (0, 60, len(whole) // 2, len(whole) - 120):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert "edited" in refused(bench, org)
    file.write_bytes(whole.replace(b"runner-plan 1 ", b"runner-plan 2 "))
    assert "format 2" in refused(bench, org)
    file.write_bytes(whole)
    assert bench.run("apply", "saved.plan").code == 0

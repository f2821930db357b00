"""Plans of many kinds of tasks and sources: each says what its run then does."""

import json
import os
import pty
import re
import signal

import pytest

from tests.e2e.apis import OVER_REST
from tests.short_form import slow

ACCOUNTS = "SELECT Id, ERP_Id__c, Name, Phone FROM Account ORDER BY Name"
SEEDS = {"K1": "One", "K2": "Two", "K3": "Three"}
RAN = {"create": "created", "update": "updated", "delete": "deleted", "refused": "failed"}
ONE_ROW = "ERP_Id__c,Name,Phone\nK1,One,9\n"
KEYED = "upsert: Account, key: ERP_Id__c, from: a.csv"
CASES = {
    "upsert": (KEYED, "ERP_Id__c,Name,Phone\nk1,One,9\nK9,Nine,9\nK3,Three,\n"),
    "upsert-blank-clears": (f"{KEYED}, blank: clear", "ERP_Id__c,Name,Phone\nK1,,\nK2,Two,\n"),
    "upsert-same-keys": (KEYED, "ERP_Id__c,Name\nK1,A\nK1,B\nK2,C\n"),
    "upsert-last-wins": (f"{KEYED}, duplicates: last", "ERP_Id__c,Name\nK1,A\nK1,B\nK8,C\n"),
    "upsert-update-only": (f"{KEYED}, match: update_only", "ERP_Id__c,Name\nK1,A\nK8,C\n"),
    "upsert-create-only": (f"{KEYED}, match: create_only", "ERP_Id__c,Name\nK1,A\nK8,C\n"),
    "upsert-on-create": (f"{KEYED}, on_create: [Phone]", "ERP_Id__c,Name,Phone\nK1,A,7\nK8,C,7\n"),
    "upsert-no-rows": (KEYED, "ERP_Id__c,Name\n"),
    "upsert-by-id": ("upsert: Account, key: Id, from: a.csv", "Id,Name\n{K1},A\n{gone},B\n,New\n"),
    "update-by-id": (
        "update: Account, from: a.csv",
        "Id,Name\n{K1_15},A\n{K2},Two\n{gone},B\n,X\n",
    ),
    "update-by-key": (
        "update: Account, key: ERP_Id__c, from: a.csv",
        "ERP_Id__c,Name\nK1,A\nK8,B\n",
    ),
    "delete-by-id": ("delete: Account, from: a.csv", "Id\n{K1}\n{gone}\n"),
    "delete-by-key": ("delete: Account, key: ERP_Id__c, from: a.csv", "ERP_Id__c\nK1\nK8\n"),
    "create": ("create: Account, from: a.csv", "Name,Phone\nA,1\n,2\n"),
    "parent-by-id": (
        "create: Contact, from: a.csv",
        "LastName,AccountId\nA,{K1}\nB,{gone}\nC,\nD,not an id\n",
    ),
    "parent-by-key": (
        "upsert: Contact, key: ERP_Id__c, from: a.csv",
        "ERP_Id__c,LastName,Account.ERP_Id__c\nC1,A,k1\nC2,B,K8\nC3,C,\nC4,D,#N/A\n",
    ),
    "required-emptied": ("update: Account, from: a.csv", "Id,Name\n{K1},#N/A\n{K2},Two\n"),
    "typed": (
        KEYED,
        "ERP_Id__c,Active__c,Since__c,Score__c\nK1,yes,2026-01-31,1.5\nK2,maybe,31.01.2026,1.500\n",
    ),
}  # fmt: skip


def task_of_case(bench, org, case):
    """A task of the case, whose records are its own, and its source."""
    task, source = CASES[case]
    number = [*CASES].index(case)
    ids = {
        key: org.create("Account", Name=name, ERP_Id__c=f"{key}-{number}")
        for key, name in SEEDS.items()
    }
    ids["gone"] = org.create("Account", Name="Gone")
    org.request("DELETE", f"/services/data/v62.0/sobjects/Account/{ids['gone']}")
    ids["K1_15"] = ids["K1"][:15]
    own_keys = re.sub(r"\b[Kk]\d\b", rf"\g<0>-{number}", source.format(**ids))
    bench.write(f"{case}.csv", own_keys)
    more = ", only_changes: true" if task.startswith(("upsert", "update")) else ""
    return f"- {{name: {case}, on_error: continue, {task.replace('a.csv', f'{case}.csv')}{more}}}\n"


def test_a_plan_says_what_the_run_does(bench, org):
    job = bench.job("".join(task_of_case(bench, org, case) for case in CASES))
    before = org.rows(ACCOUNTS)
    planned = bench.run("plan", job, "-o", "json")
    assert planned.code == 0, planned.err
    assert org.rows(ACCOUNTS) == before
    ran = bench.run("run", job, "-o", "json")
    assert [each["name"] for each in planned.document["tasks"]] == [*CASES]
    for plan in planned.document["tasks"]:
        task = ran.task(plan["name"])
        done = task["counts"]
        for kind, word in RAN.items():
            assert plan["counts"][kind] == done[word], (kind, plan["rows"], task)
        for kind in ("unchanged", "skipped"):
            assert plan["counts"][kind] == done[kind], (kind, plan["rows"], task)
        assert plan["read"] == done["read"], task
        codes = {code for code, *_ in map(dict.values, plan["refusals"])}
        errors = {each["code"] for each in task["top_errors"]}
        known_to_org = {"MALFORMED_ID", "ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"}
        assert codes >= errors - known_to_org, task


def test_a_key_that_several_records_have_is_refused(bench, serve_org):
    org = serve_org(
        org_file="version: 1\nobjects:\n  Account:\n    fields:\n"
        "      Twin__c: {type: text, label: Twin, length: 20, external_id: true}\n"
    )
    for name in ("A", "B"):
        org.create("Account", Name=name, Twin__c="T")
    bench.write("a.csv", "Twin__c,Name\nT,C\n")
    job = bench.job("- {name: load, upsert: Account, key: Twin__c, from: a.csv}")
    (task,) = bench.run("plan", job, "-o", "json").document["tasks"]
    assert [row["code"] for row in task["rows"]] == ["DUPLICATE_EXTERNAL_ID"]
    assert bench.run("run", job).code == 1


@OVER_REST
def test_rows_come_from_standard_input_sql_and_params(bench, org, api):
    org.create("Account", Name="One", ERP_Id__c="K1", Phone="1")
    job = bench.job(
        f"- {{name: load, upsert: Account, key: ERP_Id__c, from: '-', api: {api}}}\n"
        "- name: join\n  upsert: Account\n  key: ERP_Id__c\n  from:\n"
        "    sql: SELECT ERP_Id__c, :phone AS Phone FROM rows\n"
        "    tables: {rows: b.csv}\n",
        head="params: {phone: {type: string}}\n",
    )
    bench.write("b.csv", "ERP_Id__c\nK1\n")
    ended = bench.run("plan", job, "-o", "json", "--param", "phone=5", "--save", "p", given=ONE_ROW)
    assert ended.code == 0, ended.err
    load, join = ended.document["tasks"]
    assert [each["after"] for each in load["rows"][0]["cells"]] == ["9"]
    assert [each["after"] for each in join["rows"][0]["cells"]] == ["5"]
    ended = bench.run("apply", "p", "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.task("join")["counts"]["updated"] == 1, "the run itself has changed its record"
    assert [row["Phone"] for row in org.rows(ACCOUNTS)] == ["5"]


def test_queries_with_children_and_files_write_nothing(bench, org):
    account = org.create("Account", Name="One", ERP_Id__c="K1")
    org.create("Contact", LastName="C", AccountId=account)
    job = bench.job(
        "- name: tree\n  query: SELECT Id, Name, (SELECT Id, LastName FROM Contacts) FROM Account\n"
        "  to: out/accounts.csv\n  children: {Contacts: {to: out/contacts.csv}}\n"
        "- name: mark\n  update: Account\n  from: {task: tree}\n"
        "  fields: {Id: Id, Phone: \"'1'\"}\n"
    )
    ended = bench.run("plan", job, "-o", "json")
    assert ended.code == 0, ended.err
    tree, mark = ended.document["tasks"]
    assert tree["read"] == 1
    assert mark["counts"]["update"] == 1
    assert not (bench.folder / "out").exists()


def test_a_protected_connection_is_planned_and_confirmed_to_be_applied(bench, org):
    bench.write("a.csv", ONE_ROW)
    connection = "{environment: local, protect: true}"
    job = bench.job(f"- {{name: load, {KEYED}}}", connection=connection)
    ended = bench.run("plan", job, "--save", "p", "-o", "json")
    assert ended.code == 0, ended.err
    refused = bench.run("apply", "p")
    assert refused.code == 6
    assert "--confirm" in refused.err
    assert org.rows(ACCOUNTS) == []
    assert bench.run("apply", "p", "--confirm", "local").code == 0


def test_an_unfinished_run_is_named_and_nothing_applied_beside_it(bench, serve_org):
    org = serve_org("--bulk-pace-seconds", "1")
    bench.write("a.csv", ONE_ROW)
    job = bench.job(f"- {{name: load, {KEYED}, api: bulk}}")
    process = bench.begin("run", job, "-v")
    for line in process.stderr:
        if "UploadComplete" in line or "InProgress" in line:
            break
    process.kill()
    process.communicate(timeout=60)
    ended = bench.run("plan", job, "-o", "json", "--save", "p")
    assert ended.code == 0, ended.err
    assert "is unfinished" in ended.document["notes"][0]
    applied = bench.run("apply", "p")
    assert applied.code == 2
    assert "runner resume" in applied.err
    assert bench.run("resume").code == 0
    assert len(org.rows(ACCOUNTS)) == 1


def test_what_a_dead_process_left_is_deleted(bench, org):
    bench.write("a.csv", ONE_ROW)
    job = bench.job(f"- {{name: load, {KEYED}}}")
    left = bench.state / "plans" / "20260101-000000-dead"
    left.mkdir(parents=True)
    (left / "rows.csv").write_text("secret\n")
    assert bench.run("plan", job).code == 0
    assert not left.exists()


def test_several_plans_are_made_at_once(bench, org):
    bench.write("a.csv", ONE_ROW)
    job = bench.job(f"- {{name: load, {KEYED}}}")
    processes = [bench.begin("plan", job, "-q") for _ in range(4)]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert not (bench.state / "plans").exists()


def test_jobs_that_cannot_be_planned_are_errors(bench, org):
    bench.write("a.csv", ONE_ROW)
    job = bench.job(f"- {{name: load, {KEYED}}}")
    assert bench.run("plan", job, "--task", "lode").code == 2
    assert bench.run("plan", job, job).code == 2
    assert bench.run("plan", job, "--rows", "-1").code == 2
    assert bench.run("apply", "none.plan").code == 2
    assert bench.run("apply", bench.folder / "none.yaml").code == 2
    other = bench.job(f"- {{name: load, {KEYED.replace('Account', 'Acount')}}}", name="b.yaml")
    ended = bench.run("plan", other)
    assert ended.code == 2
    assert "org/unknown-object" in ended.err
    two = bench.run("plan", job, other, "--save", "p")
    assert two.code == 2
    assert json.loads(bench.run("plan", job, "-o", "json").out)["has_changes"]


def test_a_plan_that_is_interrupted_or_late_names_no_run_to_resume(bench, org):
    bench.write("a.csv", ONE_ROW)
    job = bench.job(f"- {{name: load, {KEYED}}}")
    org.fault(kind="slow", path="/query", bytes_per_second=30, times=9)
    late = bench.run("plan", job, "--timeout", "1s")
    assert late.code == 5, late.err
    assert "resume" not in late.err
    process = bench.begin("plan", job)
    assert "connected" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The plan was interrupted." in err
    assert "resume" not in err
    assert not (bench.state / "plans").exists()


@pytest.mark.parametrize(("answer", "code", "names"), [("n", 8, []), *slow(("y", 0, ["One"]))])
def test_a_person_is_asked(bench, org, answer, code, names):
    bench.write("a.csv", ONE_ROW)
    job = bench.job(f"- {{name: load, {KEYED}}}")
    ours, theirs = pty.openpty()
    process = bench.start("apply", job, stdin=theirs)
    os.write(ours, f"{answer}\n".encode())
    out, err = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == code, err
    assert "create 1" in out
    assert "Apply 1 change? [y/N]" in err
    assert [row["Name"] for row in org.rows(ACCOUNTS)] == names


def test_of_all_or_none_a_refused_row_stays_in_its_request(bench, org):
    bench.write("a.csv", "Name,Phone\nA,1\n,2\n")
    job = bench.job("- {name: load, create: Account, from: a.csv, all_or_none: true}")
    (task,) = bench.run("plan", job, "--save", "p", "-o", "json").document["tasks"]
    assert "`all_or_none`" in task["notes"][0]
    assert bench.run("apply", "p").code == 1
    assert org.rows(ACCOUNTS) == []

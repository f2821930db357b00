"""What `runner plan` shows, and that it changes nothing, with either API."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from tests.e2e.apis import OVER_BULK, OVER_REST

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "plan.schema.json").read_text(encoding="utf-8")
)
EVERYTHING = "SELECT Id, ERP_Id__c, Name, Phone, SystemModstamp FROM Account ORDER BY Id"


def counts(task):
    return {kind: number for kind, number in task["counts"].items() if number}


def cells(task, row):
    (found,) = [each for each in task["rows"] if each["row"] == row]
    return {each["field"]: (each["before"], each["after"]) for each in found["cells"]}


def refused(task):
    return {each["row"]: each["code"] for each in task["rows"] if each["change"] == "refused"}


def files_of(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@OVER_BULK
def test_it_tells_creates_updates_and_refusals_and_writes_nothing(bench, org, api):
    org.create("Account", Name="Same", ERP_Id__c="K1", Phone="1")
    other = org.create("Account", Name="Other", ERP_Id__c="K2", Phone="2")
    bench.write(
        "a.csv",
        "ERP_Id__c,Name,Phone,Tier__c,Score__c\n"
        "K1,Same,1,,\nK2,Other,#N/A,Gold,\nK3,New,3,,\nK4,,4,,\nK5,Bad,5,Platinum,\n"
        "K6,Much,6,,999999999999999\nK7,Text,7,,many\n",
    )
    job = bench.job(f"- {{name: load, upsert: Account, key: ERP_Id__c, from: a.csv, api: {api}}}")
    assert bench.run("plan", job).code == 0
    before, kept = org.rows(EVERYTHING), files_of(bench.folder)
    ended = bench.run("plan", job, "-o", "json", "--detailed-exitcode")
    assert ended.code == 8, ended.err
    Draft202012Validator(SCHEMA).validate(ended.document)
    (task,) = ended.document["tasks"]
    assert counts(task) == {"create": 1, "update": 1, "unchanged": 1, "refused": 4}
    assert cells(task, 2) == {"Phone": ("2", None), "Tier__c": (None, "Gold")}
    assert cells(task, 3) == {"Name": (None, "New"), "Phone": (None, "3")}
    assert [row["id"] for row in task["rows"] if row["row"] == 2] == [other]
    assert [row["key"] for row in task["rows"] if row["row"] == 2] == ["K2"]
    assert refused(task) == {
        4: "REQUIRED_FIELD_MISSING",
        5: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        6: "NUMBER_OUTSIDE_VALID_RANGE",
        7: "VALUE_DOES_NOT_FIT",
    }
    assert task["fields"] == [
        {"field": "Phone", "records": 1, "emptied": 1},
        {"field": "Tier__c", "records": 1, "emptied": 0},
    ]
    assert task["api"] == api
    assert ended.document["api_calls_max"] > ended.document["api_calls"] > 0
    assert org.rows(EVERYTHING) == before
    assert files_of(bench.folder) == kept
    assert bench.run("history", "-o", "json").document == {"runs": []}

    ran = bench.run("run", job, "-o", "json")
    assert ran.code == 3
    done = ran.task("load")["counts"]
    assert (done["created"], done["updated"], done["failed"]) == (1, 2, 4)
    again = bench.run("plan", job, "-o", "json", "--detailed-exitcode")
    assert counts(again.document["tasks"][0]) == {"unchanged": 3, "refused": 4}
    assert again.code == 3, "rows would be refused"


CHAIN = """
- name: accounts
  upsert: Account
  key: ERP_Id__c
  from: accounts.csv
  api: {api}
- name: contacts
  upsert: Contact
  key: ERP_Id__c
  from: contacts.csv
  api: {api}
- name: rate
  update: Account
  from: {{task: accounts}}
  fields: {{Id: sf__Id, Rating: "'Hot'"}}
- name: by_key
  update: Account
  key: ERP_Id__c
  from: accounts.csv
  fields: {{ERP_Id__c: ERP_Id__c, Industry: "'Banking'"}}
- name: old
  query: SELECT Id, LastName FROM Lead WHERE Company = 'Old'
- name: clear
  delete: Lead
  from: {{task: old}}
- name: export
  query: SELECT Id FROM Account
  to: out/accounts.csv
- name: again
  create: Task
  from: {{task: accounts, rows: failed}}
  fields: {{Subject: Name}}
  on_failure: alarm
- name: alarm
  create: Task
  from: accounts.csv
  fields: {{Subject: Name}}
"""


@OVER_REST
def test_tasks_are_planned_on_what_those_before_them_would_leave(bench, org, api):
    known = org.create("Account", Name="Known", ERP_Id__c="A1")
    lead = org.create("Lead", LastName="L", Company="Old")
    bench.write("accounts.csv", "ERP_Id__c,Name\nA1,Known\nA2,New\na3,Newer\n")
    bench.write(
        "contacts.csv",
        "ERP_Id__c,LastName,Account.ERP_Id__c\nC1,One,A1\nC2,Two,a2\nC3,Three,A9\n",
    )
    job = bench.job(CHAIN.format(api=api))
    ended = bench.run("plan", job, "-o", "json")
    assert ended.code == 0, ended.err
    tasks = {task["name"]: task for task in ended.document["tasks"]}
    assert counts(tasks["accounts"]) == {"create": 2, "unchanged": 1}
    assert counts(tasks["contacts"]) == {"create": 2, "refused": 1}
    assert refused(tasks["contacts"]) == {3: "INVALID_FIELD"}
    assert counts(tasks["rate"]) == {"update": 3}, "a run also sends what is unchanged"
    assert [row["id"] for row in tasks["rate"]["rows"]] == [known, None, None]
    assert counts(tasks["by_key"]) == {"update": 3}
    assert [row["id"] for row in tasks["by_key"]["rows"]] == [known, None, None]
    assert (tasks["old"]["read"], tasks["export"]["read"]) == (1, 1)
    assert counts(tasks["clear"]) == {"delete": 1}
    assert [row["id"] for row in tasks["clear"]["rows"]] == [lead]
    assert tasks["again"]["has_unknown_rows"]
    assert counts(tasks["again"]) == {}
    assert "fails" in tasks["alarm"]["unknown"][0]
    assert not (bench.folder / "out").exists()
    assert len(org.rows("SELECT Id FROM Lead")) == 1

    assert bench.run("run", job).code == 3
    ended = bench.run("plan", job, "-o", "json", "--task", "accounts", "--task", "contacts")
    assert [counts(task) for task in ended.document["tasks"]] == [
        {"unchanged": 3},
        {"unchanged": 2, "refused": 1},
    ]


@OVER_BULK
def test_a_number_that_the_org_prints_with_an_exponent_is_shown_in_full(bench, org, api):
    org.create("Account", Name="Big", ERP_Id__c="K1", AnnualRevenue=950_000_000)
    bench.write("a.csv", "ERP_Id__c,AnnualRevenue\nK1,960000000\n")
    job = bench.job(f"- {{name: load, upsert: Account, key: ERP_Id__c, from: a.csv, api: {api}}}")
    (task,) = bench.run("plan", job, "-o", "json").document["tasks"]
    assert cells(task, 1) == {"AnnualRevenue": ("950000000.0", "960000000")}


def test_a_query_on_what_earlier_tasks_change_is_said_to_be_of_now(bench, org):
    org.create("Account", Name="Big", ERP_Id__c="A1")
    bench.write("a.csv", "ERP_Id__c,Name\nA2,New\n")
    job = bench.job(
        "- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv}\n"
        "- {name: big, query: 'SELECT Id FROM Account'}\n"
        "- {name: rate, update: Account, from: {task: big},"
        " fields: {Id: Id, Rating: \"'Hot'\"}}\n"
        "- {name: leads, query: 'SELECT Id FROM Lead', to: out/leads.csv}"
    )
    document = bench.run("plan", job, "--save", "a.plan", "-o", "json").document
    _, big, rate, leads = document["tasks"]
    assert (big["read"], leads["unknown"]) == (1, [])
    assert "`load` changes records of Account first" in big["unknown"][0]
    assert rate["has_unknown_rows"]
    assert counts(rate) == {"update": 1}
    assert bench.run("apply", "a.plan").code == 0
    assert [row["Rating"] for row in org.rows("SELECT Rating FROM Account")] == ["Hot", "Hot"]
    assert bench.run("plan", job, "--detailed-exitcode").code == 0


def test_what_an_earlier_task_writes_elsewhere_is_said_to_be_of_now(bench, org):
    org.create("Account", Name="New", ERP_Id__c="A1", Phone="1")
    bench.write("out/a.csv", "ERP_Id__c,Phone\nA1,old\n")
    bench.write("results/failed.csv", "ERP_Id__c\nA1\n")
    bench.write("b.csv", "Id,ERP_Id__c\n")
    job = bench.job(
        "- {name: found, query: 'SELECT ERP_Id__c, Phone FROM Account', to: out/b.csv}\n"
        "- {name: many, upsert: Account, key: ERP_Id__c, from: out/*.csv, duplicates: last}\n"
        "- {name: gone, delete: Account, from: b.csv, results: results}\n"
        "- {name: again, delete: Account, key: ERP_Id__c, from: results/failed.csv}\n"
        "- {name: other, delete: Account, from: b.csv}"
    )
    document = bench.run("plan", job, "--save", "a.plan", "-o", "json").document
    tasks = {task["name"]: task for task in document["tasks"]}
    assert "`found` writes what this task reads" in tasks["many"]["unknown"][0]
    assert "`gone` writes what this task reads" in tasks["again"]["unknown"][0]
    assert tasks["many"]["has_unknown_rows"]
    assert tasks["other"]["unknown"] == []
    ended = bench.run("apply", "a.plan")
    assert ended.code == 0, ended.out + ended.err
    assert [row["Phone"] for row in org.rows("SELECT Phone FROM Account")] == ["1"]


def test_a_file_that_keeps_its_rows_is_read_with_them(bench, org):
    ids = [org.create("Account", Name=f"A{n}", ERP_Id__c=f"K{n}") for n in range(2)]
    bench.write("out/a.csv", f'"Id","Name"\n"{ids[0]}","A0"\n')
    job = bench.job(
        "- {name: found, query: \"SELECT Id, Name FROM Account WHERE ERP_Id__c = 'K1'\","
        " to: {file: out/a.csv, mode: append}}\n"
        "- {name: load, update: Account, from: out/a.csv, fields: {Id: Id, Phone: \"'1'\"}}"
    )
    document = bench.run("plan", job, "-o", "json").document
    assert counts(document["tasks"][1]) == {"update": 2}
    assert len((bench.folder / "out/a.csv").read_text().splitlines()) == 2


def test_a_job_is_planned_on_what_the_jobs_before_it_would_leave(bench, org):
    org.create("Account", Name="Old", ERP_Id__c="A0")
    bench.write("a.csv", "ERP_Id__c,Name\nA0,Newer\nA1,New\n")
    bench.write("c.csv", "LastName,Account.ERP_Id__c\nC,A1\n")
    bench.write("b.csv", "ERP_Id__c,Name\nA0,Old\n")
    first = bench.job("- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv}")
    second = bench.write(
        "second.yaml",
        first.read_text().partition("tasks:")[0]
        + "tasks:\n- {name: people, create: Contact, from: c.csv}\n"
        + "- {name: back, upsert: Account, key: ERP_Id__c, from: b.csv}\n",
    )
    _, later = bench.run("plan", first, second, "-o", "json").document
    assert counts(later["tasks"][0]) == {"create": 1}
    assert "`load` changes records of Account first" in later["tasks"][1]["unknown"][0]


def test_files_that_a_query_would_write_are_read_by_later_tasks_and_jobs(bench, org):
    org.create("Account", Name="A", ERP_Id__c="A1")
    first = bench.job(
        "- {name: export, query: 'SELECT ERP_Id__c, Name FROM Account', to: out/a.csv}",
        name="first.yaml",
    )
    second = bench.job(
        "- {name: load, update: Account, key: ERP_Id__c, from: out/a.csv,"
        " fields: {ERP_Id__c: ERP_Id__c, Phone: \"'1'\"}}",
        name="second.yaml",
    )
    ended = bench.run("plan", first, second, "-o", "json")
    assert ended.code == 0, ended.err
    one, two = ended.document
    assert one["has_changes"] is False
    assert counts(two["tasks"][0]) == {"update": 1}
    assert not (bench.folder / "out").exists()


def test_deletes_and_updates_by_id_of_records_that_are_gone_are_refused(bench, org):
    there = org.create("Account", Name="A")
    gone = org.create("Account", Name="B")
    org.request("DELETE", f"/services/data/v62.0/sobjects/Account/{gone}")
    bench.write("ids.csv", f"Id\n{there}\n{gone}\n")
    job = bench.job(
        "- {name: change, update: Account, from: ids.csv, fields: {Id: Id, Phone: \"'1'\"}}\n"
        "- {name: clear, delete: Account, from: ids.csv}"
    )
    ended = bench.run("plan", job, "-o", "json")
    assert ended.code == 0, ended.err
    change, clear = ended.document["tasks"]
    assert counts(change) == {"update": 1, "refused": 1}
    assert counts(clear) == {"delete": 1, "refused": 1}
    assert refused(clear) == {2: "INVALID_CROSS_REFERENCE_KEY"}


def test_every_view_and_no_masked_value(bench, org):
    org.create("Account", Name="A", ERP_Id__c="K1", Phone="0301111")
    bench.write("a.csv", "ERP_Id__c,Phone,Name\nK1,9992222,A\n")
    job = bench.job("- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv}")
    marks = {
        "text": "plan of test",
        "markdown": "<details>",
        "html": "<!doctype html>",
        "json": "{",
    }
    for view, mark in marks.items():
        shown = bench.run("plan", job, "-o", view)
        assert shown.code == 0, shown.err
        assert shown.out.startswith(mark) or view == "markdown"
        assert "0301111" in shown.out
        hidden = bench.run("plan", job, "-o", view, "--mask", "phone")
        assert mark in hidden.out
        assert "0301111" not in hidden.out
        assert "9992222" not in hidden.out
    wrong = bench.run("plan", job, "--mask", "Fone")
    assert wrong.code == 2
    assert "did you mean `Phone`?" in wrong.err


def test_a_source_that_cannot_be_read_is_named_with_its_task(bench, org):
    bench.write("a.csv", 'ERP_Id__c,Name\nK1,"A\n')
    job = bench.job("- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv}")
    ended = bench.run("plan", job)
    assert ended.code == 1
    assert "load: " in ended.err
    assert not (bench.state / "plans").exists()

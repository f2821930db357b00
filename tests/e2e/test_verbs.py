"""Each verb on each API: what the command says, what the files hold, what the org has."""

import json
from pathlib import Path

import pytest

APIS = pytest.mark.parametrize("api", ["rest", "bulk"])


@APIS
def test_create(bench, org, api):
    bench.write("a.csv", "name,staff,since\nAlpha,12,2020-02-29\nBeta,,\n,3,\n")
    job = bench.job(f"""
- name: load
  create: Account
  from: a.csv
  api: {api}
  fields: {{Name: name, NumberOfEmployees: staff, Since__c: since}}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    task = ended.task("load")
    assert task["api"] == api
    assert task["status"] == "partial"
    assert (task["counts"]["read"], task["counts"]["created"], task["counts"]["failed"]) == (
        3,
        2,
        1,
    )
    found = org.rows("SELECT Id, Name, NumberOfEmployees, Since__c FROM Account ORDER BY Name")
    assert [(r["Name"], r["NumberOfEmployees"], r["Since__c"]) for r in found] == [
        ("Alpha", 12, "2020-02-29"),
        ("Beta", None, None),
    ]
    succeeded = sorted(ended.rows("succeeded"), key=lambda row: row["sf__Row"])
    assert [(row["name"], row["sf__Row"], row["sf__Id"]) for row in succeeded] == [
        ("Alpha", "1", found[0]["Id"]),
        ("Beta", "2", found[1]["Id"]),
    ]
    assert {row["sf__Created"] for row in succeeded} == {"true"}
    (failed,) = ended.rows("failed")
    assert (failed["staff"], failed["sf__Row"]) == ("3", "3")
    assert failed["sf__Code"] == "REQUIRED_FIELD_MISSING"
    assert failed["sf__Message"] == "Required fields are missing: [Name]"
    assert failed["sf__Fields"] == "Name"
    assert ended.rows("unprocessed") == []


@APIS
def test_update_by_id(bench, org, api):
    kept = org.create("Account", Name="Kept", Phone="1")
    changed = org.create("Account", Name="Changed", Phone="2", Website="https://x.example")
    bench.write("u.csv", f"Id,Phone,Website\n{changed},22,\n001000000000000AAA,9,\n")
    job = bench.job(f"""
- name: phones
  update: Account
  from: u.csv
  api: {api}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    counts = ended.task("phones")["counts"]
    assert (counts["read"], counts["updated"], counts["failed"]) == (2, 1, 1)
    rows = {r["Id"]: r for r in org.rows("SELECT Id, Phone, Website FROM Account")}
    assert rows[changed]["Phone"] == "22"
    assert rows[changed]["Website"] == "https://x.example", "a blank leaves the field alone"
    assert rows[kept]["Phone"] == "1"
    (failed,) = ended.rows("failed", task="phones")
    assert failed["sf__Code"] == "INVALID_CROSS_REFERENCE_KEY"


@APIS
def test_blank_clear_empties_the_field(bench, org, api):
    record = org.create("Account", Name="A", Phone="2", Website="https://x.example")
    bench.write("u.csv", f"Id,Phone,Website\n{record},22,\n")
    job = bench.job(f"""
- name: phones
  update: Account
  from: u.csv
  blank: clear
  api: {api}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert org.rows("SELECT Phone, Website FROM Account") == [{"Phone": "22", "Website": None}]


@APIS
def test_upsert_creates_and_updates_and_links_parents(bench, org, api):
    org.create("Account", Name="Old", ERP_Id__c="E1")
    bench.write("a.csv", "no,name\nE1,New name\nE2,Second\n")
    bench.write("c.csv", "no,parent,name\nP1,E2,Ada\nP2,E9,Ben\n")
    job = bench.job(f"""
- name: accounts
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  api: {api}
  fields: {{ERP_Id__c: no, Name: name}}
- name: contacts
  upsert: Contact
  key: ERP_Id__c
  from: c.csv
  api: {api}
  fields: {{ERP_Id__c: no, LastName: name, Account.ERP_Id__c: parent}}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    accounts = ended.task("accounts")["counts"]
    assert (accounts["created"], accounts["updated"], accounts["failed"]) == (1, 1, 0)
    assert org.rows("SELECT Name FROM Account ORDER BY ERP_Id__c") == [
        {"Name": "New name"},
        {"Name": "Second"},
    ]
    assert org.rows("SELECT LastName, Account.Name FROM Contact") == [
        {"LastName": "Ada", "Account": {"Name": "Second"}}
    ]
    (failed,) = ended.rows("failed", task="contacts")
    assert failed["sf__Code"] == "INVALID_FIELD"
    assert "Foreign key external ID: e9 not found" in failed["sf__Message"].replace("E9", "e9")


@APIS
def test_delete_what_a_query_found(bench, org, api):
    for name in ("Keep", "Drop 1", "Drop 2"):
        org.create("Account", Name=name)
    job = bench.job(f"""
- name: old
  query: SELECT Id, Name FROM Account WHERE Name LIKE 'Drop%'
- name: drop
  delete: Account
  from: {{task: old}}
  api: {api}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.task("drop")["counts"]["deleted"] == 2
    assert org.rows("SELECT Name FROM Account") == [{"Name": "Keep"}]
    assert len(ended.rows("succeeded", task="drop")) == 2


@APIS
def test_query_writes_the_same_bytes_on_either_api(bench, org, api):
    parent = org.create("Account", Name='Say "hi",\nPöl', AnnualRevenue=1000000000, Score__c=1.5)
    org.create("Contact", LastName="Child", AccountId=parent, Birthdate="1999-12-31")
    org.create("Contact", LastName="Orphan")
    job = bench.job(f"""
- name: list
  query: |
    SELECT LastName, Birthdate, IsDeleted, Account.Name, Account.AnnualRevenue, Account.Score__c
    FROM Contact ORDER BY LastName
  to: out/list.csv
  api: {api}
- name: lines
  query: SELECT LastName, Birthdate, IsDeleted, Account.AnnualRevenue FROM Contact ORDER BY LastName
  to: out/list.jsonl
  api: {api}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.task("list")["api"] == api
    assert (bench.folder / "out/list.csv").read_text() == (
        '"LastName","Birthdate","IsDeleted","Account.Name","Account.AnnualRevenue","Account.Score__c"\n'
        '"Child","1999-12-31","false","Say ""hi"",\nPöl","1000000000.0","1.5"\n'
        '"Orphan","","false","","",""\n'
    )
    lines = [
        json.loads(line) for line in (bench.folder / "out/list.jsonl").read_text().splitlines()
    ]
    assert lines == [
        {
            "LastName": "Child",
            "Birthdate": "1999-12-31",
            "IsDeleted": False,
            "Account.AnnualRevenue": 1e9,
        },
        {
            "LastName": "Orphan",
            "Birthdate": None,
            "IsDeleted": False,
            "Account.AnnualRevenue": None,
        },
    ]


def test_the_threshold_chooses_the_api(bench, org):
    for name, rows in (("few", 2000), ("many", 2001)):
        lines = (f"{name[0]}{n},{name} {n}\n" for n in range(rows))
        bench.write(f"{name}.csv", "ERP_Id__c,Name\n" + "".join(lines))
    bench.write("unfindable.csv", "Name\nx\n")
    job = bench.job("""
- name: few
  create: Account
  from: few.csv
- name: many
  create: Account
  from: many.csv
- name: unfindable
  create: Account
  from: unfindable.csv
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    apis = {task["name"]: task["api"] for task in ended.document["tasks"]}
    assert apis == {"few": "rest", "many": "bulk", "unfindable": "bulk"}
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 4002}]


def test_failed_rows_are_a_source_as_they_are(bench, org):
    bench.write("a.csv", "no,name\nE1,\nE2,Two\n")
    tasks = """
- name: accounts
  upsert: Account
  key: ERP_Id__c
  from: {source}
  fields: {{ERP_Id__c: no, Name: name}}
"""
    ended = bench.run("run", bench.job(tasks.format(source="a.csv")), "-o", "json")
    assert ended.code == 3
    failed = (Path(ended.task("accounts")["results"]) / "failed.csv").read_text(encoding="utf-8")
    mended = failed.replace('"E1",""', '"E1","One"').replace("E1,,", "E1,One,")
    bench.write("again.csv", mended)
    ended = bench.run("run", bench.job(tasks.format(source="again.csv")), "-o", "json")
    assert ended.code == 0, ended.err
    assert org.rows("SELECT Name FROM Account ORDER BY Name") == [{"Name": "One"}, {"Name": "Two"}]


def test_the_failed_rows_of_a_task_are_another_tasks_source(bench, org):
    bench.write("a.csv", "no,name\nE1,\nE2,Two\n")
    job = bench.job("""
- name: accounts
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  fields: {ERP_Id__c: no, Name: name}
- name: named
  upsert: Account
  key: ERP_Id__c
  from: {task: accounts, rows: failed}
  fields: {ERP_Id__c: no, Name: "'Nameless ' || no"}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    assert ended.task("named")["counts"]["created"] == 1
    assert org.rows("SELECT Name FROM Account ORDER BY Name") == [
        {"Name": "Nameless E1"},
        {"Name": "Two"},
    ]


@APIS
def test_a_parent_that_may_be_of_several_objects_is_named_with_its_object(bench, org, api):
    org.create("Contact", LastName="Ada", ERP_Id__c="P1")
    org.create("Account", Name="Acme", ERP_Id__c="A1")
    bench.write("t.csv", "subject,who,what\nCall,P1,A1\nLost,P9,A1\n")
    job = bench.job(f"""
- name: tasks
  create: Task
  from: t.csv
  api: {api}
  fields:
    Subject: subject
    Contact:Who.ERP_Id__c: who
    Account:What.ERP_Id__c: what
    User:Owner.Username: "'admin@local.example'"
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.out + ended.err
    assert org.rows("SELECT Subject, Who.Name, What.Name, Owner.Name FROM Task") == [
        {
            "Subject": "Call",
            "Who": {"Name": "Ada"},
            "What": {"Name": "Acme"},
            "Owner": org.rows("SELECT Name FROM User WHERE Username = 'admin@local.example'")[0],
        }
    ]


def test_a_create_that_goes_over_bulk_for_safety_says_so_once(bench, org):
    bench.write("a.csv", "Name\na\nb\n")
    bench.write("b.csv", "Name,ERP_Id__c\nc,E1\n")
    task = "- name: {0}\n  create: Account\n  from: {0}.csv\n"
    ended = bench.run("run", bench.job(task.format("a") + task.format("b")), "-o", "json")
    assert ended.code == 0, ended.err
    assert [ended.task(name)["api"] for name in ("a", "b")] == ["bulk", "rest"]
    assert ended.err.count("no field that is unique in the org") == 1

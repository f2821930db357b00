"""`runner org load` and `runner org dump`: files into the local org, and out of it again."""

import json
from pathlib import Path

import pytest

PLAN = [
    {"sobject": "Account", "saveRefs": True, "resolveRefs": False, "files": ["Accounts.json"]},
    {"sobject": "Contact", "resolveRefs": True, "files": [{"file": "Contacts.json"}]},
]


def record(sobject, ref, **values):
    return {"attributes": {"type": sobject, "referenceId": ref}, **values}


def run(bench, *words, code=0):
    ended = bench.run("org", *words)
    assert ended.code == code, (ended.out, ended.err)
    return ended


def refusal(bench, *words, code=1):
    said = run(bench, *words, code=code).err
    assert "Traceback" not in said
    return said


def write_export(bench):
    """An export of SFDMU: keys of several fields, an object to read only, a file of its own."""
    objects = [
        {"query": "SELECT Id, Name, Type FROM Account", "operation": "Upsert"},
        {"query": "SELECT LastName, AccountId FROM Contact", "operation": "Insert"},
        {"query": "SELECT Id FROM User", "operation": "Readonly", "externalId": "Name"},
        {"query": "SELECT Id FROM Lead", "operation": "Insert", "excluded": True},
    ]
    bench.write("export/export.json", json.dumps({"objectSets": [{"objects": objects}]}))
    bench.write("export/Account.csv", "Id,Name,Type,$$Name$Type\n001x,Sf,Other,Sf;Other\n")
    header = "LastName,AccountId,Account.$$Name$Type,OwnerId,Owner.Name"
    bench.write("export/Contact.csv", f"{header}\nDu,001x,Sf;Other,005z,Local Admin\n")
    bench.write("export/UserAndGroup.csv", "Id,Name\n005z,Local Admin\n00Gz,Nobody\n")


def test_files_of_every_kind_go_into_a_stopped_org_and_come_out_as_they_were(bench):
    bench.write("Contact.csv", "LastName;Account.Name\nAda;Ünion\n")
    (bench.folder / "customers.csv").write_text("Id,Name\n001a,Ünion\n", encoding="utf-16")
    loaded = run(bench, "load", "customers.csv", "--object", "Account")
    assert loaded.out == "1 record created (Account 1).\n"
    assert run(bench, "load", "Contact.csv").out == "1 record created (Contact 1).\n"
    opportunity = record(
        "Opportunity", "O1", Name="Deal", StageName="Prospecting", CloseDate="2026-01-01"
    )
    account = record(
        "Account", "A1", Name="Tree", AnnualRevenue=0.5, Opportunities={"records": [opportunity]}
    )
    text = json.dumps({"records": [account]}, indent=1)
    bench.write("Accounts.json", text.replace("0.5", "123456789012345679.0"))
    contact = record("Contact", "C1", LastName="Leaf", AccountId="@A1")
    bench.write("Contacts.json", json.dumps({"records": [contact]}))
    bench.write("plan.json", json.dumps(PLAN))
    planned = run(bench, "load", "plan.json", "-o", "json").document
    assert planned["created"] == {"Account": 1, "Opportunity": 1, "Contact": 1}
    write_export(bench)
    exported = run(bench, "load", "export")
    assert exported.out == (
        "2 records created (Account 1, Contact 1).\n1 record of the org used (User 1).\n"
    )
    dumped = run(bench, "dump", "one", "-o", "json").document
    assert dumped["records"] == {"Account": 3, "Contact": 3, "Opportunity": 1}
    assert ",123456789012345679.0," in contents(bench.folder / "one")["Account.csv"]
    run(bench, "reset")
    run(bench, "load", "one")
    (bench.folder / "dumps").mkdir()
    (bench.folder / "two").symlink_to("dumps")
    run(bench, "dump", "two")
    assert (bench.folder / "two").is_symlink()
    assert contents(bench.folder / "one") == contents(bench.folder / "two")


def contents(folder):
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_a_running_org_is_loaded_and_dumped_with_positions_and_hints(bench, org):
    named = ("--org-file", bench.folder / "org.yaml")
    bench.write("Account.csv", 'ERP_Id__c,Name\n1,"Two\nlines"\n\n2,Beta\n')
    assert run(bench, "load", "Account.csv", *named).out == "2 records created (Account 2).\n"
    again = refusal(bench, "load", "Account.csv", *named)
    assert again.startswith("error: Account.csv:2: row 1: DUPLICATE_VALUE:")
    assert again.endswith("Nothing was loaded.\n")
    bench.write("Account.csv", "ERP_Id__c,Nmae\n1,A\n")
    assert refusal(bench, "load", "Account.csv", *named) == (
        "error: Account.csv:1: Account has no field 'Nmae'. Nothing was loaded.\n"
        "help: did you mean `Name`?\n"
    )
    bench.write("Accont.csv", "Name\nA\n")
    assert "help: did you mean `Account`?" in refusal(bench, "load", "Accont.csv", *named)
    bench.write(
        "t.json",
        '{"records": [\n  {"attributes": {"type": "Account",\n'
        '    "referenceId": "R1"},\n  "Name": ""}]}',
    )
    assert "t.json:3: record R1: REQUIRED_FIELD_MISSING" in refusal(bench, "load", "t.json", *named)
    assert len(org.rows("SELECT Id FROM Account")) == 2
    assert run(bench, "dump", "out", *named).out == "out: 2 records (Account 2).\n"
    assert "out is not empty" in refusal(bench, "dump", "out", *named, code=2)
    org.create("Lead", LastName="Ada", Company="Acme")
    run(bench, "dump", "out", "--update", *named)
    assert {file.name for file in (bench.folder / "out").iterdir()} == {"Account.csv", "Lead.csv"}
    bench.write("out/mine.txt", "x")
    assert "would be lost" in refusal(bench, "dump", "out", "--update", *named, code=2)


UNREADABLE = [
    ("a.csv", "Name,Id\nA\n", "a.csv:2: row 1 has 1 cell, the header has 2", 1),
    ("a.csv", "", "a.csv:1: the file has no header", 1),
    ("a.csv", "Name,\nA,b\n", "a.csv:1: a column has no name", 1),
    ("a.csv", "Name,name\nA,b\n", "a.csv:1: the column Name appears twice", 1),
    ("a.csv", 'Name\n"A"b\n', "a.csv:2: ", 1),
    ("a.json", "{", "a.json:1:2: ", 1),
    ("a.json", "{}", "a.json is neither a tree of records nor a plan", 1),
    ("a.json", '[{"sobject": "Account"}]', "a.json: step 1 names no files", 1),
    ("a.json", '[{"files": ["b.json"]}]', "b.json does not exist", 1),
    ("a.json", '{"records": [{"Name": "A"}]}', "a.json: record 1 has no `attributes`", 1),
    ("export.json", "{}", "export.json names no objects", 1),
    ("export.json", '{"objects": [{"query": "SELECT Id"}]}', "an object has no `query`", 1),
    ("export.json", '{"objects": [{"query": "SELECT Id FROM Lead"}]}', "Lead.csv is missing", 1),
    (
        "export.json",
        '{"objects": [\n{"query": "SELECT Id FROM Lead", "operation": "Delete"}]}',
        "export.json:2: the operation Delete of Lead cannot be loaded",
        1,
    ),
    (
        "export.json",
        '{"objects": [],\n"csvFileDelimiter": "\\""}',
        'export.json:2: "\\"" cannot separate columns',
        1,
    ),
    (
        "export.json",
        '{"csvReadFileDelimiter": "tab", "objects": []}',
        'export.json:1: "tab" cannot separate columns',
        1,
    ),
    ("a.parquet", "x", "a.parquet is neither CSV nor JSON", 2),
]


@pytest.mark.parametrize(("name", "text", "message", "code"), UNREADABLE)
def test_a_file_that_cannot_be_loaded_is_told_with_where_and_why(bench, name, text, message, code):
    bench.write(f"in/{name}", text)
    assert message in refusal(bench, "load", f"in/{name}", code=code)


def test_an_object_of_an_org_file_that_was_not_named(bench):
    bench.write("org.yaml", "version: 1\nobjects: {Xyzzy__c: {label: X, plural_label: X}}\n")
    bench.write("Xyzzy__c.csv", "Name\nA\n")
    assert "`--org-file org.yaml`" in refusal(bench, "load", "Xyzzy__c.csv")
    assert run(bench, "load", "Xyzzy__c.csv", "--org-file", "org.yaml").out.startswith("1 record")
    bench.write("whatever.csv", "Name\nA\n")
    assert "with `--object`" in refusal(bench, "load", "whatever.csv", "--org-file", "org.yaml")


def test_a_folder_without_rows_and_a_path_that_is_not_there(bench):
    (bench.folder / "empty").mkdir()
    assert "There is no CSV file in empty" in refusal(bench, "load", "empty", code=2)
    assert "nope.csv does not exist" in refusal(bench, "load", "nope.csv")
    Path(bench.folder / "taken").write_text("x")
    assert "taken is a file" in refusal(bench, "dump", "taken", code=2)


SETUP = """
version: 1
users: {ada@acme.example: {name: Ada Lovelace, email: ada@home.example}}
queues: {Support: {objects: [Case]}}
"""
OWNED = """
- name: accounts
  create: Account
  from: accounts.csv
  fields: {Name: name, OwnerId: {lookup: User, by: Email, value: owner}}
- name: cases
  create: Case
  from: accounts.csv
  fields: {Subject: name, OwnerId: {lookup: Group, by: DeveloperName, value: queue}}
"""


def test_owners_are_found_by_email_and_queue_and_dumped_with_them(bench):
    named = ("--org-file", bench.write("org.yaml", SETUP))
    bench.write("accounts.csv", "name,owner,queue\nAcme,ada@home.example,Support\n")
    job = bench.job(OWNED, connection="{environment: local, org_file: org.yaml}")
    ended = bench.run("run", job)
    assert ended.code == 0, ended.err
    bench.write("Contact.csv", "LastName,Account.Name,Owner.Email\nLeaf,Acme,ada@home.example\n")
    run(bench, "load", "Contact.csv", *named)
    run(bench, "dump", "one", *named)
    run(bench, "reset", *named)
    loaded = run(bench, "load", "one", *named, "-o", "json").document
    assert loaded["created"] == {"Account": 1, "Case": 1, "Contact": 1}
    assert loaded["found"] == {"User": 1, "Group": 1, "QueueSobject": 1}
    run(bench, "dump", "two", *named)
    assert contents(bench.folder / "one") == contents(bench.folder / "two")

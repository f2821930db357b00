"""Lists of children, also those of more than one page: as JSON in a column, and as tables."""

import csv
import json
from decimal import Decimal

import duckdb

MANY = 2_150  # the org gives 2,000 at a time


def table(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_children_come_whole_as_json_and_as_tables_of_their_own(bench, org):
    big = org.create("Account", Name="Big", ERP_Id__c="E1")
    small = org.create("Account", Name="Small", ERP_Id__c="E2")
    org.create("Account", Name="None", ERP_Id__c="E3")
    case = {"Subject": 'a, "b"\nc', "AccountId": small}
    org.create("Case", **case)
    org.create("Contact", LastName="Only", AccountId=small, Birthdate="1999-12-31")
    rows = "".join(f"n{number:04},E1\n" for number in range(MANY))
    bench.write("contacts.csv", f"LastName,Account.ERP_Id__c\n{rows}")
    contacts = "(SELECT LastName, CreatedDate, Birthdate FROM Contacts ORDER BY LastName)"
    ended = bench.run("run", bench.job(f"""
- name: load
  create: Contact
  from: contacts.csv
- name: nested
  query: SELECT Name, {contacts}, (SELECT Subject FROM Cases) FROM Account ORDER BY Name
  to: nested.jsonl
- name: tables
  query: SELECT Name, {contacts}, (SELECT Subject FROM Cases) FROM Account ORDER BY Name
  to: accounts.csv
  children:
    contacts: {{to: out/contacts.csv, parent: AccountId}}
    Cases: {{to: out/cases.jsonl}}
"""), "-o", "json")  # fmt: skip
    assert ended.code == 0, ended.err + ended.out
    lines = (bench.folder / "nested.jsonl").read_text(encoding="utf-8").strip().split("\n")
    nested = [json.loads(line) for line in lines]
    found = nested[0]["Contacts"]
    assert (found["totalSize"], found["done"]) == (MANY, True)
    assert "nextRecordsUrl" not in found
    names = [f"n{number:04}" for number in range(MANY)]
    assert [record["LastName"] for record in found["records"]] == names
    assert [row["Cases"] and row["Cases"]["totalSize"] for row in nested] == [None, None, 1]

    assert table(bench.folder / "accounts.csv") == [{"Name": n} for n in ("Big", "None", "Small")]
    children = table(bench.folder / "out" / "contacts.csv")
    assert [row["LastName"] for row in children] == [*names, "Only"]
    assert {row["AccountId"] for row in children[:MANY]} == {big}
    assert children[-1]["AccountId"] == small
    assert children[-1]["Birthdate"] == "1999-12-31"
    assert children[0]["CreatedDate"].endswith("Z")
    cases = (bench.folder / "out" / "cases.jsonl").read_text(encoding="utf-8")
    assert json.loads(cases) == {"sf__ParentId": small, "Subject": case["Subject"]}
    assert ended.task("tables")["notes"] == [
        f"contacts: {MANY + 1:,} rows to {bench.folder / 'out' / 'contacts.csv'}",
        f"Cases: 1 row to {bench.folder / 'out' / 'cases.jsonl'}",
    ]


def test_numbers_in_a_list_of_children_are_numbers_with_all_their_digits(bench, org):
    parent = org.create("Account", Name="A")
    org.create("Account", Name="B", ParentId=parent, AnnualRevenue=123456789012345678)
    ended = bench.run("run", bench.job("""
- name: nested
  query: SELECT Name, (SELECT AnnualRevenue FROM ChildAccounts) FROM Account WHERE ParentId = null
  to: nested.json
- name: tables
  query: SELECT Name, (SELECT AnnualRevenue FROM ChildAccounts) FROM Account WHERE Name = 'nobody'
  to: accounts.parquet
  children: {ChildAccounts: {to: children.parquet}}
"""))  # fmt: skip
    assert ended.code == 0, ended.err + ended.out
    text = (bench.folder / "nested.json").read_text(encoding="utf-8")
    [found] = json.loads(text, parse_float=Decimal)
    assert found["ChildAccounts"]["records"][0]["AnnualRevenue"] == 123456789012345678
    with duckdb.connect() as connection:
        asked = connection.execute(f"DESCRIBE FROM '{bench.folder / 'children.parquet'}'")
        assert [row[:2] for row in asked.fetchall()] == [
            ("sf__ParentId", "VARCHAR"),
            ("AnnualRevenue", "DECIMAL(18,0)"),
        ]


def test_lists_inside_of_lists_are_tables_of_their_own(bench, org):
    account = org.create("Account", Name="A (1)")
    contact = org.create("Contact", LastName="C", AccountId=account)
    org.create("Contact", LastName="D", AccountId=account)
    for subject in ("S1", "S2"):
        org.create("Case", Subject=subject, ContactId=contact, Priority="High")
    inner = (
        "(SELECT toLabel(Priority), Subject s FROM Cases WHERE (Subject LIKE 'S%' AND"
        " (CALENDAR_YEAR(CreatedDate) > 2000)) ORDER BY Subject)"
    ).replace(" s FROM", " FROM")
    soql = (
        f"SELECT a.Name, (SELECT Id, {inner}, c.LastName FROM a.Contacts c WHERE (NOT LastName ="
        " 'x, (y') ORDER BY LastName) FROM Account a WHERE (Name != null)"
    )
    ended = bench.run("run", bench.job(f"""
- name: tables
  query: {json.dumps(soql)}
  to: accounts.jsonl
  children:
    contacts: {{to: contacts.csv, parent: AccountId}}
    Contacts.cases: {{to: cases.csv, parent: ContactId}}
- name: mixed
  query: {json.dumps(soql)}
  to: mixed.jsonl
  children:
    Contacts.Cases: {{to: cases2.csv}}
"""))  # fmt: skip
    assert ended.code == 0, ended.err + ended.out
    assert json.loads((bench.folder / "accounts.jsonl").read_text()) == {"Name": "A (1)"}
    found = table(bench.folder / "contacts.csv")
    assert [list(row) for row in found] == [["AccountId", "Id", "LastName"]] * 2
    assert [row["LastName"] for row in found] == ["C", "D"]
    cases = table(bench.folder / "cases.csv")
    assert [tuple(row.values()) for row in cases] == [
        (contact, "High", "S1"),
        (contact, "High", "S2"),
    ]
    assert [row["sf__ParentId"] for row in table(bench.folder / "cases2.csv")] == [contact] * 2
    mixed = json.loads((bench.folder / "mixed.jsonl").read_text())
    assert mixed["Contacts"]["records"][0] == {"Id": contact, "LastName": "C"}

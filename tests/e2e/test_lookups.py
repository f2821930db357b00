"""Fields that are filled with the Ids of records which the rows name by other values."""

import re
from itertools import product
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.e2e.apis import OVER_BULK, OVER_REST
from tests.short_form import slow

ORG = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
      Since__c: {type: date, label: Since}
      Number__c: {type: number, label: Number, precision: 18, scale: 2}
      Active__c: {type: checkbox, label: Active}
    record_types: {Retail: {default: true}, Wholesale: {}, Old: {active: false}}
  Contact:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
"""


def said(ended, kind):
    return [(r["sf__Row"], r["sf__Code"], r["sf__Message"]) for r in ended.rows(kind)]


def contacts(org):
    rows = org.rows("SELECT LastName, Account.Name, Account.BillingCity FROM Contact")
    return {
        row["LastName"]: (
            row["Account"] and (row["Account"]["Name"], row["Account"]["BillingCity"])
        )
        for row in rows
    }


@OVER_REST
def test_a_row_gets_the_id_of_the_record_that_it_names(bench, serve_org, api):
    org = serve_org(org_file=ORG)
    org.create("Account", Name="Acme", BillingCity="Bonn", Active__c=True)
    twins = [org.create("Account", Name="Twin", BillingCity=city) for city in ("Ulm", "Kiel")]
    bench.write("c.csv", "name,company\nOne, acme \nTwo,Twin\nThree,Nobody's\nFour,\n")
    job = bench.job(f"""
- name: load
  create: Contact
  from: c.csv
  fields: {{LastName: name, AccountId: {{lookup: Account, by: name, value: company}}}}
  api: {api}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    ids = ", ".join(sorted(twins))
    assert said(ended, "failed") == [
        ("2", "LOOKUP_IS_AMBIGUOUS", f"AccountId: 2 records of Account have Name 'Twin': {ids}"),
        ("3", "LOOKUP_NOT_FOUND", "AccountId: no Account has Name 'Nobody's'"),
    ]
    assert contacts(org) == {"One": ("Acme", "Bonn"), "Four": None}


@OVER_BULK
def test_several_fields_a_condition_and_what_is_missing(bench, serve_org, api):
    org = serve_org(org_file=ORG)
    org.create("Account", Name="Twin", BillingCity="Ulm", Active__c=True)
    org.create("Account", Name="Twin", BillingCity="Kiel", Active__c=True)
    org.create("Account", Name="Twin", BillingCity="Kiel")
    org.create("Account", Name="Twin", Active__c=True)
    bench.write(
        "c.csv",
        "key,name,company,city,boss\nk1,One,twin,KIEL,Ann\nk2,Two,Twin,Bonn,\nk3,Three,Twin,,Nobody\n",
    )
    ann = org.create("Contact", LastName="Ann")
    job = bench.job(
        f"""
- name: load
  upsert: Contact
  key: ERP_Id__c
  from: c.csv
  fields:
    ERP_Id__c: key
    LastName: name
    AccountId:
      lookup: Account
      by: [Name, BillingCity]
      value: [company, city]
      where: Active__c = :active
      missing: skip
    ReportsToId: {{lookup: Contact, by: LastName, value: boss, missing: blank}}
  api: {api}
""",
        head="params: {active: {type: boolean, default: true}}\n",
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    message = (
        "AccountId: no Account has Name 'Twin' and BillingCity 'Bonn' where the lookup's "
        "condition holds"
    )
    assert said(ended, "skipped") == [("2", "NO_LOOKUP", message)]
    assert contacts(org) == {"Ann": None, "One": ("Twin", "Kiel"), "Three": ("Twin", None)}
    found = org.rows("SELECT ReportsToId FROM Contact WHERE ERP_Id__c != null ORDER BY ERP_Id__c")
    assert [row["ReportsToId"] for row in found] == [ann, None]


def test_values_are_compared_as_their_field_compares_them(bench, serve_org):
    org = serve_org(org_file=ORG)
    one = org.create("Account", Name="One", Since__c="2024-02-29", Number__c=7.5)
    two = org.create("Account", Name="Two", Since__c="2024-03-01", Number__c=7.25)
    twins = [org.create("Account", Name="Twin") for _ in range(2)]
    bench.write(
        "c.csv",
        "name,since,number,company\na,2024-02-29,07.50,\nb,2024-03-01,7.250,\nc,,x,\nd,,,twin\n",
    )
    job = bench.job("""
- name: by_date
  create: Contact
  from: c.csv
  on_error: continue
  fields: {LastName: name, AccountId: {lookup: Account, by: Since__c, value: since}}
- name: by_number
  create: Contact
  from: c.csv
  on_error: continue
  fields: {LastName: name, AccountId: {lookup: Account, by: Number__c, value: number}}
- name: by_expression
  create: Contact
  from: c.csv
  fields:
    LastName: name
    AccountId: {lookup: Account, by: Name, value: upper(company), many: first}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    assert [row["sf__Code"] for row in ended.rows("failed", task="by_number")] == [
        "VALUE_DOES_NOT_FIT"
    ]
    found = [row["AccountId"] for row in org.rows("SELECT AccountId FROM Contact ORDER BY Id")]
    assert found == [one, two, None, None, one, two, None, None, None, None, min(twins)]


def test_each_choice_of_what_is_missing_goes_with_each_of_what_is_many(bench, serve_org):
    org = serve_org(org_file=ORG)
    first = min(org.create("Account", Name="Twin") for _ in range(2))
    bench.write("c.csv", "name,company\nOne,Twin\nTwo,Nobody\n")
    choices = [*product(("error", "blank", "skip"), ("error", "first"))]
    tasks = "".join(
        f"""
- name: {missing}_{many}
  create: Contact
  from: c.csv
  needs: []
  fields:
    LastName: name
    FirstName: "'{missing} {many}'"
    AccountId: {{lookup: Account, by: Name, value: company, missing: {missing}, many: {many}}}
"""
        for missing, many in choices
    )
    ended = bench.run("run", bench.job(tasks), "-o", "json")
    got = {name: [] for name in (f"{missing} {many}" for missing, many in choices)}
    for row in org.rows("SELECT FirstName, LastName, AccountId FROM Contact ORDER BY LastName"):
        got[row["FirstName"]].append((row["LastName"], row["AccountId"]))
    one, two = ("One", first), ("Two", None)
    assert got == {
        "error error": [],
        "error first": [one],
        "blank error": [two],
        "blank first": [one, two],
        "skip error": [],
        "skip first": [one],
    }, ended.out
    skipped = {name: ended.task(f"{name}_first")["counts"]["skipped"] for name in ("blank", "skip")}
    assert skipped == {"blank": 0, "skip": 1}


def test_record_types_and_owners_have_one_word_each(bench, serve_org):
    org = serve_org(org_file=ORG)
    queue = org.create("Group", Name="First Line", DeveloperName="First_Line", Type="Queue")
    org.create("QueueSobject", QueueId=queue, SobjectType="Case")
    user = org.rows("SELECT Id, Username FROM User LIMIT 1")[0]
    bench.write("a.csv", f"name,kind,who\nOne,retail,{user['Username'].upper()}\nTwo,Old,Nobody\n")
    bench.write("c.csv", "subject,who\nOne,first line\nTwo,FIRST_LINE\nThree,\n")
    job = bench.job(f"""
- name: typed
  create: Account
  from: a.csv
  on_error: continue
  fields:
    Name: name
    RecordTypeId: {{record_type: kind}}
    OwnerId: {{owner: who}}
- name: fixed
  create: Account
  from: a.csv
  fields:
    Name: "name || '!'"
    RecordTypeId: {{record_type: Wholesale}}
    OwnerId: {{owner: {user["Username"]}}}
- name: cases
  create: Case
  from: c.csv
  fields: {{Subject: subject, OwnerId: {{owner: who}}}}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    failed = ended.rows("failed", task="typed")
    assert [(row["sf__Row"], row["sf__Code"]) for row in failed] == [("2", "LOOKUP_NOT_FOUND")]
    assert failed[0]["sf__Message"] == (
        "RecordTypeId: no active record type has DeveloperName 'Old'; "
        "OwnerId: no user or queue has the name 'Nobody'"
    )
    types = org.rows("SELECT Name, RecordType.DeveloperName FROM Account ORDER BY Name")
    assert [(row["Name"], row["RecordType"]["DeveloperName"]) for row in types] == [
        ("One", "Retail"),
        ("One!", "Wholesale"),
        ("Two!", "Wholesale"),
    ]
    owners = [row["OwnerId"] for row in org.rows("SELECT OwnerId FROM Case ORDER BY CaseNumber")]
    assert owners == [queue, queue, user["Id"]]


def test_a_plan_finds_records_that_it_creates_and_only_changes_compares_ids(bench, serve_org):
    org = serve_org(org_file=ORG)
    old = org.create("Account", Name="Old", BillingCity="Ulm")
    org.create("Contact", LastName="Same", ERP_Id__c="k1", AccountId=old)
    org.create("Contact", LastName="Moves", ERP_Id__c="k2", AccountId=old)
    bench.write("a.csv", "no,company,city\nA1,New,Bonn\n")
    bench.write("c.csv", "key,company,city\nk1,OLD,Ulm\nk2,new,Bonn\nk3,Other,\n")
    job = bench.job("""
- name: accounts
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  fields: {ERP_Id__c: no, Name: company, BillingCity: city}
- name: load
  upsert: Contact
  key: ERP_Id__c
  match: update_only
  from: c.csv
  fields:
    ERP_Id__c: key
    AccountId: {lookup: Account, by: [Name, BillingCity], value: [company, city], missing: skip}
  only_changes: true
""")
    planned = bench.run("plan", job, "-o", "json", "--save", "plan.zip")
    load = next(each for each in planned.document["tasks"] if each["name"] == "load")
    done = {change: rows for change, rows in load["counts"].items() if rows}
    assert done == {"update": 1, "unchanged": 1, "skipped": 1}
    ended = bench.run("apply", "plan.zip", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert contacts(org) == {"Same": ("Old", "Ulm"), "Moves": ("New", "Bonn")}
    counts = ended.task("load")["counts"]
    assert (counts["updated"], counts["unchanged"], counts["skipped"]) == (1, 1, 1)
    assert bench.run("plan", job, "-o", "json").document["has_changes"] is False


def test_many_values_are_looked_up_by_one_query(bench, serve_org):
    org = serve_org(org_file=ORG)
    bench.write("a.csv", "Name\n" + "".join(f"Account {n}\n" for n in range(6_000)))
    lines = (f"c{n},account {n}\n" for n in range(6_001))
    bench.write("c.csv", "name,company\n" + "".join(lines))
    job = bench.job("""
- {name: accounts, create: Account, from: a.csv, api: bulk}
- name: load
  create: Contact
  from: c.csv
  api: bulk
  fields:
    LastName: name
    AccountId: {lookup: Account, by: Name, value: company, missing: blank}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    jobs = org.request("GET", "/services/data/v62.0/jobs/query").json()["records"]
    assert len(jobs) == 1
    assert "AccountId is blank in 1 row:" in ended.err + ended.out
    soql = "SELECT COUNT() FROM Contact WHERE AccountId != null"
    asked = org.request("GET", "/services/data/v62.0/query", params={"q": soql})
    assert asked.json()["totalSize"] == 6_000


def test_a_resume_sends_the_ids_that_were_found_at_first(bench, serve_org):
    org = serve_org(org_file=ORG)
    acme = org.create("Account", Name="Acme")
    bench.write("c.csv", "key,company\n" + "".join(f"k{n},Acme\n" for n in range(300)))
    job = bench.job("""
- name: load
  upsert: Contact
  key: ERP_Id__c
  from: c.csv
  api: rest
  fields:
    ERP_Id__c: key
    LastName: key
    AccountId: {lookup: Account, by: Name, value: company}
""")
    org.fault(kind="daily_limit", path="composite/sobjects", after=1)
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 5, ended.err
    org.go_on()
    renamed = org.request(
        "PATCH", f"/services/data/v62.0/sobjects/Account/{acme}", json={"Name": "X"}
    )
    assert renamed.status_code == 204
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert org.rows("SELECT COUNT(Id) n FROM Contact WHERE Account.Name = 'X'") == [{"n": 300}]


@OVER_REST
def test_blank_and_missing_values_clear_the_field_where_the_job_says_so(bench, serve_org, api):
    org = serve_org(org_file=ORG)
    acme, other = (org.create("Account", Name=name) for name in ("Acme", "Other"))
    ids = [org.create("Contact", LastName=f"c{n}", AccountId=acme) for n in range(4)]
    values = ("", "nobody", "other", "twin")
    lines = (f"{record},{value}\n" for record, value in zip(ids, values, strict=True))
    bench.write("c.csv", "id,company\n" + "".join(lines))
    job = bench.job(f"""
- name: load
  update: Contact
  from: c.csv
  fields:
    Id: id
    AccountId: {{lookup: Account, by: [Name, BillingCity], value: [company, "''"], missing: blank}}
  blank: clear
  undo: true
  api: {api}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert "AccountId is blank in 2 rows" in ended.err
    soql = "SELECT AccountId FROM Contact ORDER BY LastName"
    assert [row["AccountId"] for row in org.rows(soql)] == [None, None, other, None]
    assert bench.run("undo", ended.document["run_id"], "--yes").code == 0
    assert [row["AccountId"] for row in org.rows(soql)] == [acme] * 4


SHARED = """
- name: first
  create: Contact
  from: c.csv
  fields: {{LastName: name, AccountId: {lookup}}}
{between}
- name: second
  create: Contact
  from: d.csv
  fields: {{LastName: name, AccountId: {lookup}}}
"""
COMPANY = "{lookup: Account, by: Name, value: company}"


def lookups_of(bench, org, job, *words):
    """What a command asked for accounts, as the values in its queries."""
    assert org.request("DELETE", "/__org/requests").is_success
    ended = bench.run(*words, job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    log = org.request("GET", "/__org/requests").json()
    asked = [parse_qs(each["query"]).get("q", [""])[0] for each in reversed(log)]
    return ended, [
        sorted(re.findall(r"'(\w+)'", soql)) for soql in asked if "FROM Account WHERE" in soql
    ]


@pytest.mark.parametrize(
    ("between", "second"),
    [
        ("- {name: other, create: Lead, from: l.csv}", [["Two"]]),
        ("- {name: other, create: Account, from: a.csv}", [["ONE", "Two"]]),
        *slow(("- {name: other, delete: Task, from: t.csv}", [["ONE", "Two"]])),
    ],
)
def test_what_was_looked_up_is_not_asked_for_again(bench, serve_org, between, second):
    org = serve_org(org_file=ORG)
    for name in ("One", "Two"):
        org.create("Account", Name=name)
    bench.write("c.csv", "name,company\na,One\nb,one\n")
    bench.write("d.csv", "name,company\nc,ONE\nd,Two\n")
    bench.write("l.csv", "LastName,Company\nL,L\n")
    bench.write("a.csv", "Name\nOther\n")
    bench.write("t.csv", f"Id\n{org.create('Task', Subject='t')}\n")
    job = bench.job(SHARED.format(lookup=COMPANY, between=between))
    _, asked = lookups_of(bench, org, job, "plan")
    assert asked == [["One"], ["Two"]]
    ended, asked = lookups_of(bench, org, job, "run")
    assert asked == [["One"], *second]
    found = {name: account for name, (account, _) in contacts(org).items()}
    assert found == {"a": "One", "b": "One", "c": "One", "d": "Two"}
    assert not (Path(ended.document["folder"]) / ".lookups").exists()

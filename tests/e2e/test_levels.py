"""Rows that name other rows of the same file as their parents are sent after them."""

import pytest

from tests.e2e.apis import OVER_BULK, OVER_REST
from tests.short_form import slow

JOB = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  fields: {{ERP_Id__c: no, Name: company, Parent.ERP_Id__c: parent}}
  api: {api}
"""
TREE = "no,company,parent\nD,Leaf,c\nB,Branch,A\nA,Root,\nC,Twig,B\nE,Other,OLD\nF,Sixth,NONE\n"

MUTUAL = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
      Primary__c: {type: lookup, label: Primary, to: Contact, relationship: Primary__r}
  Contact:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
"""


def parents(org):
    rows = org.rows("SELECT ERP_Id__c, Parent.ERP_Id__c FROM Account WHERE ERP_Id__c != null")
    return {row["ERP_Id__c"]: row["Parent"] and row["Parent"]["ERP_Id__c"] for row in rows}


@pytest.mark.parametrize(
    ("api", "verb"),
    [("rest", "upsert"), ("bulk", "create"), *slow(("rest", "create"), ("bulk", "upsert"))],
)
def test_parents_are_sent_before_their_children(bench, serve_org, api, verb):
    org = serve_org()
    org.create("Account", Name="Old", ERP_Id__c="OLD")
    bench.write("a.csv", TREE)
    job = (
        JOB
        if verb == "upsert"
        else JOB.replace("upsert: Acc", "create: Acc").replace("  key: ERP_Id__c\n", "")
    )
    ended = bench.run("run", bench.job(job.format(api=api)), "-o", "json")
    assert ended.code == 3, ended.err
    assert parents(org) == {"OLD": None, "A": None, "B": "A", "C": "B", "D": "C", "E": "OLD"}
    assert [row["no"] for row in ended.rows("succeeded")] == ["D", "B", "A", "C", "E"]
    failed = ended.rows("failed")
    assert [(row["no"], row["sf__Code"]) for row in failed] == [("F", "INVALID_FIELD")]
    assert ended.task("load")["counts"]["created"] == 5
    assert len(ended.task("load")["bulk_job_ids"]) == (4 if api == "bulk" else 0)


@OVER_REST
def test_rows_below_themselves_are_named_before_anything_is_sent(bench, serve_org, api):
    org = serve_org()
    bench.write("a.csv", "no,company,parent\nA,One,C\nB,Two,A\nC,Three,B\nD,Self,d\nE,Below,A\n")
    job = bench.job(JOB.format(api=api))
    planned = bench.run("plan", job, "-o", "json").document["tasks"][0]
    assert planned["counts"]["refused"] == 5
    ended = bench.run("run", job, "-o", "json")
    failed = [(row["sf__Code"], row["sf__Message"]) for row in ended.rows("failed")]
    assert failed[:4] == [
        ("CIRCULAR_PARENTS", "Parent.ERP_Id__c: 'C' is row 3, which is below this row"),
        ("CIRCULAR_PARENTS", "Parent.ERP_Id__c: 'A' is row 1, which is below this row"),
        ("CIRCULAR_PARENTS", "Parent.ERP_Id__c: 'B' is row 2, which is below this row"),
        ("CIRCULAR_PARENTS", "Parent.ERP_Id__c: 'd' is this row itself"),
    ]
    assert [row["no"] for row in ended.rows("failed")] == ["A", "B", "C", "D", "E"]
    assert failed[4][0] == "INVALID_FIELD"  # its parent was not sent
    assert parents(org) == {}


@OVER_BULK
def test_children_of_a_refused_parent_fail_too(bench, serve_org, api):
    org = serve_org()
    bench.write("a.csv", "no,company,parent\nB,Two,A\nA,,\nC,Three,\n")
    ended = bench.run("run", bench.job(JOB.format(api=api)), "-o", "json")
    assert ended.code == 3, ended.err
    failed = [(row["no"], row["sf__Code"]) for row in ended.rows("failed")]
    assert failed == [("B", "INVALID_FIELD"), ("A", "REQUIRED_FIELD_MISSING")]
    assert parents(org) == {"C": None}


def test_a_plan_knows_parents_of_the_same_file(bench, serve_org):
    serve_org()
    bench.write("a.csv", TREE.replace("E,Other,OLD\nF,Sixth,NONE\n", ""))
    job = bench.job(JOB.format(api="bulk"))
    planned = bench.run("plan", job, "-o", "json", "--save", "p.zip").document["tasks"][0]
    assert (planned["counts"]["create"], planned["counts"]["refused"]) == (4, 0)
    assert planned["bulk_jobs"] == 4
    ended = bench.run("apply", "p.zip", "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.task("load")["counts"]["created"] == 4


@OVER_REST
@pytest.mark.parametrize("level", [1, 2])
def test_a_run_that_is_killed_goes_on_at_its_level(bench, serve_org, api, level):
    """The process dies while a level is under way; each record is created once."""
    org = serve_org()
    rows = [f"{n}.2,Leaf,{n}.1\n{n}.0,Root,\n{n}.1,Branch,{n}.0\n" for n in range(30)]
    bench.write("a.csv", "no,company,parent\n" + "".join(rows))
    create = JOB.replace("upsert: Acc", "create: Acc").replace("  key: ERP_Id__c\n", "")
    job = bench.job(create.format(api=api))
    if api == "rest":  # carried out, and the answer takes minutes
        at = {"path": "/composite/sobjects", "method": "POST", "nth": level + 1}
        org.fault(kind="slow", bytes_per_second=1, **at)
    else:
        org.fault(kind="job_stalls", nth=level + 1)
    process = bench.begin("run", job, "-v")
    if api == "rest":
        while org.rows("SELECT COUNT(Id) n FROM Account") != [{"n": 30 * (level + 1)}]:
            assert process.poll() is None
    else:
        started = (line for line in process.stderr if "UploadComplete" in line)
        for _ in range(level + 1):
            next(started)
    process.kill()
    process.wait(60)
    org.go_on()
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 90
    assert len(ended.task("load")["bulk_job_ids"]) == (3 if api == "bulk" else 0)
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 90}]
    found = org.rows("SELECT ERP_Id__c, Parent.ERP_Id__c FROM Account WHERE ParentId != null")
    pairs = {(row["ERP_Id__c"], row["Parent"]["ERP_Id__c"]) for row in found}
    assert pairs == {(f"{n}.{at}", f"{n}.{at - 1}") for n in range(30) for at in (1, 2)}


def test_a_resume_accounts_for_later_levels_if_an_earlier_one_cannot_be_sent(bench, serve_org):
    """The org refuses every call of the first resume; the second one ends the run."""
    org = serve_org()
    bench.write("a.csv", TREE.replace("E,Other,OLD\nF,Sixth,NONE\n", ""))
    job = bench.job(JOB.format(api="rest"))
    rule = {"kind": "daily_limit", "path": "composite/sobjects"}
    org.fault(**rule, after=2)
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 5, ended.err
    counts = ended.task("load")["counts"]
    assert (counts["created"], counts["unprocessed"]) == (2, 2)
    assert bench.run("resume", "-o", "json").task("load")["counts"]["created"] == 2
    org.go_on()
    ended = bench.run("resume", "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.task("load")["counts"]["created"] == 4
    assert parents(org) == {"A": None, "B": "A", "C": "B", "D": "C"}


def test_a_parent_that_is_locked_is_sent_again_before_its_children(bench, serve_org):
    org = serve_org()
    bench.write("a.csv", "no,company,parent\nB,Two,A\nA,One,\nX,Other,\nC,Three,B\n")
    org.fault(kind="lock_rows", values=["A"], times=1)
    ended = bench.run("run", bench.job(JOB.format(api="bulk")), "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert parents(org) == {"A": None, "B": "A", "C": "B", "X": None}
    assert ended.task("load")["counts"]["created"] == 4


def test_objects_that_point_at_each_other_are_loaded_in_two_passes(bench, serve_org):
    org = serve_org(org_file=MUTUAL)
    bench.write("a.csv", "no,company,main\nA,One,P\nB,Two,\n")
    bench.write("c.csv", "no,last_name,customer\nP,Ada,A\nQ,Bob,B\n")
    job = bench.job("""
- name: accounts
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  fields: {ERP_Id__c: no, Name: company}
- name: contacts
  upsert: Contact
  key: ERP_Id__c
  from: c.csv
  fields: {ERP_Id__c: no, LastName: last_name, Account.ERP_Id__c: customer}
- name: primary
  update: Account
  key: ERP_Id__c
  from: a.csv
  fields: {ERP_Id__c: no, Primary__r.ERP_Id__c: main}
  only_changes: true
""")
    for unchanged in (1, 2):  # a second run sends no link
        ended = bench.run("run", job, "-o", "json")
        assert ended.code == 0, ended.err + ended.out
        assert ended.task("primary")["counts"]["unchanged"] == unchanged
    found = org.rows("SELECT Name, Primary__r.LastName FROM Account ORDER BY Name")
    assert [row["Primary__r"] for row in found] == [{"LastName": "Ada"}, None]

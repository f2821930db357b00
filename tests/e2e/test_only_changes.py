"""Writes that send only what the records do not hold already, with either API."""

from itertools import product

import pytest

from tests.e2e.apis import OVER_BULK, OVER_REST
from tests.short_form import short_form, slow

FULL = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
      Code__c: {type: text, label: Code, length: 20, external_id: true}
      Rich__c: {type: rich_text, label: Rich, length: 1000}
"""
FIELDS = "SELECT Id, ERP_Id__c, Name, Phone, Score__c, SystemModstamp FROM Account ORDER BY Name"


@pytest.mark.parametrize(
    ("api", "verb", "key"),
    short_form(
        [*product(["rest", "bulk"], ["upsert", "update"], ["ERP_Id__c", "Id"])],
        [
            ("rest", "upsert", "ERP_Id__c"),
            ("bulk", "upsert", "Id"),
            ("bulk", "update", "ERP_Id__c"),
            ("rest", "update", "Id"),
        ],
    ),
)
def test_only_what_differs_is_sent(bench, org, api, verb, key):
    same = org.create("Account", Name="A", ERP_Id__c="K1", Phone="1", Score__c=1.5)
    other = org.create("Account", Name="B", ERP_Id__c="K2", Phone="2", Score__c=2)
    before = org.rows(FIELDS)
    ids = (same, other) if key == "Id" else ("k1", "K2")
    bench.write("a.csv", f"{key},Name,Phone,Score__c\n{ids[0]}, A ,,1.50\n{ids[1]},B,20,2.0\n")
    job = bench.job(
        f"- {{name: load, {verb}: Account, key: {key}, from: a.csv, "
        f"only_changes: true, api: {api}}}"
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.counts("read", "created", "updated", "unchanged") == (2, 0, 1, 1)
    assert [row["sf__Row"] for row in ended.rows("succeeded")] == ["2"]
    after = org.rows(FIELDS)
    assert after[0] == before[0]
    assert (after[1]["Phone"], after[1]["Score__c"]) == ("20", 2)


def test_a_task_says_what_cannot_be_compared_and_sends_it(bench, serve_org):
    org = serve_org(org_file=FULL)
    parent = org.create("Account", Name="P", ERP_Id__c="P1")
    org.create("Account", Name="A", ERP_Id__c="K1", Rich__c="<b>x</b>", ParentId=parent)
    org.create("Account", Name="B", ERP_Id__c="K2", ParentId=parent)
    bench.write("a.csv", "ERP_Id__c,Name,Rich__c,Parent.ERP_Id__c\nk1,A,<b>x</b>,p1\nK2,B,,P1 \n")
    job = bench.job(
        "- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv, only_changes: true}"
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.counts("updated", "unchanged") == (1, 1)
    assert "load: rows are compared with their records, read by key\n" in ended.err
    assert "`Rich__c` cannot be compared with what records hold" in ended.err


@OVER_BULK
def test_rows_of_no_record_or_several_end_as_without_only_changes(bench, serve_org, api):
    org = serve_org(org_file=FULL)
    for name in ("Twin", "Twin", "One"):
        org.create("Account", Name=name, Code__c="c1" if name == "Twin" else "C2", Phone="1")
    bench.write("a.csv", "Code__c,Name,Phone\nC1,Twin,1\nc2,One,1\nC3,New,3\n,None,4\nC2,Again,5\n")
    task = f"- {{name: load, upsert: Account, key: Code__c, from: a.csv, api: {api}"
    only = bench.run("run", bench.job(f"{task}, only_changes: true}}"), "-o", "json")
    assert only.code == 3, only.err
    assert only.counts("created", "unchanged", "failed", "read") == (1, 1, 3, 5)
    told = [(row["sf__Row"], row["sf__Code"]) for row in only.rows("failed")]
    plain = bench.run("run", bench.job(f"{task}}}", name="plain.yaml"), "-o", "json")
    assert plain.counts("updated", "failed") == (2, 3)
    assert told == [(row["sf__Row"], row["sf__Code"]) for row in plain.rows("failed")]
    assert [code for _, code in told][1:] == ["KEY_IS_BLANK", "DUPLICATE_KEY"]


@OVER_REST
@pytest.mark.parametrize(
    ("match", "only_changes"),
    [
        ("update_only", "true"),
        ("create_only", "false"),
        *slow(("update_only", "false"), ("create_only", "true")),
    ],
)
def test_an_upsert_that_never_creates_or_never_updates(bench, org, api, match, only_changes):
    org.create("Account", Name="A", ERP_Id__c="K1", Phone="1")
    bench.write("a.csv", "ERP_Id__c,Name,Phone\nK1,A,2\nK2,B,3\n")
    job = bench.job(
        f"- {{name: load, upsert: Account, key: ERP_Id__c, match: {match}, from: a.csv,"
        f" api: {api}, only_changes: {only_changes}}}"
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    found = [(row["ERP_Id__c"], row["Phone"]) for row in org.rows(FIELDS)]
    (skipped,) = ended.rows("skipped")
    if match == "update_only":
        assert ended.counts("created", "updated", "skipped") == (0, 1, 1)
        assert found == [("K1", "2")]
        assert (skipped["sf__Row"], skipped["sf__Code"]) == ("2", "NO_RECORD")
        assert skipped["sf__Message"] == "ERP_Id__c: no Account has the key 'K2'"
    else:
        assert ended.counts("created", "updated", "skipped") == (1, 0, 1)
        assert found == [("K1", "1"), ("K2", "3")]
        assert (skipped["sf__Row"], skipped["sf__Code"]) == ("1", "RECORD_EXISTS")


def test_a_record_that_is_the_same_is_not_created_either(bench, org):
    org.create("Account", Name="A", ERP_Id__c="K1", Phone="1")
    bench.write("a.csv", "ERP_Id__c,Name,Phone\nK1,A,1\n")
    job = bench.job(
        "- {name: load, upsert: Account, key: ERP_Id__c, match: create_only, from: a.csv,"
        " only_changes: true}"
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.counts("skipped", "unchanged") == (1, 0)


def test_match_by_id_needs_no_look(bench, org):
    record = org.create("Account", Name="A", Phone="1")
    bench.write("a.csv", f"Id,Name,Phone\n{record},A,2\n,B,3\n")
    task = "- {name: load, upsert: Account, key: Id, from: a.csv, only_changes: true, match: "
    ended = bench.run("run", bench.job(f"{task}update_only}}"), "-o", "json")
    assert ended.counts("updated", "created", "skipped") == (1, 0, 1)
    ended = bench.run("run", bench.job(f"{task}create_only}}", name="b.yaml"), "-o", "json")
    assert ended.counts("updated", "created", "skipped") == (0, 1, 1)
    assert [(row["Name"], row["Phone"]) for row in org.rows(FIELDS)] == [("A", "2"), ("B", "3")]


def test_what_is_outside_the_scope_is_sent(bench, org):
    for key, phone in (("K1", "1"), ("K2", "2")):
        org.create("Account", Name="A", ERP_Id__c=key, Phone=phone)
    bench.write("a.csv", "ERP_Id__c,Phone\nK1,1\nK2,2\n")
    job = bench.job(
        "- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv,"
        " only_changes: true, scope: Phone = :phone}",
        head="params: {phone: {type: string, default: '1'}}\n",
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.counts("updated", "unchanged") == (1, 1)


@OVER_BULK
def test_what_was_changed_is_undone(bench, org, api):
    for key in ("K1", "K2"):
        org.create("Account", Name=key, ERP_Id__c=key, Phone="1", Score__c=1)
    before = [(row["Name"], row["Phone"], row["Score__c"]) for row in org.rows(FIELDS)]
    bench.write("a.csv", "ERP_Id__c,Name,Phone,Score__c\nK1,K1,1,1\nK2,K2,,2\nK3,K3,3,3\n")
    job = bench.job(
        "- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv, blank: clear,"
        f" only_changes: true, undo: true, api: {api}}}"
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.counts("created", "updated", "unchanged") == (1, 1, 1), ended.err
    undone = bench.run("undo", ended.document["run_id"], "--yes", "-o", "json")
    assert undone.code == 0, undone.err + undone.out
    assert before == [(row["Name"], row["Phone"], row["Score__c"]) for row in org.rows(FIELDS)]


def test_many_rows_are_compared_with_one_bulk_query(bench, org):
    total = 5_600
    rows = [f"K{n},Name {n},{n}.50" for n in range(total)]
    bench.write("a.csv", "ERP_Id__c,Name,Score__c\n" + "\n".join(rows) + "\n")
    job = bench.job(
        "- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv, only_changes: true}"
    )
    first = bench.run("run", job, "-o", "json")
    assert first.counts("created", "unchanged") == (total, 0)
    rows[7], rows[5_599] = "K7,Name 7,8", "K5599,Other,5599.50"
    bench.write("a.csv", "ERP_Id__c,Name,Score__c\n" + "\n".join(rows) + "\n")
    second = bench.run("run", job, "-o", "json")
    assert second.counts("read", "updated", "unchanged") == (total, 2, total - 2)
    assert second.task("load")["api"] == "rest"
    assert [row["sf__Row"] for row in second.rows("succeeded")] == ["8", "5600"]
    assert "read by one Bulk query" in second.err
    jobs = org.request("GET", "/services/data/v62.0/jobs/query").json()["records"]
    assert len(jobs) == 2


def test_a_task_below_takes_the_rows_that_changed(bench, org):
    for key in ("K1", "K2"):
        org.create("Account", Name=key, ERP_Id__c=key)
    bench.write("a.csv", "ERP_Id__c,Name\nK1,K1\nK2,New\n")
    job = bench.job(
        "- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv}\n"
        "- {name: contacts, create: Contact, from: {task: load},"
        " fields: {LastName: Name, AccountId: sf__Id}}",
        head="defaults: {only_changes: true}\n",
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.counts("created", task="contacts") == (1,)
    assert org.rows("SELECT LastName FROM Contact") == [{"LastName": "New"}]


@OVER_REST
@pytest.mark.parametrize("verb", ["upsert", "update"])
def test_an_id_that_no_record_can_have_fails_its_row_only(bench, org, api, verb):
    record = org.create("Account", Name="A", Phone="1")
    other = org.create("Account", Name="B", Phone="2")
    damaged = "001000000000000AAB"
    bench.write("a.csv", f"Id,Phone\n{record},1\n{damaged},3\n{other[:15]},2\n")
    job = bench.job(
        f"- {{name: load, {verb}: Account, key: Id, from: a.csv, only_changes: true, api: {api}}}"
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.code in {1, 3}, ended.err
    assert ended.counts("unchanged", "failed", "updated") == (2, 1, 0)
    assert [row["sf__Row"] for row in ended.rows("failed")] == ["2"]


@OVER_BULK
def test_fields_of_creation_do_not_make_a_row_differ(bench, org, api):
    org.create("Account", Name="A", ERP_Id__c="K1", Phone="1", Score__c=1)
    bench.write("a.csv", "ERP_Id__c,Name,Phone,Score__c\nK1,A,2,1\nK2,B,2,1\nK3,C,2,1\n")
    job = bench.job(
        "- {name: load, upsert: Account, key: ERP_Id__c, from: a.csv, only_changes: true,"
        f" on_create: [Phone], api: {api}, undo: true}}"
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.counts("created", "updated", "unchanged") == (2, 0, 1), ended.err
    assert [row["Phone"] for row in org.rows(FIELDS)] == ["1", "2", "2"]
    again = bench.run("run", job, "-o", "json")
    assert again.counts("created", "updated", "unchanged") == (0, 0, 3)
    assert again.task("load")["api"] is None


@OVER_REST
def test_an_update_by_key_sends_only_what_differs(bench, org, api):
    for key in ("K1", "K2"):
        org.create("Account", Name="A", ERP_Id__c=key, Phone="1", Active__c=True)
    bench.write("a.csv", "key,Phone,Active__c\nK1,1,yes\nk2,,0\nK9,1,1\n")
    job = bench.job(
        "- {name: load, update: Account, key: ERP_Id__c, from: a.csv, only_changes: true,"
        " fields: {ERP_Id__c: key, Phone: Phone, Active__c: Active__c}, blank: clear,"
        f" api: {api}}}"
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.counts("updated", "unchanged", "failed") == (1, 1, 1), ended.err
    assert [row["sf__Code"] for row in ended.rows("failed")] == ["KEY_NOT_FOUND"]
    found = org.rows("SELECT Phone, Active__c FROM Account ORDER BY ERP_Id__c")
    assert found == [{"Phone": "1", "Active__c": True}, {"Phone": None, "Active__c": False}]

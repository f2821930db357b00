"""Records that are found by an external Id before rows are sent, with either API."""

import pytest

from tests.e2e.apis import OVER_BULK, OVER_REST

DETAILS = """\
version: 1
objects:
  Thing__c:
    fields:
      Key__c: {type: text, label: Key, length: 20, external_id: true, unique: true}
  Part__c:
    fields:
      Key__c: {type: text, label: Key, length: 20, external_id: true, unique: true}
      Note__c: {type: text, label: Note, length: 20}
      First__c: {type: text, label: First, length: 20}
      Thing__c:
        {type: master_detail, to: Thing__c, relationship: Thing__r, child_relationship: Parts__r}
"""
KEYS = """\
version: 1
objects:
  Account:
    fields:
      Code__c: {type: text, label: Code, length: 20, external_id: true}
      Number__c: {type: number, label: Number, precision: 18, scale: 0, external_id: true}
"""


@OVER_BULK
def test_update_and_delete_by_external_id(bench, serve_org, api):
    org = serve_org(org_file=KEYS)
    one = org.create("Account", Name="One", Code__c="a1", Phone="1")
    org.create("Account", Name="Twin", Code__c="B1")
    org.create("Account", Name="Twin", Code__c="b1")
    org.create("Account", Name="Gone", Code__c="C1")
    bench.write("a.csv", "code,phone\n A1 ,2\nb1,3\nX9,4\n,5\nc1,\n")
    job = bench.job(f"""
- name: load
  update: Account
  key: Code__c
  from: a.csv
  fields: {{Code__c: code, Phone: phone}}
  blank: clear
  undo: true
  api: {api}
- {{name: drop, delete: Account, key: code__c, from: d.csv, api: {api}}}
""")
    bench.write("d.csv", "Code__c,Name\nC1,whatever\nZ1,\n")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    assert ended.counts("updated", "failed") == (2, 3)
    assert [(r["sf__Row"], r["sf__Code"], r["sf__Message"]) for r in ended.rows("failed")] == [
        ("2", "KEY_IS_AMBIGUOUS", "Code__c: 2 of Account have the key 'b1'"),
        ("3", "KEY_NOT_FOUND", "Code__c: no Account has the key 'X9'"),
        ("4", "KEY_IS_BLANK", "Code__c: blank, so the row does not identify a record"),
    ]
    first = ended.rows("succeeded")[0]
    assert (first["code"], first["sf__Id"]) == (" A1 ", one)
    assert ended.counts("deleted", "failed", task="drop") == (1, 1)
    soql = "SELECT Name, Code__c, Phone FROM Account ORDER BY Code__c, Id"
    assert org.rows(soql)[0] == {"Name": "One", "Code__c": "a1", "Phone": "2"}
    assert len(org.rows(soql)) == 3
    undone = bench.run("undo", ended.document["run_id"], "--yes", "-o", "json")
    assert undone.code == 0, undone.err + undone.out
    assert [row["Phone"] for row in org.rows(soql)] == ["1", None, None, None]


@pytest.mark.parametrize("more", [0, 20_000])
def test_number_keys_are_exact_however_they_are_looked_up(bench, serve_org, more):
    """Many keys are looked up by one Bulk query over all records, few by their values."""
    org = serve_org(org_file=KEYS)
    for name, number in (("Near", 123456789012345678), ("Other", 123456789012345679), ("No", None)):
        org.create("Account", Name=name, Number__c=number)
    lines = [f"{number},x\n" for number in range(more)]
    bench.write("a.csv", "Number__c,Name\n" + "".join(lines) + "123456789012345679,Named\n7e18,x\n")
    job = bench.job("- {name: load, update: Account, key: Number__c, from: a.csv}")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    assert ended.counts("updated", "failed") == (1, more + 1)
    found = org.rows("SELECT Name FROM Account ORDER BY Name")
    assert [row["Name"] for row in found] == ["Named", "Near", "No"]
    jobs = org.request("GET", "/services/data/v62.0/jobs/query").json()["records"]
    assert len(jobs) == (1 if more else 0)


@OVER_BULK
def test_an_upsert_of_details_sends_the_master_for_new_rows_only(bench, serve_org, api):
    org = serve_org(org_file=DETAILS)
    thing = org.create("Thing__c", Key__c="T1")
    org.create("Part__c", Key__c="P1", Thing__c=thing, Note__c="old", First__c="old")
    bench.write(
        "p.csv",
        "Key__c,Thing__r.Key__c,Note__c,First__c\np1,T1,new,new\nP2,T1,new,new\nP3,T1,,\n",
    )
    job = bench.job(f"""
- name: load
  upsert: Part__c
  key: Key__c
  on_create: [first__c]
  from: p.csv
  blank: clear
  undo: true
  api: {api}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.counts("created", "updated") == (2, 1)
    note = "sent for new records only, because they cannot be changed later: Thing__r.Key__c"
    assert ended.task("load")["notes"] == [note]
    soql = "SELECT Key__c, Thing__c, Note__c, First__c FROM Part__c ORDER BY Key__c"
    assert [tuple(row.values()) for row in org.rows(soql)] == [
        ("p1", thing, "new", "old"),
        ("P2", thing, "new", "new"),
        ("P3", thing, None, None),
    ]
    again = bench.run("run", job, "-o", "json")
    assert (again.code, again.counts("created", "updated")) == (0, (0, 3)), again.err
    for run in (again, ended):
        undone = bench.run("undo", run.document["run_id"], "--yes", "-o", "json")
        assert undone.code == 0, undone.err + undone.out
    assert [tuple(row.values()) for row in org.rows(soql)] == [("P1", thing, "old", "old")]


def test_an_upsert_by_id_sends_fields_of_creation_for_rows_without_one(bench, org):
    old = org.create("Account", Name="Old", Phone="1")
    bench.write("a.csv", f"Id,Name,Phone\n{old},New,2\n,Second,3\n")
    job = bench.job("- {name: load, upsert: Account, key: Id, on_create: [Phone], from: a.csv}")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert org.rows("SELECT Name, Phone FROM Account ORDER BY Name") == [
        {"Name": "New", "Phone": "1"},
        {"Name": "Second", "Phone": "3"},
    ]


def test_what_on_create_and_key_cannot_name(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name,Id\nA,a,\n")
    job = bench.job("""
- name: load
  upsert: Account
  key: ERP_Id__c
  on_create: [Nme, ERP_Id__c]
  from: a.csv
  fields: {ERP_Id__c: ERP_Id__c, Name: Name}
- {name: twice, update: Account, key: ERP_Id__c, from: a.csv}
- {name: other, delete: Account, key: Name, from: a.csv}
""")
    ended = bench.run("run", job)
    assert ended.code == 2
    assert "`on_create` names Nme, which the task does not fill" in ended.err
    assert "`on_create` names the key ERP_Id__c" in ended.err
    assert "Id is filled twice: by ERP_Id__c and by Id" in ended.err
    assert "Name of Account is not an external Id" in ended.err


@OVER_REST
def test_a_resumed_run_sends_what_was_looked_up_before(bench, org, api):
    """The records that the first process deleted are not looked for again."""
    for number in range(4):
        org.create("Account", Name=f"n{number}", ERP_Id__c=f"E{number}")
    bench.write("a.csv", "ERP_Id__c\n" + "".join(f"E{number}\n" for number in range(5)))
    more = "batch_size: 2, concurrency: serial" if api == "rest" else "api: bulk"
    job = bench.job(f"- {{name: load, delete: Account, key: ERP_Id__c, from: a.csv, {more}}}")
    limit = {"path": "/composite/sobjects", "after": 1}
    if api == "bulk":
        limit = {"path": "/jobs/ingest/", "method": "GET"}
    answer = org.request("POST", "/__org/faults", json={"kind": "daily_limit", **limit})
    stopped = bench.run("run", job, "-o", "json")
    assert stopped.code == 5, stopped.err + stopped.out
    org.request("DELETE", f"/__org/faults/{answer.json()['ids'][0]}")
    resumed = bench.run("resume", "-o", "json")
    assert resumed.code == 3, resumed.err
    assert resumed.counts("deleted", "failed") == (4, 1)
    assert [r["sf__Code"] for r in resumed.rows("failed")] == ["KEY_NOT_FOUND"]
    assert org.rows("SELECT Name FROM Account") == []


def test_keys_are_found_at_any_version_and_with_any_character(bench, serve_org):
    """Below version 42.0 each record has a request of its own."""
    org = serve_org(org_file=KEYS)
    for number, code in enumerate(("o'brien", "back\\slash", "ünï %_", "x" * 20)):
        org.create("Account", Name=f"n{number}", Code__c=code)
    lines = "o'Brien,1\nback\\slash,2\nünï %_,3\n" + f"{'x' * 20},4\n%,5\n{'y' * 21},6\n"
    bench.write("a.csv", "Code__c,Phone\n" + lines)
    bench.write("b.csv", "Id,Name\n,new\n")
    job = bench.job(
        """
- {name: load, update: Account, key: Code__c, from: a.csv}
- {name: add, upsert: Account, key: Id, from: b.csv}
- {name: drop, delete: Account, key: Code__c, from: a.csv}
""",
        connection='{environment: local, api_version: "40.0"}',
    )
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err + ended.out
    failed = [row["sf__Code"] for row in ended.rows("failed")]
    assert failed == ["KEY_NOT_FOUND", "STRING_TOO_LONG"]
    assert ended.counts("updated") == (4,)
    assert ended.counts("created", task="add") == (1,)
    assert ended.counts("deleted", "failed", task="drop") == (4, 2)
    assert org.rows("SELECT Name FROM Account") == [{"Name": "new"}]


@pytest.mark.parametrize("kind", ["answer_lost", "reset_after"])
def test_details_whose_answer_was_lost_are_created_once_and_counted(bench, serve_org, kind):
    org = serve_org(org_file=DETAILS)
    org.create("Thing__c", Key__c="T1")
    bench.write("p.csv", "Key__c,Thing__r.Key__c,Note__c\nP1,T1,a\nP2,T1,b\n")
    org.fault(kind=kind, path="/composite/sobjects", method="PATCH", nth=1)
    job = bench.job("- {name: load, upsert: Part__c, key: Key__c, from: p.csv}")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    assert ended.counts("created", "updated", "failed") == (2, 0, 0)
    assert org.rows("SELECT COUNT(Id) n FROM Part__c") == [{"n": 2}]


def test_a_hard_delete_by_key_and_its_problems_offline(bench, serve_org):
    org = serve_org(org_file=KEYS)
    org.create("Account", Name="a", Code__c="A")
    bench.write("a.csv", "Code__c\nA\nB\n")
    job = bench.job("- {name: load, delete: Account, key: Code__c, hard: true, from: a.csv}")
    ended = bench.run("run", job, "-o", "json")
    assert (ended.code, ended.counts("deleted", "failed")) == (3, (1, 1)), ended.err
    bench.write("a.csv", "Name\na\n")
    for verb in ("delete", "update"):
        job = bench.job(f"- {{name: load, {verb}: Account, key: Code__c, from: a.csv}}")
        told = bench.run("validate", job)
        assert told.code == 2
        assert "the key `Code__c` is not a column of the source" in told.err + told.out


@OVER_BULK
def test_keys_that_are_missing_count_before_anything_is_sent(bench, org, api):
    org.create("Account", Name="old", ERP_Id__c="A")
    bench.write("a.csv", "ERP_Id__c,Name\nA,new\nB,new\n")
    keys = f"key: ERP_Id__c, from: a.csv, max_failures: 0, api: {api}"
    job = bench.job(f"- {{name: load, update: Account, {keys}}}")
    ended = bench.run("run", job, "-o", "json")
    assert (ended.code, ended.counts("failed", "unprocessed")) == (1, (1, 1)), ended.err
    assert ended.task("load")["message"] == "1 of 2 rows failed, more than max_failures allows."
    assert org.rows("SELECT Name FROM Account") == [{"Name": "old"}]


@OVER_REST
def test_no_record_of_another_object_is_written_by_its_id(bench, org, api):
    """A delete over REST takes any Ids: the contact was deleted."""
    account = org.create("Account", Name="a")
    contact = org.create("Contact", LastName="c")
    bench.write("a.csv", f"Id,Name\n{contact},x\n{contact[:15]},x\n{account},x\n")
    job = bench.job(f"""
- {{name: change, update: Account, from: a.csv, api: {api}}}
- {{name: put, upsert: Account, key: Id, from: a.csv, api: {api}}}
- {{name: drop, delete: Account, from: a.csv, api: {api}}}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 3, ended.err
    why = f"Id: '{contact}' is another object's Id; this one's begin with 001"
    for name, done in (("change", "updated"), ("put", "updated"), ("drop", "deleted")):
        assert ended.counts(done, "failed", task=name) == (1, 2)
        failed = ended.rows("failed", task=name)[0]
        assert (failed["sf__Code"], failed["sf__Message"]) == ("VALUE_DOES_NOT_FIT", why)
    assert org.rows("SELECT Id FROM Contact") == [{"Id": contact}]
    assert org.rows("SELECT Id FROM Account") == []


def test_a_bulk_result_of_other_columns_is_no_answer(bench, org):
    """Read by place, it says that no record has any of the keys."""
    org.create("Account", Name="old", ERP_Id__c="K0", Phone="1")
    keys = "".join(f"K{number},2\n" for number in range(20_001))
    bench.write("a.csv", "ERP_Id__c,Phone\n" + keys)
    org.fault(
        kind="status",
        method="GET",
        path="/jobs/query/[^/]+/results",
        status=200,
        body='"ERP_Id__c","Id"\n"K0","001LO0000000000YAA"\n',
        headers={
            "Content-Type": "text/csv",
            "Sforce-NumberOfRecords": "1",
            "Sforce-Locator": "null",
        },
    )
    job = bench.job("- {name: load, update: Account, key: ERP_Id__c, from: a.csv}")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 1, ended.err
    assert "has the columns ERP_Id__c, Id instead of Id, ERP_Id__c" in ended.task("load")["message"]
    assert org.rows("SELECT Phone FROM Account") == [{"Phone": "1"}]


def test_a_new_source_of_keys_is_sent_after_the_rows_that_were_looked_up(bench, org):
    org.create("Account", Name="old", ERP_Id__c="A")
    bench.write("a.csv", "ERP_Id__c,Phone\nA,1\n")
    job = bench.job("- {name: load, update: Account, key: ERP_Id__c, from: a.csv}")
    org.fault(kind="daily_limit", path="/composite/sobjects", times=1)
    assert bench.run("run", job).code == 5
    bench.write("a.csv", "ERP_Id__c,Phone\nA,2\n")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert ended.document["resumed"]["tasks"][0]["counts"]["updated"] == 1
    assert org.rows("SELECT Phone FROM Account") == [{"Phone": "2"}]

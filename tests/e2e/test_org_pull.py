"""`runner org pull`: the shape of the jobs' org in files, and checks without the org."""

import json
import re
from dataclasses import replace

import pytest
import yaml

from tests.sixty_objects import org_file

ORG = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, length: 20, unique: true, external_id: true}
      Tier__c: {type: picklist, values: [Gold, Silver], restricted: true}
    record_types: {Retail: {default: true}, Old: {active: false}}
    validation_rules:
      Named: {when: {Name: x}, message: No.}
  Invoice__c:
    key_prefix: a0I
    name_field: {type: auto_number, format: "INV-{0000}"}
    fields:
      Account__c: {type: master_detail, to: Account}
      Other__c: {type: lookup, to: Other__c}
  Other__c: {key_prefix: a0O}
  Unused__c: {key_prefix: a0U}
"""
JOB = """
- name: people
  upsert: Account
  key: ERP_Id__c
  from: a.csv
- name: bills
  query: SELECT Id, Other__r.Name FROM Invoice__c
  to: out.csv
"""


@pytest.fixture
def pulling(bench, serve_org):
    """A folder with a job, and an org that is served from another folder."""
    served = replace(bench, folder=bench.folder / "served")
    org = serve_org(org_file=ORG, place=served)
    bench.env["ORG_TOKEN"] = org.token
    bench.write("a.csv", "ERP_Id__c,Name\n1,x\n")
    return bench, org


def job_of(bench, org, tasks=JOB, name="job.yaml"):
    return bench.job(tasks, name=name, connection=connection_to(org))


def connection_to(org):
    return f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"


def test_what_jobs_use_is_pulled_and_written_anew_only_when_asked(pulling):
    bench, org = pulling
    file = job_of(bench, org)
    pulled = bench.run("org", "pull", file, "--objects", "Unused__c", "-o", "json")
    assert pulled.code == 0, pulled.err
    assert pulled.document["objects"] == ["Account", "Invoice__c", "Other__c", "Unused__c"]
    first = (bench.folder / "org.yaml").read_text(), (bench.folder / "org.lock.json").read_text()
    declared = yaml.safe_load(first[0])
    assert declared["objects"]["Invoice__c"]["name_field"] == {"type": "auto_number"}
    assert [*declared["objects"]["Account"]["fields"]] == ["ERP_Id__c", "Tier__c"]
    assert json.loads(first[1])["org_id"] == pulled.document["org_id"]

    again = bench.run("org", "pull", file)
    assert again.code == 2
    assert "org.yaml already exists" in again.err
    kept = "\nfaults: [{kind: status, status: 503, times: 1}]\n"
    bench.write("org.yaml", first[0].replace("{0}", "INV-{0000}") + kept)
    updated = bench.run("org", "pull", file, "--update")
    assert updated.code == 0, updated.err
    declared["faults"] = [{"kind": "status", "status": 503, "times": 1}]
    assert yaml.safe_load((bench.folder / "org.yaml").read_text()) == declared
    assert (bench.folder / "org.lock.json").read_text() == first[1]


def test_a_local_org_runs_the_job_on_the_pulled_file(pulling):
    bench, org = pulling
    assert bench.run("org", "pull", job_of(bench, org), "-q").out == ""
    there = bench.job(JOB, name="there.yaml", connection="{environment: local, org_file: org.yaml}")
    ended = bench.run("run", there)
    assert ended.code == 0, ended.err


def test_what_cannot_be_pulled_is_said(pulling):
    bench, org = pulling
    wrong = job_of(bench, org, JOB.replace("upsert: Account", "upsert: Acount"))
    ended = bench.run("org", "pull", wrong)
    assert ended.code == 2
    assert "job.yaml:6:" in ended.err
    assert "did you mean `Account`" in ended.err
    file = job_of(bench, org)
    ended = bench.run("org", "pull", file, "--objects", "Invoic__c")
    assert ended.code == 2
    assert "did you mean `Invoice__c`" in ended.err
    bench.write("org.lock.json", '{"version": 2}')
    ended = bench.run("org", "pull", file, "--update")
    assert (ended.code, "of version 2" in ended.err) == (2, True)
    bench.write("org.lock.json", '{"version":1,"org_id":"00D1","api_version":"66.0","objects":{}}')
    ended = bench.run("org", "pull", file, "--update")
    assert (ended.code, "the lock of 00D1" in ended.err) == (2, True)
    assert not (bench.folder / "org.yaml").exists()
    bench.env.pop("ORG_TOKEN")
    assert bench.run("org", "pull", file, "--out", "new").code == 4
    assert not (bench.folder / "new").exists()


WRONG = """
- name: people
  upsert: Account
  key: Name
  from: a.csv
  fields:
    Name: Name
    Phoen: Name
    Tier__c: "'Gould'"
    NumberOfEmployees: "'many'"
- name: bills
  query: SELECT Id, Othr__r.Name FROM Invoice__c
  to: out.csv
- name: gone
  delete: Acount
  from: {task: bills}
- name: details
  update: Invoice__c
  from: {task: bills}
  fields: {Id: Id, Account__c: Id}
"""


def test_a_job_is_validated_by_the_lock_without_the_org(pulling):
    bench, org = pulling
    good = job_of(bench, org)
    assert bench.run("org", "pull", good).code == 0
    org.process.kill()
    bench.env.pop("ORG_TOKEN")
    assert bench.run("validate", good).code == 0
    wrong = job_of(bench, org, WRONG, name="below/wrong.yaml")
    bench.write("below/a.csv", "ERP_Id__c,Name\n1,x\n")
    ended = bench.run("validate", wrong, "-o", "json")
    assert ended.code == 2
    found = [
        (each["line"], each["column"], each["code"], re.split(r"[?]|[.] ", each["help"])[0])
        for each in ended.document["diagnostics"]
    ]
    assert found == [
        (7, 10, "org/not-a-key", "Mark it as External ID in Setup, or use ERP_Id__c or Id."),
        (11, 7, "org/unknown-field", "did you mean `Phone`"),
        (12, 16, "org/wrong-value", "did you mean `Gold`"),
        (13, 26, "org/wrong-value", "No row could be sent"),
        (15, 23, "org/unknown-relationship", "did you mean `Other__r`"),
        (18, 13, "org/unknown-object", "did you mean `Account`"),
        (
            23,
            22,
            "org/read-only-field",
            "Remove it, or use an upsert, which sends it for new records only.",
        ),
    ]


def test_a_damaged_lock_and_one_of_another_org(pulling):
    bench, org = pulling
    file = job_of(bench, org)
    bench.write("org.lock.json", "{")
    ended = bench.run("validate", file)
    assert ended.code == 2
    assert "error[lock/damaged]" in ended.out
    assert "org pull --update" in ended.out
    empty = {"version": 1, "org_id": "00D000000000001AAA", "api_version": "66.0", "objects": {}}
    bench.write("org.lock.json", json.dumps(empty))
    assert "org.lock.json has no object Account" in bench.run("validate", file).out
    other = bench.job(
        JOB, connection=connection_to(org).replace("}", "", 1) + ", org_id: 00D000000000002AAA}"
    )
    assert bench.run("validate", other).code == 0


DRIFTED = (
    ORG.replace("length: 20, unique: true", "length: 30")
    .replace("[Gold, Silver]", "[Gold, Wood]")
    .replace("Retail:", "Wholesale:")
    .replace("      Other__c: {type: lookup, to: Other__c}\n", "")
    .replace("Unused__c: {key_prefix: a0U}", "Unused__c: {key_prefix: a0U, label: Free}")
    .replace("    record_types", "      New__c: {type: text, required: true}\n    record_types")
)
USING = """
- name: people
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  fields:
    ERP_Id__c: ERP_Id__c
    Tier__c: Name
    RecordTypeId: {record_type: Retail}
- name: bills
  query: SELECT Id, Other__r.Name FROM Invoice__c
  to: out.csv
- name: plain
  query: SELECT Id, Name FROM Contact
  to: plain.csv
"""


def test_drift_between_the_lock_and_the_org_hits_the_tasks_that_use_it(pulling, serve_org):
    bench, org = pulling
    file = job_of(bench, org, USING)
    missing = bench.run("check", file, "--locked")
    assert (missing.code, "error[lock/missing]" in missing.out) == (2, True)
    assert bench.run("org", "pull", file).code == 0
    same = bench.run("check", file, "--locked")
    assert same.code == 0, same.out
    wrong = job_of(bench, org, USING.replace("Retail", "Old"), name="wrong.yaml")
    for verb in ("validate", "check"):
        ended = bench.run(verb, wrong)
        assert ended.code == 2
        assert "Account has no active record type Old" in ended.out
        assert "wrong.yaml:12:35\n" in ended.out
        assert "It has `Retail`." in ended.out
    org.process.terminate()
    assert org.process.wait() == 0
    served = replace(bench, folder=bench.folder / "served")
    changed = serve_org(org_file=DRIFTED, place=served)
    bench.env["ORG_TOKEN"] = changed.token
    file = job_of(bench, changed, USING)
    ended = bench.run("check", file, "--locked", "-o", "json")
    assert ended.code == 1, ended.err
    found = [
        (each["line"], each["message"].removeprefix("the org has changed under task "))
        for each in ended.document["diagnostics"]
        if each["code"] == "lock/drift"
    ]
    assert found == [
        (6, "people: Account.New__c is required now"),
        (10, "people: Account.ERP_Id__c had length 20 and has 30"),
        (10, "people: Account.ERP_Id__c had unique true and has false"),
        (11, "people: Account.Tier__c has lost the value `Silver`"),
        (11, "people: Account.Tier__c has the new value `Wood`"),
        (12, "people: Account has lost the record type `Retail`"),
        (14, "bills: Invoice__c.Other__c is gone, or this user may not see it"),
    ]
    github = bench.run("check", file, "--locked", "-o", "github")
    assert "::error file=job.yaml,line=10" in github.out
    table = bench.run("check", file, "--locked", "-o", "markdown")
    lines = table.out.splitlines()
    assert lines[2:4] == ["| problem | where | what |", "|---|---|---|"]
    told = "the org has changed under task people: Account.New__c is required now"
    assert lines[4].startswith(f"| error `lock/drift` | `job.yaml:6:13` | ``{told} ")
    assert bench.run("org", "pull", file, "--update").code == 0
    assert "no relationship Other__r" in bench.run("validate", file).out
    fitting = USING.replace("Id, Other__r.Name", "Id").replace("Retail", "Wholesale")
    fitting = job_of(bench, changed, fitting)
    assert bench.run("check", fitting, "--locked").code == 0


def test_a_lock_of_another_org_and_one_that_is_behind(pulling):
    bench, org = pulling
    file = job_of(bench, org)
    empty = {"version": 1, "org_id": "00D000000000001AAA", "api_version": "66.0", "objects": {}}
    bench.write("org.lock.json", json.dumps(empty))
    ended = bench.run("check", file, "--locked")
    assert (ended.code, "error[lock/other-org]" in ended.out) == (2, True)
    (bench.folder / "org.lock.json").unlink()
    assert bench.run("org", "pull", file).code == 0
    further = job_of(bench, org, JOB.replace("Invoice__c", "Unused__c").replace("Other__r.", ""))
    ended = bench.run("check", further, "--locked")
    assert (ended.code, "error[lock/behind]" in ended.out) == (1, True)
    assert "org pull --update" in ended.out


def test_the_schema_of_a_job_knows_its_org(pulling):
    bench, org = pulling
    file = job_of(bench, org)
    lacking = bench.run("schema", "--for", file)
    assert (lacking.code, lacking.out) == (2, "")
    assert "no org.lock.json beside" in lacking.err
    assert "Write it with `runner org pull " in lacking.err
    assert bench.run("org", "pull", file).code == 0
    assert bench.run("schema", "--for", file, "--out", "new/job.schema.json").out == ""
    written = (bench.folder / "new/job.schema.json").read_text()
    assert '"ERP_Id__c"' in written
    assert bench.run("init", "jobs/starter.yaml").code == 0
    assert (bench.folder / "jobs/job.schema.json").read_text() == written
    assert bench.run("validate", "jobs/starter.yaml").code == 0
    assert bench.run("schema", "--for", file, "--out", "job.schema.json").code == 0
    bench.write("broken.schema.json", "{")
    bench.run("schema", "job", "--out", "any.schema.json")
    starter = bench.folder / "jobs/starter.yaml"
    starter.write_text(file.read_text().replace("a.csv", "../a.csv"))
    pull = ("org", "pull", file, starter, "--objects", "Unused__c", "--update")
    ended = bench.run(*pull)
    assert ended.out.splitlines()[3:] == [
        f"  {bench.folder / name}" for name in ("job.schema.json", "jobs/job.schema.json")
    ]
    again = bench.run("schema", "--for", file).out
    assert again != written
    assert (bench.folder / "job.schema.json").read_text() == again
    assert (bench.folder / "jobs/job.schema.json").read_text() == again
    assert '"Unused__c"' not in (bench.folder / "any.schema.json").read_text()
    assert len(bench.run(*pull).out.splitlines()) == 3, "nothing has changed"
    wrong = bench.run("schema", "org", "--for", file)
    assert (wrong.code, "Only the schema of jobs" in wrong.err) == (2, True)
    assert "gone.yaml is not a file" in bench.run("schema", "--for", "gone.yaml").err
    bench.write("org.lock.json", "{")
    assert "error[lock/damaged]" in bench.run("schema", "--for", file).err


def test_validate_says_once_how_to_compare_jobs_with_a_real_org(bench):
    live = "{environment: live, client_id: x, token: {env: TOKEN}}"
    bench.write("a.csv", "ERP_Id__c,Name\n1,x\n")
    jobs = [bench.job(JOB, name=name, connection=live) for name in ("one.yaml", "two.yaml")]
    one = bench.run("validate", jobs[0])
    assert (one.code, one.err.count("note:")) == (0, 1)
    assert f"Run `runner org pull {jobs[0]}` once" in one.err
    assert bench.run("validate", *jobs).err.count("note:") == 1
    assert bench.run("validate", *jobs, "-q").err == ""
    assert bench.run("validate", *jobs, "-o", "json").err == ""
    bench.env["CI"] = "true"
    assert bench.run("validate", *jobs).err == ""
    bench.env.pop("CI")
    local = bench.job(JOB, name="local.yaml", connection="{environment: local}")
    assert bench.run("validate", local).err == ""


def test_an_org_of_sixty_objects_is_pulled_without_a_loss(bench, serve_org):
    declared = org_file(seed=1)
    first = pulled_from(bench, serve_org, declared, "first")
    assert first[0] == declared
    assert pulled_from(bench, serve_org, first[0], "second") == first


def pulled_from(bench, serve_org, declared, place):
    """The org file and the lock of an org that is founded on an org file."""
    text = json.dumps(declared)  # which is YAML
    org = serve_org(org_file=text, place=replace(bench, folder=bench.folder / place))
    bench.env["ORG_TOKEN"] = org.token
    file = job_of(bench, org, "[{name: a, query: SELECT Id FROM Account, to: a.csv}]")
    names = ",".join(declared["objects"])
    ended = bench.run("org", "pull", file, "--objects", names, "--out", f"of-{place}")
    assert (ended.code, ended.err) == (0, "")
    folder = bench.folder / f"of-{place}"
    lock = json.loads((folder / "org.lock.json").read_text())
    return yaml.safe_load((folder / "org.yaml").read_text()), lock["objects"]

"""`runner check`: what the org would refuse, without writing and without reading a record."""

import json
import re

import pytest

JOB = """
- name: people
  upsert: Account
  key: Name
  from: a.csv
- name: orgs
  create: Organization
  from: a.csv
- name: found
  query: |-
    SELECT Id, Parent.Nme
    FROM Account WHERE Prent.Name = 'x'
  to: out.csv
"""
READY = """
- name: people
  upsert: Account
  key: ERP_Id__c
  from: a.csv
- name: found
  query: SELECT Id, (SELECT LastName FROM Contacts) FROM Account WHERE Owner.Name != null
  to: out.csv
- name: theirs
  update: Account
  from: {task: found}
  fields: {Id: Id, Name: Id}
"""
HARD = """
- name: gone
  delete: Account
  hard: true
  from: ids.csv
"""


def test_every_finding_has_its_place_and_nothing_is_written(bench, org):
    bench.write("a.csv", "Name\nx\n")
    job = bench.job(JOB)
    ended = bench.run("check", job, "-o", "json")
    assert ended.code == 2
    document = ended.document
    assert not document["valid"]
    assert [(each["code"], each["line"]) for each in document["diagnostics"]] == [
        ("org/not-a-key", 7),
        ("org/no-permission", 10),
        ("org/unknown-field", 14),
        ("org/unknown-relationship", 15),
    ]
    assert all(each["column"] and each["help"] for each in document["diagnostics"])
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]
    assert json.loads(bench.run("history", "-o", "json").out)["runs"] == []


def test_a_run_finds_the_same_before_its_first_task(bench, org):
    bench.write("a.csv", "Name\nx\n")
    job = bench.job(JOB)
    checked = bench.run("check", job, "-o", "json").document["diagnostics"]
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 2
    assert ended.document["diagnostics"] == checked
    assert not (bench.folder / "out.csv").exists()


def test_a_ready_job_says_what_a_run_costs(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\n" + "".join(f"{n},x\n" for n in range(401)))
    job = bench.job(READY)
    ended = bench.run("check", job)
    assert ended.code == 0, ended.out + ended.err
    assert "job.yaml: ready" in ended.out
    assert (
        "at least 4 API calls for the tasks, without the rows of theirs; the org has" in ended.out
    )
    [told] = bench.run("check", job, "-o", "json").document["jobs"]
    assert told["forecast"] == {"api_calls": 4, "bulk_jobs": 0, "uncounted_tasks": ["theirs"]}
    assert told["api_requests"]["max"] == 15_000
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]


def test_a_key_that_several_records_may_have_is_a_warning(bench, serve_org):
    field = "{type: text, length: 20, external_id: true}"
    serve_org(org_file=f"version: 1\nobjects:\n  Account:\n    fields:\n      Loose__c: {field}\n")
    bench.write("a.csv", "Loose__c,Name\n1,x\n")
    job = bench.job("- {name: a, upsert: Account, key: Loose__c, from: a.csv}")
    ended = bench.run("check", job)
    assert ended.code == 0, ended.out + ended.err
    assert "warning[org/key-not-unique]: several records of Account" in ended.out
    assert "at least 1 API call for the tasks" in ended.out


def test_a_limit_that_would_be_reached_is_found(bench, serve_org):
    serve_org("--daily-api-requests", "30")
    bench.write("a.csv", "ERP_Id__c,Name\n" + "".join(f"{n},x\n" for n in range(2_000)))
    ended = bench.run(
        "check",
        bench.job("- {name: a, upsert: Account, key: ERP_Id__c, from: a.csv, batch_size: 50}"),
    )
    assert ended.code == 2
    assert "error[org/limit]: a run needs at least 40 API requests" in ended.out


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--no-hard-delete",), 2)])
def test_a_hard_delete_needs_its_permission(bench, serve_org, options, code):
    serve_org(*options)
    bench.write("ids.csv", "Id\n001000000000001AAA\n")
    ended = bench.run("check", bench.job(HARD))
    assert ended.code == code, ended.out + ended.err
    assert ("give the user the permission `bulk api hard delete`" in ended.out.lower()) == bool(
        code
    )


@pytest.mark.parametrize(
    ("connection", "code", "finding", "place"),
    [
        ("org_id: 00D000000000001AAA", 4, "org/wrong-org", "org_id: 00D"),
        ("api_version: '12.0'", 2, "org/api-version", "api_version: '12.0'"),
        ("token: {env: NO_SUCH_TOKEN}", 4, "org/sign-in", "token: {env"),
    ],
)
def test_what_is_wrong_with_the_connection_is_a_finding_in_its_file(
    bench, org, connection, code, finding, place
):
    bench.write("a.csv", "Name\nx\n")
    token = "token: {env: ORG_TOKEN}\n" if "token" not in connection else ""
    bench.env["ORG_TOKEN"] = org.token
    bench.write(
        "connections/mine.yaml", f"environment: local\nurl: '{org.url}'\n{token}{connection}\n"
    )
    job = bench.job("- {name: a, create: Account, from: a.csv}", connection="connections/mine.yaml")
    ended = bench.run("check", job)
    assert ended.code == code
    assert f"error[{finding}]" in ended.out
    assert "connections/mine.yaml:" in ended.out
    assert place in ended.out


@pytest.mark.parametrize("verb", ["check", "plan", "run"])
def test_a_version_that_is_too_old_for_a_task_is_found_before_any_task_writes(bench, org, verb):
    bench.write("a.csv", "ERP_Id__c,Name\nE1,x\n")
    job = bench.job(
        """
- {name: first, create: Account, from: a.csv, api: rest}
- {name: saved, update: Account, key: ERP_Id__c, from: a.csv}
- {name: gone, delete: Account, key: ERP_Id__c, from: a.csv, hard: true}
- {name: all, create: Account, from: a.csv, all_or_none: true}
- {name: list, query: SELECT Id FROM Account, api: bulk, to: out/a.csv}
""",
        connection="{environment: local, api_version: '40.0'}",
        head="defaults: {undo: true}\n",
    )
    ended = bench.run(verb, job)
    assert ended.code == 2, ended.out + ended.err
    found = re.findall(
        r"error\[org/api-version\]: (.*) needs .*\n *--> .*job.yaml:(\d+)", ended.out + ended.err
    )
    assert sorted(found) == [
        ("Task 'gone', over Bulk API 2.0", "8"),
        ("Task 'list', over Bulk API 2.0", "10"),
        ("`all_or_none` of task 'all'", "9"),
        ("`undo` of task 'saved'", "4"),
    ]
    assert not org.rows("SELECT Id FROM Account")


def test_an_org_that_does_not_answer_is_a_finding_too(bench, org):
    org.fault(kind="status", status=503, path="/services/data", times=1000)
    bench.write("a.csv", "Name\nx\n")
    text = "- {name: a, create: Account, from: a.csv, retry: {attempts: 1}}"
    ended = bench.run("check", bench.job(text), "-o", "github")
    assert ended.code == 5
    assert ended.out.startswith("::error file=job.yaml,line=3,")


@pytest.mark.parametrize("verb", ["check", "validate"])
def test_findings_for_other_programs(bench, verb):
    job = bench.job("- {name: a, create: Account, from: none.csv}")
    annotated = bench.run(verb, job, "-o", "github")
    assert annotated.code == 2
    assert annotated.out.startswith("::error file=job.yaml,line=5,col=38,")
    [run] = bench.run(verb, job, "-o", "sarif").document["runs"]
    [found] = run["results"]
    assert found["ruleId"] == "job/no-source"
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "job.yaml"

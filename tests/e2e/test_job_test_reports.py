"""What `runner test` says besides its lines: annotations and cover; nobody else hears of it."""

import re
import socket

import pytest

TASKS = """
- name: accounts
  upsert: Account
  key: ERP_Id__c
  from: rows.csv
  fields: {ERP_Id__c: no, Name: name, Phone: phone}
  duplicates: last
  max_failures: 1
- name: contacts
  create: Contact
  from: {task: accounts}
  fields: {LastName: name, Account.ERP_Id__c: no}
  on_error: continue
  limits: {max_creates: 1}
- {name: gone, delete: Lead, from: gone.csv, on_error: continue}
- {name: list, query: SELECT Name FROM Account, to: list.csv}
"""
TESTS = """\
version: 1
given: {org: org.yaml, sources: {gone: [{Id: null}]}}
tests:
  - name: one row
    given: {sources: {accounts: [{no: "1", name: Acme}]}}
    expect: {tasks: {accounts: {created: 1}, list: {written: 2}}}
  - name: too many contacts
    given: {sources: {accounts: [{no: "1", name: A}, {no: "2", name: B}, {no: "2", name: C}]}}
    expect: {exit: 3, tasks: {contact: {created: 0}}}
  - name: a limit
    given: {sources: {accounts: [{no: "1", name: A}, {no: "2", name: B}, {no: "2", name: C}]}}
    expect: {exit: 6}
"""
ORG = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
"""
SAID = """\
FAILED job.test.yaml: one row
BROKEN job.test.yaml: too many contacts
PASSED job.test.yaml: a limit
::error file=job.test.yaml,line=6,col=1,endColumn=1,title=test/failed::\
one row: tasks.list.written: expected 2, got 1
::error file=job.test.yaml,line=9,col=31,endColumn=37,title=test/unknown-task::\
job.yaml has no task 'contact'%0Ahelp: did you mean `contacts`?

tests of job.yaml meet 14 of 22
  accounts  not met: field Phone; a row fails; more rows fail than max_failures allows
  contacts  not met: a row fails
  gone      not met: fails and the run goes on; a row succeeds; a row fails
  list      not met: gives no rows

1 passed, 1 failed, 1 broken in N s
"""


@pytest.fixture
def tests(bench):
    bench.write("rows.csv", "no,name,phone\n")
    bench.write("gone.csv", "Id\n")
    bench.write("org.yaml", ORG)
    bench.job(TASKS)
    return bench.write("job.test.yaml", TESTS)


def test_annotations_and_cover(bench, tests):
    ended = bench.run("test", "-o", "github", "--cover")
    assert re.sub(r"in [\d.]+ s", "in N s", ended.out) == SAID
    assert (ended.err, ended.code) == ("", 2)
    (cover,) = bench.run("test", "-k", "limit", "-o", "json", "--cover").document["cover"]
    assert (cover["job"], cover["met"], cover["of"]) == (str(bench.folder / "job.yaml"), 8, 22)
    tripped = {"task": "contacts", "what": "limit max_creates", "met": True}
    assert tripped in cover["items"]
    assert {"task": "contacts", "what": "field LastName", "met": False} in cover["items"]


def test_nobody_else_hears_of_a_test(bench, tests):
    """Not even of a run in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        bench.env = {
            "URL": f"{url}/hook",
            "SFRUNNER_STATE": url,
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "GITHUB_ACTIONS": "true",
        }
        head = "heartbeat: {url: {env: URL}}\nmetrics: {pushgateway: {env: URL}}\n"
        head += "notify: {to: [{webhook: {env: URL}}]}\n"
        connection = "{environment: live, client_id: a, token: t.json, notify: {to: [{env: URL}]}}"
        bench.job(TASKS, head=head, connection=connection)
        tests.write_text(
            TESTS.replace(
                "expect: {exit: 6}", "when: {killed_after_requests: 2}\n    expect: {exit: 6}"
            )
        )
        ended = bench.run("test", "-k", "limit")
        assert ended.code == 0, ended.out
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()

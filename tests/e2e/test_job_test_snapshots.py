"""Snapshots of `runner test`: written, compared, left behind by tests that are gone."""

import re

import pytest

TASKS = """
- name: accounts
  create: Account
  from: rows.csv
  fields: {Name: name, Phone: phone, Description: "strftime(now(), '%Y-%m-%dT%H:%M:%SZ')"}
- name: contacts
  create: Contact
  from: {task: accounts}
  fields: {LastName: name, AccountId: sf__Id}
- {name: leads, query: SELECT Id FROM Lead}
- {name: gone, delete: Lead, from: {task: leads}}
- {name: list, query: "SELECT Id, Name, CreatedDate FROM Account ORDER BY Name", to: out/list.csv}
"""
TESTS = """\
version: 1
given:
  today: 2026-01-31T06:00:00Z
  seed: {Lead: [{LastName: Old, Company: Old}], Account: [{Name: Zett}]}
tests:
  - name: the run
    given: {sources: {accounts: [{name: Cork}, {name: null, phone: "1"}, {name: Beta}]}}
    expect: {snapshot: true}
  - name: without rows
    given: {sources: {accounts: []}, seed: {Lead: [], Account: []}}
    expect: {snapshot: true, tasks: {list: {written: 0}}}
"""
SNAPSHOTS = """\
# What jobs did in their tests. `runner test --update` writes this file.
version: 1
tests:
  the run:
    exit: 3
    tasks:
      accounts:
        status: partial
        read: 3
        created: 2
        failed: 1
      contacts:
        read: 2
        created: 2
      leads:
        read: 1
      gone:
        read: 1
        deleted: 1
      list:
        read: 3
        written: 3
    failed:
    - task: accounts
      row: 2
      code: REQUIRED_FIELD_MISSING
      message: 'Required fields are missing: [Name]'
    records:
      Account:
      - created: <Account 2>
        Name: Beta
        Description: <time>
      - created: <Account 3>
        Name: Cork
        Description: <time>
      Contact:
      - created: <Contact 1>
        AccountId: <Account 2>
        LastName: Beta
        Name: Beta
      - created: <Contact 2>
        AccountId: <Account 3>
        LastName: Cork
        Name: Cork
      Lead:
      - deleted: <Lead 1>
    files:
      out/list.csv: |
        "Id","Name","CreatedDate"
        "<Account 2>","Beta","<time>"
        "<Account 3>","Cork","<time>"
        "<Account 1>","Zett","<time>"
  without rows:
    exit: 0
    tasks:
      accounts: {}
      contacts: {}
      leads: {}
      gone: {}
      list: {}
    files:
      out/list.csv: |
        "Id","Name","CreatedDate"
"""
CHANGED = """\
FAILED accounts.test.yaml: the run

--- the run
accounts.test.yaml:8: snapshot: expected as in accounts.test.snap.yaml, got changes
  @@ -25,5 +25,5 @@
      Account:
      - created: <Account 2>
  -     Name: Alfa
  +     Name: Beta
        Description: <time>
      - created: <Account 3>
    if this is right: `runner test --update`

1 failed in N s
"""
OBSOLETE = """\
warning[test/obsolete-snapshot]: no test with a snapshot is named 'without rows'
  --> accounts.test.snap.yaml:53:3
   |
53 |   without rows:
   |   ^^^^^^^^^^^^
   = help: `runner test --update` removes it
"""


@pytest.fixture
def tests(bench):
    bench.write("rows.csv", "name\n")
    bench.job(TASKS, name="accounts.yaml")
    return bench.write("accounts.test.yaml", TESTS)


def test_what_runs_do_is_written_compared_and_forgotten(bench, tests):
    missing = bench.run("test", "-k", "the run")
    assert missing.code == 1
    assert "snapshot: expected one in accounts.test.snap.yaml, got none" in missing.out
    file = bench.folder / "accounts.test.snap.yaml"
    assert not file.exists()

    written = bench.run("test", "--update", "-o", "json")
    assert written.code == 0, written.out
    assert written.document["snapshots"] == {"written": [str(file)], "obsolete": []}
    assert file.read_text(encoding="utf-8") == SNAPSHOTS
    again = bench.run("test")
    assert (again.code, again.err) == (0, ""), again.out

    file.write_text(SNAPSHOTS.replace("    Name: Beta\n        D", "    Name: Alfa\n        D"))
    changed = bench.run("test", "-k", "the run")
    assert re.sub(r"in [\d.]+ s", "in N s", changed.out) == CHANGED
    assert changed.code == 1

    file.write_text(SNAPSHOTS)
    tests.write_text(TESTS.replace("name: without rows", "name: nothing"))
    assert OBSOLETE in bench.run("test", "-k", "the run").out
    assert bench.run("test", "-k", "nothing", "--update").code == 0
    assert file.read_text(encoding="utf-8") == SNAPSHOTS.replace("without rows", "nothing")


def test_a_file_that_has_no_snapshots_is_not_written_over(bench, tests):
    tests.write_text(TESTS.replace("snapshot: true", "snapshot: accounts.yaml"))
    before = (bench.folder / "accounts.yaml").read_text(encoding="utf-8")
    ended = bench.run("test", "--update", "-k", "the run")
    assert ended.code == 2
    assert "error[test/bad-snapshot]: this is not a file of snapshots" in ended.out
    assert (bench.folder / "accounts.yaml").read_text(encoding="utf-8") == before

"""A project with a job and its tests, for tests of such tests."""

import tempfile
import textwrap
from pathlib import Path

from runner.job.job_tests import load_tests
from runner.runs.job_tests import run_test
from runner.verdict import Status

ORG = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
      Tier__c: {type: picklist, label: Tier, values: [Gold, Silver], restricted: true}
seed: {Account: seed.csv}
"""
CONNECTION = """\
connection:
  environment: sandbox
  domain: acme--uat
  client_id: abc
  token: tokens/uat.json
"""
JOB = f"""\
version: 1
{CONNECTION}
params:
  tier: {{type: string, default: Gold}}
tasks:
  - name: accounts
    upsert: Account
    key: ERP_Id__c
    from: {{file: in/accounts.csv, delimiter: semicolon, decimal: ","}}
    fields: {{ERP_Id__c: no, Name: trim(name), Tier__c: tier, AnnualRevenue: revenue}}
  - name: list
    query: "SELECT ERP_Id__c, Name FROM Account WHERE Tier__c = :tier ORDER BY ERP_Id__c"
    to: out/list.csv
  - name: contacts
    create: Contact
    from: out/list.csv
    fields: {{LastName: Name}}
"""
ROWS = """\
- {no: "0815", name: " Acme ", tier: Gold, revenue: "1200000,0"}
- {no: "0816", name: null, tier: Gold, revenue: null}
"""


class Project:
    """A folder with a job for a sandbox that nobody has signed in to."""

    def __init__(self, folder):
        self.folder = folder
        self.write("org.yaml", ORG)
        self.write("seed.csv", "Name\nSeeded\n")
        self.write("accounts.yaml", JOB)

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def files(self):
        found = (each for each in self.folder.rglob("*") if each.is_file())
        return {each: each.read_bytes() for each in found}

    def verdict(self, expect, given="", when="run", rows=ROWS):
        """Of one test, whose file has `expect` from line 100 on."""
        sources = f"sources:\n  accounts:\n{textwrap.indent(rows, '    ')}" if rows else ""
        shared = textwrap.indent(f"org: org.yaml\n{sources}", "  ")
        own = textwrap.indent(textwrap.dedent(given).strip() or "params: {}", "      ")
        head = (
            f"version: 1\ngiven:\n{shared}\ntests:\n  - name: it\n    when: {when}\n"
            f"    given:\n{own}\n"
        )
        head += "\n" * (99 - head.count("\n") - 1) + "    expect:\n"
        body = textwrap.indent(textwrap.dedent(expect).strip(), "      ")
        file = self.write("accounts.test.yaml", f"{head}{body}\n")
        before = self.files()
        (test,) = load_tests(file)
        with tempfile.TemporaryDirectory() as scratch:
            verdict = run_test(test, Path(scratch))
        assert self.files() == before
        return verdict


def said(verdict):
    """Each difference in a line; a broken test's codes would be a mistake here."""
    assert [each.message for each in verdict.problems] == []
    assert verdict.message is None
    return [
        f"{each.line} {each.what}: {each.expected} / {each.actual}" for each in verdict.differences
    ]


def codes(verdict):
    assert verdict.status is Status.BROKEN
    return [(each.code, each.position.line if each.position else None) for each in verdict.problems]

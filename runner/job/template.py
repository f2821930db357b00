"""The job and test that `runner init` writes: valid as they are, with comments on what to change.

Knows nothing of files.
"""

from __future__ import annotations

import re

_TEXT = """\
# yaml-language-server: $schema=job.schema.json
# The line above gives completion in editors. `runner validate` finds mistakes in this file,
# `runner run` runs it.
version: 1
name: {name}
description: What this job is for.

connection:
  environment: local              # live | sandbox | local (an org on this machine, no sign-in)
  # A real org: choose live or sandbox above, uncomment these, then `runner login` once.
  # domain: acme--uat             # My Domain of the org
  # client_id: 3MVG9...           # consumer key of your External Client App; not a secret
  # token: tokens/acme-uat.json   # where `runner login` saves the token; do not commit it

params:
  industry: {{type: string, default: Retail, description: Accounts of this industry.}}

tasks:
  - name: accounts_out
    query: |
      SELECT Id, Name, Industry, Phone
      FROM Account
      WHERE Industry = :industry
    to: out/accounts.csv

  # To write rows to the org, uncomment this, add the file and name its columns.
  # - name: accounts_in
  #   upsert: Account             # or create, update, delete
  #   key: ERP_Id__c              # external Id field that finds the record of a row
  #   from: data/accounts.csv
  #   fields:                     # Salesforce field: a SQL expression over the file's columns
  #     ERP_Id__c: customer_no
  #     Name: trim(company)
  #     Industry: "'Retail'"      # fixed text goes in single quotes
  #   max_failures: 1%            # if more rows fail, the task fails
"""


TEST = """\
# yaml-language-server: $schema=test.schema.json
# `runner test` runs the job beside this file on an empty local org and compares what it does.
version: 1
tests:
  - name: only accounts of the industry are extracted
    given:
      # org: org.yaml             # your own objects and fields
      seed:                       # records that the org starts with
        Account:
          - {Name: Acme, Industry: Retail}
          - {Name: Bolt, Industry: Banking}
      params: {industry: Banking}
      # sources:                  # rows in place of what a task reads
      #   accounts_in:
      #     - {customer_no: "4711", company: Acme}
    expect:
      tasks: {accounts_out: {written: 1}}
      untouched: [Account]
"""
"""Tests of the job that `job_template` gives."""


def job_template(name: str) -> str:
    """A commented job with that name; characters that a name cannot have become `-`."""
    return _TEXT.format(name=_as_name(name))


def _as_name(text: str) -> str:
    """A valid job name that YAML reads as text."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:100] or "job"
    return (
        name
        if name[0].isalpha() and name.lower() not in {"null", "true", "false"}
        else f"job-{name}"
    )

"""What a run prints: one JSON document of its schema, or bars on a terminal."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

from tests.e2e.apis import OVER_BULK

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "run.schema.json").read_text(encoding="utf-8")
)
TASKS = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: a.csv
  api: {api}
- name: none
  delete: Contact
  from: empty.csv
- name: off
  query: SELECT Id FROM Account
  enabled: false
  to: out/off.csv
- name: list
  query: SELECT Id, Name FROM Account
  to: out/list.csv
"""


@OVER_BULK
def test_the_document_is_of_its_schema(bench, org, api):
    bench.write("a.csv", "ERP_Id__c,Name\nE1,One\nE2,\n")
    bench.write("empty.csv", "Id\n")
    ended = bench.run("run", bench.job(TASKS.format(api=api)), "-o", "json")
    assert ended.code == 3, ended.err
    Draft202012Validator(SCHEMA).validate(ended.document)
    assert [task["status"] for task in ended.document["tasks"]] == [
        "partial",
        "done",
        "skipped",
        "done",
    ]
    assert len(ended.task("load")["bulk_job_ids"]) == (api == "bulk")
    assert ended.out.count("\n") == 1, "one document on one line"


def test_several_jobs_are_told_each(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nE1,One\n")
    bench.write("empty.csv", "Id\n")
    one = bench.job(TASKS.format(api="rest"), name="one.yaml")
    two = bench.job(TASKS.format(api="rest"), name="two.yaml")
    ended = bench.run("run", one, two, "-o", "json")
    assert ended.code == 0, ended.err
    assert [Path(each["job_file"]).name for each in ended.document] == ["one.yaml", "two.yaml"]


def test_quiet_says_nothing_of_what_went_well(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\nE1,One\n")
    bench.write("empty.csv", "Id\n")
    ended = bench.run("run", bench.job(TASKS.format(api="rest")), "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_a_terminal_gets_bars_and_the_recap_stays_on_stdout(bench, org):
    bench.write("a.csv", "ERP_Id__c,Name\n" + "".join(f"E{n},n\n" for n in range(500)))
    bench.write("empty.csv", "Id\n")
    job = bench.job(TASKS.format(api="bulk"))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", "run", str(job)],
        cwd=bench.folder,
        env={**bench.environ(), "TERM": "xterm", "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    out = process.stdout.read()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert "load  upsert Account  DONE" in out
    text = shown.decode()
    assert "\x1b[" in text, "it moves"
    assert "500 of 500" in text
    assert "JobComplete" in text

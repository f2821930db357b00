"""How many files of the product a row goes through, and how often its trip changes file.

`python -m tests.benchmarks.trip` counts this checkout; `--tree DIR` another one, for comparison.
A file counts when one of its functions is called; a change of file is a call from one file of
`runner/` into another. Class bodies and comprehensions do not count, and the local org's server,
a process of its own, is not looked at.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
ORG_FILE = """\
version: 1
objects:
  Account:
    fields:
      ERP_Id__c: {type: text, label: ERP Id, length: 20, external_id: true, unique: true}
"""
JOB = """\
version: 1
connection: {environment: local, org_file: org.yaml}
tasks:
  - {name: t, %s}
"""
UPSERT = "upsert: Account, key: ERP_Id__c, from: a.csv, fields: {ERP_Id__c: n, Name: name}"
JOBS = {
    "bulk": f"{UPSERT}, api: bulk",
    "rest": f"{UPSERT}, api: rest",
    "query": 'query: "SELECT Id, Name FROM Account", to: out.parquet, api: bulk',
}
TRIPS = {
    "a row over Bulk to succeeded.csv": ("run", "bulk.yaml"),
    "a row over REST to succeeded.csv": ("run", "rest.yaml"),
    "a page of a Bulk query to Parquet": ("run", "query.yaml"),
    "runner whoami": ("whoami", "bulk.yaml"),
    "runner validate": ("validate", "bulk.yaml"),
}
_COMPREHENSIONS = {"<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>"}
_OPTIMIZED = 1
"""`co_flags` of functions; class bodies and modules lack it."""


class Trip:
    """Counts calls, as a profile function of every thread."""

    def __init__(self, tree):
        self.root = f"{tree / 'runner'}{os.sep}"
        self.files, self.functions, self.changes = set(), set(), 0

    def _counts(self, code):
        return (
            code.co_filename.startswith(self.root)
            and code.co_flags & _OPTIMIZED
            and code.co_name not in _COMPREHENSIONS
        )

    def __call__(self, frame, event, _):
        if event != "call" or not self._counts(frame.f_code):
            return
        file = frame.f_code.co_filename
        self.files.add(file)
        self.functions.add(frame.f_code)
        caller = frame.f_back
        while caller is not None and not self._counts(caller.f_code):
            caller = caller.f_back
        self.changes += caller is not None and caller.f_code.co_filename != file


def count_in_this_process(tree, argv):
    """Run one command of a tree and print what was counted, as JSON."""
    sys.path.insert(0, str(tree))
    from runner.__main__ import main  # noqa: PLC0415 - of the tree that was asked for

    trip = Trip(tree)
    sys.argv = ["runner", *argv]
    code = 0
    sys.stdout = sys.stderr
    threading.setprofile(trip)
    sys.setprofile(trip)
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    sys.setprofile(None)
    counts = [code, len(trip.files), len(trip.functions), trip.changes]
    sys.__stdout__.write(json.dumps(counts) + "\n")


def counted(tree, folder, argv):
    """Count one command in a process of its own: exit code, files, functions, changes of file."""
    environment = os.environ | {"PYTHONPATH": str(tree), "XDG_STATE_HOME": str(folder / "state")}
    command = [sys.executable, __file__, "--tree", tree, "--count", *argv]
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if ended.returncode or not ended.stdout:
        sys.exit(ended.stderr)
    return json.loads(ended.stdout.splitlines()[-1])


def trips(tree):
    """Every trip's name and counts; the state folder has been used once before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.csv").write_text("n,name\n1,Acme\n", encoding="utf-8")
        (folder / "org.yaml").write_text(ORG_FILE, encoding="utf-8")
        for job, task in JOBS.items():
            (folder / f"{job}.yaml").write_text(JOB % task, encoding="utf-8")
        counted(tree, folder, TRIPS["a row over REST to succeeded.csv"])
        return {name: counted(tree, folder, argv) for name, argv in TRIPS.items()}


def main():
    """Print a table of all trips."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tree", type=lambda text: Path(text).resolve(), default=ROOT)
    parser.add_argument("--count", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.count:
        count_in_this_process(asked.tree, asked.count)
        return
    print(f"{'':36}{'files':>8}{'functions':>11}{'changes of file':>17}")  # noqa: T201
    for name, (code, files, functions, changes) in trips(asked.tree).items():
        ended = f"  exit {code}" if code else ""
        print(f"{name:36}{files:8}{functions:11}{changes:17}{ended}")  # noqa: T201


if __name__ == "__main__":
    main()

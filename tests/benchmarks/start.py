"""What a start costs: verbs that do next to nothing, each as a whole process.

    python -m tests.benchmarks.start [--runs 9] [--before FOLDER]

Prints the medians of the CPU seconds, user and system, of Python alone and of each verb; beside
them those of another checkout, and the ratio, all measured in turn,
each with an org of its own that runs.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
ORG_FILE = """version: 1
objects: {Account: {fields: {ERP_Id__c: {type: text, length: 20, external_id: true, unique: true}}}}
"""
JOB = """version: 1
name: start
connection: {environment: local}
tasks:
  - name: load
    upsert: Account
    key: ERP_Id__c
    from: rows.csv
    fields: {ERP_Id__c: no, Name: trim(name)}
"""
_COMPLETE = {"_RUNNER_COMPLETE": "complete_bash", "COMP_WORDS": "runner val", "COMP_CWORD": "1"}
RUNNER = ("-c", "import sys; sys.argv[0] = 'runner'; from runner.cli.main import main; main()")
STARTS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "Python alone": (("-c", "pass"), {}),
    "validate": ((*RUNNER, "validate", "job.yaml"), {}),
    "history": ((*RUNNER, "history"), {}),
    "whoami": ((*RUNNER, "whoami", "job.yaml"), {}),
    "run of one row": ((*RUNNER, "run", "-q", "job.yaml"), {}),
    "completion": (RUNNER, _COMPLETE),
}


def main() -> None:
    """Measure what the command line asks for."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.start")
    reader.add_argument("--runs", type=int, default=9)
    reader.add_argument("--before", type=Path, help="another checkout, to compare with")
    asked = reader.parse_args()
    trees = [ROOT, *([asked.before.absolute()] if asked.before else [])]
    for tree in trees:  # as an installed command is; Python may have been told to write nothing
        compileall.compile_dir(tree / "runner", quiet=1)
    with tempfile.TemporaryDirectory(prefix="start-") as scratch:
        folder = Path(scratch)
        (folder / "org.yaml").write_text(ORG_FILE)
        (folder / "job.yaml").write_text(JOB)
        (folder / "rows.csv").write_text("no,name\n1,A\n")
        sys.stdout.write("| start | CPU | before | ratio |\n|---|---:|---:|---:|\n")
        with ExitStack() as orgs:
            for tree in trees:  # each with a state of its own: their ledgers differ
                orgs.enter_context(served_org(tree, folder))
            for name, (words, env) in STARTS.items():
                _tell(
                    name, trees, asked.runs, lambda tree, w=words, e=env: _taken(tree, folder, w, e)
                )
        _tell("local org, to its first answer", trees, asked.runs, _org_start)


def _tell(name: str, trees: list[Path], runs: int, measure: Any) -> None:
    for tree in trees:
        measure(tree)  # makes what is kept
    found: list[list[float]] = [[] for _ in trees]
    for _ in range(runs):
        for tree, seconds in zip(trees, found, strict=True):
            seconds.append(measure(tree))
    now, *before = map(statistics.median, found)
    compared = f"{before[0]:.3f} s | {now / before[0]:.2f}" if before else " |"
    sys.stdout.write(f"| {name} | {now:.3f} s | {compared} |\n")
    sys.stdout.flush()


def environment(tree: Path, folder: Path) -> dict[str, str]:
    state = folder / f"state-{tree.name}"
    return {**os.environ, "PYTHONPATH": str(tree), "XDG_STATE_HOME": str(state)}


def _taken(tree: Path, folder: Path, words: tuple[str, ...], env: dict[str, str]) -> float:
    """The CPU seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**environment(tree, folder), **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=tree == ROOT or not env,  # an older one may know no completion
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _org_start(tree: Path) -> float:
    """The CPU seconds of a new local org until it has answered."""
    with tempfile.TemporaryDirectory(prefix="start-") as scratch:
        folder = Path(scratch)
        (folder / "org.yaml").write_text(ORG_FILE)
        with served_org(tree, folder) as (process, said):
            address = f"{said['url']}/services/data/v60.0/sobjects/Account/describe"
            headers = {"Authorization": f"Bearer {said['access_token']}"}
            httpx.get(address, headers=headers).raise_for_status()
            return time.clock_gettime(_clock_of(process.pid))


def _clock_of(process: int) -> int:
    """The CPU clock of another process, as `clock_getcpuclockid` of the C library gives it."""
    return (~process << 3) | 2


@contextmanager
def served_org(tree: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    words = ("org", "serve", "--port", "0", "-o", "json", "--org-file", "org.yaml")
    with subprocess.Popen(
        [sys.executable, *RUNNER, *words],
        cwd=folder,
        env=environment(tree, folder),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process, json.loads(process.stdout.readline() if process.stdout else "")
        finally:
            process.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    main()

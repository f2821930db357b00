"""What tests of a job cost: `runner test`, beside an org and a run that are started for each.

    python -m tests.benchmarks.job_tests [--tests 100] [--rows 50] [--by-hand 10]

Prints the wall time and the CPU time, user and system, of every process. Only some tests are done
by hand; their time is scaled up to all, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.start import JOB, ORG_FILE, ROOT, RUNNER, environment, served_org


def main() -> None:
    """Measure what the command line asks for."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.job_tests")
    reader.add_argument("--tests", type=int, default=100)
    reader.add_argument("--rows", type=int, default=50)
    reader.add_argument("--by-hand", type=int, default=10, help="how many are done by hand")
    asked = reader.parse_args()
    with tempfile.TemporaryDirectory(prefix="job-tests-") as scratch:
        folder = Path(scratch)
        _write(folder, asked.tests, asked.rows)
        _runner(folder, "test", "-n", "1", "-k", "test 0 ")  # compiles the modules
        sys.stdout.write(f"| {asked.tests:,} tests of {asked.rows:,} rows | wall | CPU |\n")
        sys.stdout.write("|---|---:|---:|\n")
        _tell("`runner test`", 1, lambda: _runner(folder, "test", "-q"))
        _tell("`runner test -n 1`", 1, lambda: _runner(folder, "test", "-q", "-n", "1"))
        title = f"`runner org serve` and `runner run` for each (of {asked.by_hand:,}, scaled)"
        scale = asked.tests / asked.by_hand
        _tell(title, scale, lambda: _by_hand(folder, asked.by_hand, asked.rows))
    sys.stdout.write(f"\n{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f} after.\n")


def _write(folder: Path, tests: int, rows: int) -> None:
    (folder / "org.yaml").write_text(ORG_FILE)
    job = JOB.replace("{environment: local}", "{environment: local, org_file: org.yaml}")
    (folder / "job.yaml").write_text(job)
    (folder / "rows.csv").write_text("no,name\n" + "".join(f"{at},A{at}\n" for at in range(rows)))
    written = [{"no": str(at), "name": f"A{at}"} for at in range(rows)]
    count = {"query": "SELECT COUNT() FROM Account", "rows": [{"count": rows}]}
    expected = {"tasks": {"load": {"created": rows}}, "records": [count]}
    own = [
        {"name": f"test {at} ", "given": {"sources": {"load": written}}, "expect": expected}
        for at in range(tests)
    ]
    # JSON is YAML, too.
    lines = ",\n".join(map(json.dumps, own))
    (folder / "job.test.yaml").write_text(f'{{"version": 1, "tests": [\n{lines}\n]}}\n')


def _runner(folder: Path, *words: str) -> None:
    command = [sys.executable, *RUNNER, *words]
    subprocess.run(
        command, cwd=folder, env=environment(ROOT, folder), stdout=subprocess.DEVNULL, check=True
    )


def _by_hand(folder: Path, tests: int, rows: int) -> None:
    """An org, a run that reads a file, and a look at its result, as often as there are tests."""
    for at in range(tests):
        own = folder / f"by-hand-{at}"
        own.mkdir()
        for name in ("org.yaml", "job.yaml", "rows.csv"):
            (own / name).write_bytes((folder / name).read_bytes())
        with served_org(ROOT, own):
            done = subprocess.run(
                [sys.executable, *RUNNER, "run", "job.yaml", "-o", "json"],
                cwd=own,
                env=environment(ROOT, own),
                capture_output=True,
                check=True,
            )
        if json.loads(done.stdout)["tasks"][0]["counts"]["created"] != rows:
            raise SystemExit(done.stdout)


def _tell(title: str, scale: float, work: Callable[[], None]) -> None:
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - wall
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sys.stdout.write(f"| {title} | {wall * scale:.1f} s | {cpu * scale:.1f} s |\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Many small jobs: a shell loop of the command, one command for all, and workers of Dask.

    python -m tests.benchmarks.fleet [--jobs 200] [--orgs 10] [--delay-ms 0] [--runs 1]

Each job creates three records over REST in one of some local orgs, which run meanwhile on the same
machine; their own CPU time is told apart. Records are counted once the clock has stopped.
`--delay-ms` lets the orgs wait before each answer, as real ones do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

ROWS = 3
RUNNER = (sys.executable, "-m", "runner")
CONTENDERS = {
    "a shell loop of `runner run`": None,
    "`runner run jobs/`": (),
    "`runner run jobs/ --on dask:1`": ("--on", "dask:1"),
    "`runner run jobs/ --on dask:2`": ("--on", "dask:2"),
}


@contextmanager
def org(folder: Path, env: dict[str, str], delay_ms: int) -> Iterator[tuple[str, str]]:
    """A local org that runs: its URL and its token."""
    folder.mkdir(parents=True)
    words = ("org", "serve", "--port", "0", "-o", "json")
    process = subprocess.Popen(
        [*RUNNER, *words], cwd=folder, env=env, stdout=subprocess.PIPE, text=True
    )
    try:
        told = json.loads(process.stdout.readline())
        headers = {"Authorization": f"Bearer {told['access_token']}"}
        if delay_ms:
            rule = {"kind": "slow", "seconds": delay_ms / 1000}
            httpx.post(f"{told['url']}/__org/faults", json=rule, headers=headers).raise_for_status()
        yield told["url"], told["access_token"]
    finally:
        process.terminate()
        process.communicate()


def records_of(url: str, token: str) -> int:
    """How many accounts an org has."""
    answer = httpx.get(
        f"{url}/services/data/v62.0/query",
        params={"q": "SELECT COUNT() FROM Account"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    return int(answer.raise_for_status().json()["totalSize"])


def write_jobs(folder: Path, jobs: int, urls: list[str]) -> list[Path]:
    """The jobs, each for the next of the orgs."""
    files = []
    folder.mkdir(exist_ok=True)
    rows = "".join(f"Account {number}\n" for number in range(ROWS))
    (folder / "rows.csv").write_text(f"Name\n{rows}")
    for number in range(jobs):
        at = number % len(urls)
        connection = {"environment": "local", "url": urls[at], "token": {"env": f"TOKEN_{at}"}}
        task = {"name": "load", "create": "Account", "api": "rest", "from": "rows.csv"}
        name = f"job{number:03}"
        job = {"version": 1, "name": name, "connection": connection, "tasks": [task]}
        files.append(folder / f"{name}.yaml")
        files[-1].write_text(json.dumps(job))
    return files


def measure(name: str, files: list[Path], env: dict[str, str]) -> tuple[float, float]:
    """Seconds of wall and of CPU time."""
    options = CONTENDERS[name]
    folder = files[0].parent.parent
    env = {**env, "SFRUNNER_STATE": str(folder / "state"), "SFRUNNER_QUIET": "1"}
    shutil.rmtree(folder / "state", ignore_errors=True)
    if options is None:
        quoted = " ".join(RUNNER)
        command = ["sh", "-ec", f'for job in jobs/*.yaml; do {quoted} run "$job"; done']
    else:
        command = [*RUNNER, "run", "jobs", *options]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, env=env, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure all contenders in turn, and print a table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--jobs", type=int, default=200)
    asked.add_argument("--orgs", type=int, default=10)
    asked.add_argument("--delay-ms", type=int, default=0)
    asked.add_argument("--runs", type=int, default=1)
    given = asked.parse_args()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        own = {**env, "SFRUNNER_STATE": str(folder / "orgs-state")}
        orgs = [
            stack.enter_context(org(folder / f"org{number}", own, given.delay_ms))
            for number in range(given.orgs)
        ]
        files = write_jobs(folder / "jobs", given.jobs, [url for url, _ in orgs])
        env |= {f"TOKEN_{number}": token for number, (_, token) in enumerate(orgs)}
        for _ in range(given.runs):
            for name, figures in found.items():
                before = sum(records_of(*each) for each in orgs)
                figures.append(measure(name, files, env))
                sys.stderr.write(f"{name}: {figures[-1][0]:.1f} s\n")  # the whole takes minutes
                made = sum(records_of(*each) for each in orgs) - before
                if made != given.jobs * ROWS:
                    sys.exit(f"{name}: {made} records instead of {given.jobs * ROWS}")
    first = statistics.median(wall for wall, _ in found[next(iter(found))])
    sys.stdout.write("| | wall | ratio | CPU |\n|---|---:|---:|---:|\n")
    for name, figures in found.items():
        wall, cpu = (statistics.median(each) for each in zip(*figures, strict=True))
        sys.stdout.write(f"| {name} | {wall:.1f} s | {wall / first:.2f} | {cpu:.1f} s |\n")


if __name__ == "__main__":
    main()

"""Merges changed records into a large PostgreSQL table, beside pipelines of dlt that do the same.

    python -m tests.benchmarks.merge [--rows 1000000] [--changed 10000] [--runs 3] [--dlt PYTHON]

Each contender makes its own table of the changed records first. Their values are set back, other
rows are added, and all are shuffled: from this database, each run starts. What is in the table
afterwards is looked at once the clock has stopped. `--dlt` names a Python that has `dlt[postgres]`
and simple-salesforce, in an environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.benchmarks import rows
from tests.benchmarks.bench import CLIENTS, PRODUCT, ROOT, TOKEN
from tests.postgresql import PROGRAMS, USER, cluster

_LAUNCHER = Path(__file__).with_name("measure.py")
_OLD = "old"


@dataclass(frozen=True, slots=True)
class Place:
    """Where contenders work."""

    port: int
    socket: Path
    folder: Path

    @property
    def url(self) -> str:
        """The database of a run, without a scheme; dlt wants a host in it."""
        return f"://{USER}:pass-word@localhost/work?host={self.socket}"


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who merges."""

    name: str
    python: str
    columns: tuple[str, str]
    """Id and name, as its table calls them."""

    def command(self, place: Place) -> list[str]:
        """The command line of one run."""
        if self.name == PRODUCT:
            return [self.python, "-m", "runner", "run", "-q", str(_job(place))]
        script, strategy = CLIENTS / "with_dlt.py", self.name.partition(" ")[2]
        url = f"postgresql{place.url}"
        folder = place.folder / "pipelines"
        return [self.python, str(script), str(place.port), rows.SOQL, url, strategy, str(folder)]


def _job(place: Place) -> Path:
    to = {"database": {"env": "BENCH_POSTGRESQL"}, "table": "account"}
    connection = {
        "environment": "local",
        "url": f"http://127.0.0.1:{place.port}",
        "api_version": "66.0",
        "token": {"env": "BENCH_TOKEN"},
    }
    task = {"name": "work", "query": rows.SOQL, "api": "rest"}
    task["to"] = {**to, "mode": "merge", "key": "Id"}
    job = {"version": 1, "name": "bench", "connection": connection, "tasks": [task]}
    file = place.folder / "job.yaml"
    file.write_text(json.dumps(job))
    return file


def main() -> int:
    """Measure what the command line asks for."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.merge")
    reader.add_argument("--rows", type=int, default=1_000_000, help="of the table")
    reader.add_argument("--changed", type=int, default=10_000)
    reader.add_argument("--runs", type=int, default=3)
    reader.add_argument("--dlt", help="a Python that has dlt[postgres] and simple-salesforce")
    asked = reader.parse_args()
    if PROGRAMS is None:
        sys.exit("PostgreSQL is not installed: apt install postgresql")
    contenders = [Contender(PRODUCT, sys.executable, ("Id", "Name"))]
    if asked.dlt:
        strategies = ("delete-insert", "upsert")
        contenders += [Contender(f"dlt {each}", asked.dlt, ("id", "name")) for each in strategies]
    taken: dict[str, list[dict[str, Any]]] = {each.name: [] for each in contenders}
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as scratch,
        cluster() as socket,
        _server(Path(scratch), asked.changed) as port,
    ):
        place = Place(port, socket, Path(scratch))
        for each in contenders:
            _make_base(each, place, asked)
        for _ in range(asked.runs):
            for each in contenders:
                taken[each.name].append(_measured(each, place, asked))
    wrong = False
    for name, runs in taken.items():
        seconds = statistics.median(each["seconds"] for each in runs)
        cpu = statistics.median(each["cpu_seconds"] for each in runs)
        peak = statistics.median(each["peak_bytes"] for each in runs) / 1e6
        faults = sorted({each["wrong"] for each in runs if each["wrong"]})
        wrong |= bool(faults) and name == PRODUCT
        told = f"wall {seconds:6.2f} s  CPU {cpu:6.2f} s  peak memory {peak:5.0f} MB"
        sys.stdout.write(f"{name:20}{told}  {'; '.join(faults)}\n")
    return int(wrong)


@contextmanager
def _server(folder: Path, changed: int) -> Iterator[int]:
    words = [str(folder), "0", str(changed), "0", "plain"]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.server", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        yield int(server.stdout.readline())
        server.stdin.close()


def _ask(place: Place, database: str, *statements: str) -> list[Any]:
    asked = {"host": str(place.socket), "user": USER, "dbname": database, "autocommit": True}
    with psycopg.connect(**asked) as link:
        for each in statements:
            found = link.execute(each)
        return found.fetchall() if found.description else []


def _base(contender: Contender) -> str:
    return contender.name.replace(" ", "_").replace("-", "_")


def _reset(place: Place, template: str) -> None:
    made = f"CREATE DATABASE work TEMPLATE {template}"
    _ask(place, "postgres", "DROP DATABASE IF EXISTS work", made, "CHECKPOINT")


def _make_base(contender: Contender, place: Place, asked: argparse.Namespace) -> None:
    """The contender's own table of the changed rows, with old values, among many others."""
    _reset(place, "template0")
    shutil.rmtree(place.folder / "pipelines", ignore_errors=True)
    first = _run(contender, place)
    if first["exit_code"]:
        sys.exit(f"{contender.name}: {(place.folder / 'errors').read_text()}")
    _keep(place, contender)
    key, name = contender.columns
    found = _ask(place, "work", "SELECT column_name FROM information_schema.columns"
                 " WHERE table_schema = 'public' AND table_name = 'account'")  # fmt: skip
    columns = [each for (each,) in found]
    other = {key: f"\"{key}\" || 'x' || g", "_dlt_id": 'md5("_dlt_id" || g)'}
    cells = ", ".join(f'"{each}"' for each in columns)
    copied = ", ".join(other.get(each, f'"{each}"') for each in columns)
    times = asked.rows // asked.changed - 1
    _ask(
        place,
        "work",
        f"UPDATE account SET \"{name}\" = '{_OLD}'",
        f"INSERT INTO account ({cells}) SELECT {copied} FROM account,"
        f" generate_series(1, {times}) g",
        f'CREATE INDEX shuffled ON account (md5("{key}"))',
        "CLUSTER account USING shuffled",
        "DROP INDEX shuffled",
        "VACUUM ANALYZE account",
    )
    _ask(place, "postgres", f"ALTER DATABASE work RENAME TO {_base(contender)}")


def _keep(place: Place, contender: Contender) -> None:
    """Keep what a pipeline knows after its first run."""
    if (place.folder / "pipelines").exists():
        shutil.copytree(place.folder / "pipelines", place.folder / _base(contender))


def _run(contender: Contender, place: Place) -> dict[str, Any]:
    out = [str(place.folder / each) for each in ("output", "errors")]
    shutil.rmtree(place.folder / "state", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-S", "-E", _LAUNCHER, *out, *contender.command(place)],
        cwd=place.folder,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT) if contender.name == PRODUCT else "",
            "BENCH_TOKEN": TOKEN,
            "BENCH_POSTGRESQL": f"postgresql+psycopg{place.url}",
            "XDG_STATE_HOME": str(place.folder / "state"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "HOME": str(place.folder),
        },
        capture_output=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _measured(contender: Contender, place: Place, asked: argparse.Namespace) -> dict[str, Any]:
    _reset(place, _base(contender))
    kept = place.folder / _base(contender)
    if kept.exists():
        shutil.rmtree(place.folder / "pipelines")
        shutil.copytree(kept, place.folder / "pipelines")
    told = _run(contender, place)
    return told | {"wrong": _wrong(contender, place, told["exit_code"], asked)}


def _wrong(
    contender: Contender, place: Place, exit_code: int, asked: argparse.Namespace
) -> str | None:
    if exit_code:
        return f"exit code {exit_code}"
    key, name = contender.columns
    wanted = asked.rows // asked.changed * asked.changed
    counts = f'SELECT count(*), count(DISTINCT "{key}") FROM account'
    names = f'SELECT "{key}", "{name}" FROM account WHERE "{name}" <> \'{_OLD}\''
    if _ask(place, "work", counts) != [(wanted, wanted)]:
        return "rows lost or doubled"
    changed = [rows.queried(i) for i in range(asked.changed)]
    right = {(each[0], each[2]) for each in changed}
    return None if set(_ask(place, "work", names)) == right else "values are wrong"


if __name__ == "__main__":
    sys.exit(main())

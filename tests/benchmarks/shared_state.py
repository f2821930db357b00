"""What a state that machines share costs a run: transactions, uploads, and time beside a folder.

    python -m tests.benchmarks.shared_state [--rest 20000] [--bulk 200000]

PostgreSQL and the S3 server are on this machine, so nothing of the time is the network's: each
transaction is about as many trips as the table says, each upload one.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import sqlalchemy
from werkzeug.serving import WSGIRequestHandler

from tests.benchmarks.start import ORG_FILE, ROOT, RUNNER, environment, served_org
from tests.object_store import object_store
from tests.postgresql import USER, cluster, url_of

_JOB = """version: 1
name: cost
connection: {{environment: local, url: '{url}', token: {{env: ORG_TOKEN}}}}
tasks:
  - name: load
    upsert: Account
    key: ERP_Id__c
    from: rows.csv
    api: {api}
    undo: true
    fields: {{ERP_Id__c: no, Name: trim(name)}}
"""

_NAMES = {"rest": "REST", "bulk": "Bulk"}


def main() -> None:
    """Measure what the command line asks for."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.shared_state")
    reader.add_argument("--rest", type=int, default=20_000)
    reader.add_argument("--bulk", type=int, default=200_000)
    asked = reader.parse_args()
    sys.stdout.write(
        "| upsert of new rows, with `undo` | wall | CPU | transactions | uploads | |\n"
    )
    sys.stdout.write("|---|---:|---:|---:|---:|---:|\n")
    scratches = tempfile.TemporaryDirectory(prefix="shared-state-")
    with scratches as scratch, _store() as (env, seen), cluster() as socket:
        place = f"postgresql://{USER}@/postgres?host={socket}&files=s3://states/crm"
        for api, rows in (("rest", asked.rest), ("bulk", asked.bulk)):
            folder = Path(scratch, api)
            folder.mkdir()
            (folder / "org.yaml").write_text(ORG_FILE)
            lines = "".join(f"{at},Account {at}\n" for at in range(rows))
            (folder / "rows.csv").write_text(f"no,name\n{lines}")
            with served_org(ROOT, folder) as (_, said):
                (folder / "job.yaml").write_text(_JOB.format(url=said["url"], api=api))
                env["ORG_TOKEN"] = said["access_token"]
                for title, state in (("folder", str(folder / "own")), ("shared", place)):
                    _reset(said)
                    name = f"{_NAMES[api]}, {rows:,} rows, {title}"
                    _run(name, folder, {**env, "SFRUNNER_STATE": state}, seen, socket)


def _reset(org: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {org['access_token']}"}
    httpx.post(f"{org['url']}/__org/reset", headers=headers, timeout=60).raise_for_status()


def _run(title: str, folder: Path, env: dict[str, str], seen: Counter[str], socket: Path) -> None:
    seen.clear()
    transactions, began = _transactions(socket), time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *RUNNER, "run", "-q", "job.yaml"],
        cwd=folder,
        env={**environment(ROOT, folder), **env},
        check=True,
    )
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    made = _transactions(socket) - transactions
    sys.stdout.write(
        f"| {title} | {wall:.1f} s | {cpu:.1f} s | {made:,} | {seen['PUT']:,} "
        f"| {seen['bytes'] / 1e6:.1f} MB |\n"
    )
    sys.stdout.flush()


def _transactions(socket: Path) -> int:
    engine = sqlalchemy.create_engine(url_of(socket), poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        found = "SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'"
        return int(connection.exec_driver_sql(found).scalar_one())


@contextmanager
def _store() -> Iterator[tuple[dict[str, str], Counter[str]]]:
    """An S3 server with a bucket: the environment for it, and what it is asked."""
    seen: Counter[str] = Counter()

    def note(handler: WSGIRequestHandler, *_: object) -> None:
        seen[handler.command] += 1
        if handler.command == "PUT":
            seen["bytes"] += int(handler.headers.get("content-length") or 0)

    WSGIRequestHandler.log_request = note  # type: ignore[method-assign]
    with object_store() as env:
        yield env, seen


if __name__ == "__main__":
    main()

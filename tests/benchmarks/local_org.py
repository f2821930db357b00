"""What Bulk jobs cost the local org itself: rows in by an upsert, changed by another, and out.

    python -m tests.benchmarks.local_org [--rows 1000000]

Prints seconds on the clock and seconds of CPU of each job, without HTTP.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from runner.local_org.app import open_org
from runner.local_org.bulk.ingest import UPLOAD, run_ingest
from runner.local_org.bulk.jobs import Job, JobKind, Jobs, JobState
from runner.local_org.bulk.queries import run_query
from runner.local_org.org import Org
from tests.benchmarks import rows

_OBJECTS: dict[str, Any] = {
    "Account": {
        "fields": {
            "ERP_Id__c": {
                "type": "text",
                "label": "ERP Id",
                "length": 20,
                "external_id": True,
                "unique": True,
            },
            "Active__c": {"type": "checkbox", "label": "Active"},
            "Founded__c": {"type": "date", "label": "Founded"},
        }
    }
}


def main() -> None:
    """Run the jobs with as many rows as the command line says."""
    reader = argparse.ArgumentParser(prog="python -m tests.benchmarks.local_org")
    reader.add_argument("--rows", type=int, default=100_000)
    count = reader.parse_args().rows
    sys.stdout.write(f"| Bulk job of {count:,} rows | wall | CPU |\n|---|---:|---:|\n")
    with tempfile.TemporaryDirectory(prefix="local-org-") as folder:
        org = open_org(Path(folder), {"version": 1, "objects": _OBJECTS})
        for title in ("upsert that creates", "upsert that updates"):
            _timed(title, _upsert(org, count), org, count)
        query = f"SELECT {', '.join(rows.WRITTEN)} FROM Account"
        _timed("query", _job(org, JobKind.QUERY, operation="query", query=query), org, count)
        org.store.close()


def _upsert(org: Org, count: int) -> Job:
    job = _job(org, JobKind.INGEST, operation="upsert", external_id="ERP_Id__c")
    written = map(rows.written, range(count))
    rows.write(org.part(Jobs).folder(job) / UPLOAD, rows.WRITTEN, written)
    return job


def _job(org: Org, kind: JobKind, **members: str) -> Job:
    jobs = org.part(Jobs)
    state = JobState.UPLOAD_COMPLETE
    common = {"object": "Account", "user_id": org.user.id, "api_version": 60.0, "made": ""}
    return jobs.create(kind, Job("", kind, state=state, modstamp="", **common, **members))


def _timed(title: str, job: Job, org: Org, count: int) -> None:
    run = run_query if job.kind is JobKind.QUERY else run_ingest
    wall, cpu = time.perf_counter(), time.process_time()
    ended = run(org, job, lambda _job: True)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if ended is None or ended.rows_done - ended.rows_failed != count:
        raise SystemExit(f"{title}: {ended}")
    sys.stdout.write(f"| {title} | {wall:.2f} s | {cpu:.2f} s |\n")


if __name__ == "__main__":
    main()

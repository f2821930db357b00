"""A disk that is full, read-only or changed under a run: told, nothing half-written, resumable."""

import csv
import json
import resource
import secrets
import sqlite3
from contextlib import closing

import duckdb
import pytest

from tests.e2e.apis import OVER_BULK
from tests.e2e.failures.test_damaged_answers import fill

TO_DATABASE = """
- name: read
  query: SELECT Id, Name FROM Account
  to: {{database: {{env: {env}}}, table: t}}
"""
ROWS = 1_900
NAMES = [f"n {n:05} {'x' * 60}" for n in range(ROWS)]
JOB = """
- name: load
  create: Account
  from: a.csv
  api: {api}
  results: results
- name: list
  query: SELECT Name, ERP_Id__c FROM Account ORDER BY Name
  to: out/list.csv
  api: {api}
"""


def write_rows(bench):
    rows = "".join(f"{name},E{n:05}\n" for n, name in enumerate(NAMES))
    bench.write("a.csv", f"Name,ERP_Id__c\n{rows}")


def no_file_above(size_bytes):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


def run_with_room_for(bench, job, size_bytes):
    """A run for whose files there is no room above a size, as by a quota or a full disk."""
    bench.env["PYTHONDONTWRITEBYTECODE"] = "1"  # nor would Python notice that it wrote half of one
    process = bench.start("run", job, preexec_fn=no_file_above(size_bytes))
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def column(file, name):
    with file.open(encoding="utf-8", newline="") as lines:
        return [row[name] for row in csv.DictReader(lines)]


def nothing_is_half_there(bench):
    """Each file that a person sees is whole: it ends where a row ends, and nothing is beside it."""
    seen = [*(bench.folder / "out").glob("*"), *(bench.folder / "results").glob("*")]
    assert not [file.name for file in seen if file.name.startswith(".")]
    assert all(file.read_bytes().endswith(b"\n") for file in seen)
    target = bench.folder / "out/list.csv"
    assert not target.exists() or len(column(target, "Name")) == ROWS


def brought_to_its_end(bench, org, job):
    """Once there is room, a resume finishes the run; where nothing was sent, a new run does."""
    ended = bench.run("resume")
    if ended.code == 2:
        assert "nothing to resume" in ended.err
        assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]
        ended = bench.run("run", job)
    assert ended.code == 0, ended.err + ended.out


def survives(bench, org, api, size_bytes):
    write_rows(bench)
    job = bench.job(JOB.format(api=api))
    code, out, err = run_with_room_for(bench, job, size_bytes)
    nothing_is_half_there(bench)
    if code != 0:
        assert code == 1, err + out
        assert "File too large" in err + out or "disk I/O error" in err + out
        brought_to_its_end(bench, org, job)
    found = org.rows("SELECT Name FROM Account ORDER BY Name")
    assert [row["Name"] for row in found] == NAMES
    assert column(bench.folder / "results/succeeded.csv", "Name") == NAMES
    assert column(bench.folder / "out/list.csv", "Name") == NAMES
    assert not list((bench.state / "runs").rglob("staging"))
    return code


@OVER_BULK
def test_a_full_disk_is_told_and_the_run_resumed(bench, org, api):
    assert survives(bench, org, api, 130_000) == 1


@pytest.mark.slow
@pytest.mark.parametrize("api", ["rest", "bulk"])
@pytest.mark.parametrize("size_bytes", [int(1_000 * 1.25**n) for n in range(34)])
def test_a_disk_that_is_full_at_any_size(bench, org, api, size_bytes):
    survives(bench, org, api, size_bytes)


@pytest.mark.parametrize("place", ["to", "results"])
def test_a_place_that_cannot_be_written_is_told_and_the_run_resumed(bench, org, place):
    """The rows are with the org by then: they are not sent again once the place is in order."""
    write_rows(bench)
    tasks = JOB.format(api="bulk")
    job = bench.job(tasks)
    in_the_way = bench.write("out" if place == "to" else "results", "a file, not a folder")
    ended = bench.run("run", job)
    assert ended.code == 1, ended.err
    assert f"{in_the_way}" in ended.out
    assert "`runner resume`" in ended.out
    in_the_way.unlink()
    brought_to_its_end(bench, org, job)
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": ROWS}]
    assert len(column(bench.folder / "results/succeeded.csv", "Name")) == ROWS


def test_a_database_file_that_cannot_grow_has_the_old_rows_or_all_new_ones(bench, org):
    fill(org, 3_000)
    pad = [(secrets.token_hex(500),) for _ in range(3_000)]
    with closing(sqlite3.connect(bench.folder / "a.sqlite")) as link, link:
        link.execute("CREATE TABLE old (pad TEXT)")
        link.executemany("INSERT INTO old VALUES (?)", pad)
        link.execute("CREATE TABLE t AS SELECT 'old' AS Id")
    with duckdb.connect(bench.folder / "a.duckdb") as link:
        link.execute("CREATE TABLE old AS SELECT unnest(?) AS pad", [[each[0] for each in pad]])
        link.execute("CREATE TABLE t AS SELECT 'old' AS Id")
    for kind in ("sqlite", "duckdb"):
        file = bench.folder / f"a.{kind}"
        bench.env[kind.upper()] = f"{kind}:///{file}"
        job = bench.job(TO_DATABASE.format(env=kind.upper()), name=f"{kind}.yaml")
        code, out, err = run_with_room_for(bench, job, file.stat().st_size + 8_192)
        if kind == "sqlite":
            assert code == 1, err
            assert "cannot write to its disk" in out + err
            with closing(sqlite3.connect(file)) as link:
                assert link.execute("SELECT * FROM t").fetchall() == [("old",)]
        else:  # its log beside the file has room
            assert code == 0, out + err
            with duckdb.connect(file) as link:
                assert link.execute("SELECT count(*) FROM t").fetchall() == [(3_000,)]


def test_a_full_standard_output_is_told(bench, org):
    org.create("Account", Name="x" * 200)
    job = bench.job("- {name: list, query: SELECT Name FROM Account, to: '-'}")
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        process = bench.start("run", job, stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "No space left on device" in err
    assert "defect" not in err
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = bench.start("show", "-o", "json", stdout=full)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, json.loads(err)["exit_code"]) == (1, 1)
    with open("/dev/full", "w") as full:  # noqa: PTH123
        process = bench.start("--version", stdout=full)
        _, err = process.communicate(timeout=60)
    said = "error: Standard output cannot be written: No space left on device.\n"
    assert (process.returncode, err) == (1, said)

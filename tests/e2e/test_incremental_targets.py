"""Where the watermark of a target is, and what a target that is another or older gets."""

import sqlite3
from contextlib import closing

import duckdb
import pytest

from tests.e2e.extracts import APPEND, Table, Time, notes, ran, task
from tests.short_form import slow


@pytest.fixture
def table(bench):
    return Table(bench)


@pytest.fixture
def time(org):
    return Time(org)


@pytest.mark.parametrize("mode", ["append", *slow("merge, key: Id")])
def test_another_machine_goes_on_where_the_database_says(bench, org, time, table, mode):
    job = bench.job(task().replace("mode: append", f"mode: {mode}"))
    first = org.create("Account", Name="A")
    time.passes()
    ran(bench, job)
    (bench.state / "ledger.sqlite").unlink()
    org.create("Account", Name="B")
    org.request("PATCH", f"/services/data/v62.0/sobjects/Account/{first}", json={"Name": "A2"})
    time.passes()
    assert "changes from" in notes(ran(bench, job))
    assert sorted(table()) == (["A", "A2", "B"] if mode == "append" else ["A2", "B"])
    (bench.state / "ledger.sqlite").unlink()
    time.passes()
    ran(bench, job)
    assert sorted(table()) == (["A", "A2", "B"] if mode == "append" else ["A2", "B"])
    with closing(sqlite3.connect(bench.folder / "t.db")) as link, link:
        rows = link.execute("SELECT job, task, target, field FROM _sfrunner_state").fetchall()
    assert rows == [("test", "changes", "a", "SystemModstamp")]


def test_a_database_that_is_restored_gets_what_it_lacks(bench, org, time, table):
    job = bench.job(task())
    org.create("Account", Name="A")
    time.passes()
    ran(bench, job)
    backup = (bench.folder / "t.db").read_bytes()
    org.create("Account", Name="B")
    time.passes(3_600)
    ran(bench, job)
    time.passes(3_600)
    ran(bench, job)
    (bench.folder / "t.db").write_bytes(backup)
    ran(bench, job)
    assert table() == ["A", "B"]


def test_a_duckdb_file_is_merged_with_from_the_ledgers_watermark(bench, org, time):
    file = bench.folder / "t.duckdb"
    bench.env["DB"] = f"duckdb:///{file}"
    job = bench.job(task().replace("mode: append", "mode: merge, key: Id"))
    org.create("Account", Name="A")
    time.passes()
    ran(bench, job)
    org.create("Account", Name="B")
    time.passes()
    assert "changes from" in notes(ran(bench, job))
    with duckdb.connect(file, read_only=True) as link:
        assert link.execute("SELECT Name FROM a ORDER BY Name").fetchall() == [("A",), ("B",)]


@pytest.mark.parametrize("kind", ["file", *slow("table")])
def test_a_target_with_the_rows_of_another_org_is_refused(bench, org, time, table, kind):
    target = "{file: a.csv, mode: merge, key: Id}"
    declared = task() if kind == "table" else task().replace(APPEND, target)
    job = bench.job(declared)
    org.create("Account", Name="A")
    time.passes()
    ran(bench, job)
    other = "00D000000000009EAA"
    files = {"watermarks": bench.state / "ledger.sqlite"}
    if kind == "table":
        files["_sfrunner_state"] = bench.folder / "t.db"
    for name, file in files.items():
        with closing(sqlite3.connect(file)) as link, link:
            link.execute(f"UPDATE {name} SET org_id = '{other}'")
    held = bench.folder / ("a.csv" if kind == "file" else "t.db")
    before = held.read_bytes()
    ended = bench.run("run", job)
    assert ended.code == 2
    assert "error[org/other-org]: the target has the rows of another org: it was filled from " in (
        ended.out
    )
    assert f"{other} until" in ended.out
    assert "job.yaml:5:" in ended.out
    assert "--task changes --full`" in ended.out
    assert held.read_bytes() == before
    assert "requested by --full" in notes(ran(bench, job, "--full"))
    assert "changes from" in notes(ran(bench, job))
    for name, file in files.items():
        with closing(sqlite3.connect(file)) as link, link:
            assert link.execute(f"SELECT count(*) FROM {name}").fetchone() == (1,)


def test_a_target_of_another_org_that_is_gone_is_no_obstacle(bench, org, time):
    job = bench.job(task().replace(APPEND, "{file: a.csv, mode: append}"))
    org.create("Account", Name="A")
    time.passes()
    ran(bench, job)
    with closing(sqlite3.connect(bench.state / "ledger.sqlite")) as link, link:
        link.execute("UPDATE watermarks SET org_id = '00D000000000009EAA'")
    (bench.folder / "a.csv").unlink()
    assert "no earlier extract from this org" in notes(ran(bench, job))

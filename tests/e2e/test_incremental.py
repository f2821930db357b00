"""Queries with `since`: each run extracts what has changed since the one before."""

import sqlite3
from contextlib import closing
from pathlib import Path

import deltalake
import duckdb
import pytest

from tests.e2e.apis import OVER_BULK
from tests.e2e.extracts import SELECT, Table, Time, notes, ran, task
from tests.short_form import slow

APIS = pytest.mark.parametrize("api", ["rest", "bulk"])


@pytest.fixture
def table(bench):
    return Table(bench)


@pytest.fixture
def time(org):
    return Time(org)


@OVER_BULK
def test_each_run_brings_what_has_changed_since_and_nothing_twice(bench, org, table, time, api):
    job = bench.job(task(more=f"api: {api}, "))
    first = org.create("Account", Name="A")
    time.passes()
    assert "full extract until" in notes(ran(bench, job))
    ended = ran(bench, job)
    assert (table(), ended.task("changes")["counts"]["written"]) == (["A"], 0)
    assert "1 row of the overlap already delivered" in notes(ended)
    org.create("Account", Name='B, "quoted"\nand long')
    org.request("PATCH", f"/services/data/v62.0/sobjects/Account/{first}", json={"Name": "A2"})
    time.passes()
    ran(bench, job)
    assert table() == ["A", 'B, "quoted"\nand long', "A2"] or table()[1:] == [
        "A2",
        'B, "quoted"\nand long',
    ]
    time.passes(3_600)
    assert ran(bench, job).task("changes")["counts"]["written"] == 0


@pytest.mark.parametrize("name", ["a.csv", *slow("a.jsonl", "a.parquet")])
def test_changes_are_merged_into_files(bench, org, time, name):
    merged = f"{{file: {name}, mode: merge, key: Id}}"
    job = bench.job(
        f"- {{name: changes, query: {SELECT!r}, since: SystemModstamp, lag: 0s, refresh: 1h, "
        f"to: {merged}}}\n- {{name: read, query: SELECT Id FROM Account, to: ids.csv}}"
    )
    first = org.create("Account", Name="A")
    org.create("Account", Name="B")
    time.passes()
    ran(bench, job)
    org.create("Account", Name="C")
    org.request("PATCH", f"/services/data/v62.0/sobjects/Account/{first}", json={"Name": "A2"})
    time.passes()
    ran(bench, job)
    time.passes(3_600)
    assert "`refresh` is due" in notes(ran(bench, job))
    with duckdb.connect() as reader:
        found = reader.execute(f"SELECT Name FROM '{bench.folder / name}'").fetchall()
    assert [row[0] for row in found] == ["A2", "B", "C"]


def test_a_delta_table_tells_how_far_it_is_and_a_restore_takes_that_back(bench, org, time):
    job = bench.job(
        f"- {{name: changes, query: {SELECT!r}, since: SystemModstamp, lag: 0s, overlap: 0s, "
        "to: {folder: lake/a, format: delta, mode: merge, key: Id}}"
    )
    record = org.create("Account", Name="A")
    time.passes()
    ran(bench, job)
    org.request("PATCH", f"/services/data/v62.0/sobjects/Account/{record}", json={"Name": "A2"})
    time.passes()
    assert "0 new, 1 updated" in notes(ran(bench, job))
    table = deltalake.DeltaTable(str(bench.folder / "lake/a"))
    assert names_in(table) == ["A2"]
    table.restore(0)
    assert "0 new, 1 updated" in notes(ran(bench, job))
    table.update_incremental()
    assert names_in(table) == ["A2"]


def names_in(table):
    found = deltalake.QueryBuilder().register("t", table).execute('SELECT "Name" FROM t')
    return found.read_all().column("Name").to_pylist()


def test_what_changes_within_the_lag_comes_with_the_next_run(bench, org, table, time):
    job = bench.job(task(lag="5m"))
    org.create("Account", Name="A")
    time.passes(299)
    assert ran(bench, job).task("changes")["counts"]["written"] == 0
    time.passes(2)
    ran(bench, job)
    assert table() == ["A"]


def test_the_bounds_follow_the_clock_of_the_org(bench, org, table, time):
    time.passes(-86_400)
    org.create("Account", Name="yesterday, says the org")
    time.passes(1)
    job = bench.job(task())
    ran(bench, job)
    org.create("Account", Name="later")
    time.passes(2)
    ran(bench, job)
    assert table() == ["yesterday, says the org", "later"]


def test_a_run_that_fails_does_not_move_the_watermark(bench, org, table, time):
    org.create("Account", Name="A")
    time.passes()
    job = bench.job(task())
    bench.env["DB"] = "sqlite:////nowhere/t.db"
    assert bench.run("run", job).code == 1
    assert "No watermarks yet." in bench.run("history", "--watermarks").out
    bench.env["DB"] = f"sqlite:///{bench.folder / 't.db'}"
    ran(bench, job)
    assert table() == ["A"]
    found = bench.run("history", "--watermarks", "-o", "json").document["watermarks"]
    assert [(each["job"], each["task"], each["field"]) for each in found] == [
        ("test", "changes", "SystemModstamp")
    ]
    assert "SystemModstamp until 20" in bench.run("history", "--watermarks").out


@pytest.mark.parametrize(
    "changed",
    [
        {"query": "SELECT Id, Name, Phone, SystemModstamp FROM Account"},
        {"table": "b"},
        *slow({"query": f"{SELECT} WHERE Name LIKE 'A%'"}),
    ],
)
def test_another_query_or_target_starts_with_a_full_extract(bench, org, table, time, changed):
    org.create("Account", Name="A")
    time.passes()
    ran(bench, bench.job(task()))
    if "Phone" in changed.get("query", ""):
        with closing(sqlite3.connect(bench.folder / "t.db")) as link, link:
            link.execute("ALTER TABLE a ADD COLUMN Phone TEXT")
    ended = ran(bench, bench.job(task(**changed)))
    assert "full extract until" in notes(ended)
    assert ("its target changed since" in notes(ended)) is ("table" not in changed)
    assert "A" in table(changed.get("table", "a"))
    assert ended.task("changes")["counts"]["written"] == 1


def test_a_target_that_is_gone_gets_everything_again(bench, org, table, time):
    org.create("Account", Name="A")
    time.passes()
    append = "{database: {env: DB}, table: a, mode: append}"
    job = bench.job(task().replace(append, "{file: a.csv, mode: append}"))
    ran(bench, job)
    lines = (bench.folder / "a.csv").read_text(encoding="utf-8")
    for lose in (Path.unlink, lambda file: file.write_bytes(b"")):
        lose(bench.folder / "a.csv")
        assert "the target of the last extract is gone or empty" in notes(ran(bench, job))
        assert (bench.folder / "a.csv").read_text(encoding="utf-8") == lines
    job = bench.job(task())
    ran(bench, job)
    for lose in ("DROP TABLE a", "DELETE FROM a"):
        with closing(sqlite3.connect(bench.folder / "t.db")) as link, link:
            link.execute(lose)
        assert "the target of the last extract is gone or empty" in notes(ran(bench, job))
        assert table() == ["A"]


def test_full_and_since_read_again(bench, org, table, time):
    org.create("Account", Name="A")
    now = time.passes(86_400)
    org.create("Account", Name="B")
    time.passes()
    job = bench.job(task())
    ran(bench, job)
    assert "requested by --full" in notes(ran(bench, job, "--full"))
    assert table() == ["A", "B", "A", "B"]
    ran(bench, job, "--since", now[:10])
    assert table() == ["A", "B", "A", "B", "B"]
    time.passes(7_200)
    later = time.passes(0)
    time.passes(60)
    assert "is left out" in notes(ran(bench, job, "--since", later))
    late = bench.run("run", job, "--since", "2999-01-01")
    assert (late.code, "is not before" in late.err + late.out) == (2, True)
    for words, said in (
        (("--since", "x"), "--since x is not a date or a time"),
        (("--since", "2026-01-01", "--full"), "contradict each other"),
    ):
        ended = bench.run("run", job, *words)
        assert (ended.code, said in ended.err) == (2, True), ended.err


def test_full_without_an_incremental_query_is_refused(bench, org):
    job = bench.job("- {name: q, query: SELECT Id FROM Account, to: a.csv}")
    ended = bench.run("run", job, "--full")
    assert ended.code == 2
    assert "--full is for incremental queries" in ended.err


def test_a_plan_knows_the_watermark_and_leaves_it(bench, org, table, time):
    org.create("Account", Name="A")
    time.passes()
    job = bench.job(task())
    ran(bench, job)
    org.create("Account", Name="B")
    time.passes(3_600)
    before = bench.run("history", "--watermarks").out
    planned = bench.run("plan", job, "-o", "json")
    assert planned.code == 0, planned.err
    [found] = planned.document["tasks"]
    assert any("changes from" in each for each in found["notes"]), found
    assert bench.run("history", "--watermarks").out == before
    ran(bench, job)
    assert table() == ["A", "B"]


def test_a_field_that_is_no_moment_is_refused_with_its_position(bench, org):
    bench.env["DB"] = f"sqlite:///{bench.folder / 't.db'}"
    job = bench.job(task("SELECT Id, Name FROM Account", since="Name"))
    for verb in ("check", "run"):
        ended = bench.run(verb, job)
        assert ended.code == 2
        assert "org/since-field" in ended.err + ended.out
        assert "`Name` is of type string" in ended.err + ended.out
        assert "job.yaml:5:" in ended.err + ended.out


def test_columns_that_change_without_the_stamp_are_named(bench, org, table, time):
    org.create("Account", Name="A")
    time.passes()
    query = "SELECT Id, Name, Owner.Name, SystemModstamp FROM Account"
    ended = bench.run("run", bench.job(task(query)))
    assert ended.code == 0
    assert "Owner.Name does not move SystemModstamp" in ended.err
    assert "`refresh: weekly` brings it" in ended.err


DELETED = "SELECT Id, Name, IsDeleted, SystemModstamp FROM Account"


@pytest.mark.parametrize(
    ("deletes", "hard"),
    [("remove", True), ("flag", False), *slow(("remove", False), ("flag", True))],
)
def test_deletions_reach_the_target_even_after_the_recycle_bin(bench, org, time, hard, deletes):
    target = f"{{file: a.csv, mode: merge, key: Id, deletes: {deletes}}}"
    job = bench.job(
        f"- {{name: changes, query: {DELETED!r}, since: SystemModstamp, lag: 0s, deleted: true, "
        f"to: {target}}}"
    )
    gone, stays = (org.create("Account", Name=name) for name in ("Gone", "Stays"))
    time.passes()
    ran(bench, job)
    delete(bench, org, gone, hard=hard)
    time.passes()
    for _ in range(2):  # the second one brings it no more
        ran(bench, job)
        lines = (bench.folder / "a.csv").read_text(encoding="utf-8").splitlines()[1:]
        told = sorted(line.replace('"', "").split(",")[:3] for line in lines)
        left = [[gone, "Gone", "true"]] if deletes == "flag" else []
        assert told == sorted([*left, [stays, "Stays", "false"]])
        time.passes()


def delete(bench, org, record, *, hard):
    if not hard:
        path = f"/services/data/v62.0/sobjects/Account/{record}"
        assert org.request("DELETE", path).status_code == 204
        return
    bench.write("gone.csv", f"Id\n{record}\n")
    job = bench.job("- {name: hard, delete: Account, from: gone.csv, hard: true}", name="hard.yaml")
    assert bench.run("run", job).code == 0


def test_deletions_that_the_org_no_longer_lists_are_an_error_that_names_full(
    bench, org, table, time
):
    job = bench.job(task(DELETED, "deleted: true, "))
    org.create("Account", Name="A")
    time.passes()
    ran(bench, job)
    time.passes(40 * 86_400)
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 2
    told = ended.task("changes")
    assert "no longer lists what was deleted" in told["message"]
    assert "--full" in told["hint"]
    ran(bench, job, "--full")
    ran(bench, job)

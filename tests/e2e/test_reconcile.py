"""Targets of incremental queries are compared with the org, and repaired."""

import csv
import json

import deltalake
import duckdb
import pytest
import sqlalchemy

from tests.e2e.apis import OVER_REST
from tests.short_form import short_form

SELECT = "SELECT Id, Name, SystemModstamp FROM Account"
DELETED = "SELECT Id, Name, IsDeleted, SystemModstamp FROM Account"
MERGED = "mode: merge, key: Id"
TARGETS = {
    "a.csv": f"file: a.csv, {MERGED}",
    "a.jsonl": f"file: a.jsonl, {MERGED}",
    "a.parquet": f"file: a.parquet, {MERGED}",
    "folder": f"folder: a, format: parquet, partition_by: [Phone], {MERGED}",
    "delta": f"folder: d, format: delta, {MERGED}",
    "sqlite": f"database: {{env: DB}}, table: a, {MERGED}",
    "postgresql": f"database: {{env: DB}}, table: a, {MERGED}",
    "duckdb": f"database: {{env: DB}}, table: a, {MERGED}",
}
GHOST = "001000000000GhostA"
LONG_AGO = "2020-01-01T00:00:00.000Z"


@pytest.fixture
def passes(org):
    """Lets the org's clock go on."""
    ahead = 0

    def go_on(seconds=3_600):
        nonlocal ahead
        ahead += seconds
        assert org.request("POST", "/__org/clock", json={"ahead": ahead}).status_code == 200

    return go_on


def task(target="a.csv", query=SELECT, more="reconcile: true, "):
    return (
        f"- {{name: changes, query: {query!r}, since: SystemModstamp, lag: 0s, {more}"
        f"to: {{{TARGETS.get(target, target)}}}}}"
    )


def ran(bench, job, *words):
    ended = bench.run("run", job, *words, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    return ended.task("changes")


def differing(told):
    counts = told["counts"]
    return [counts[each] for each in ("missing", "surplus", "outdated")]


def damaged(bench, kind, lost, old):
    """Remove one row from a target, make another one old, and add one."""
    folder = bench.folder
    if kind == "a.jsonl":
        file = folder / kind
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            row["SystemModstamp"] = LONG_AGO if row["Id"] == old else row["SystemModstamp"]
        rows = [row for row in rows if row["Id"] != lost] + [{**rows[0], "Id": GHOST}]
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        return
    steps = [
        f"DELETE FROM a WHERE \"Id\" = '{lost}'",
        f"UPDATE a SET \"SystemModstamp\" = '{LONG_AGO}' WHERE \"Id\" = '{old}'",
        f"INSERT INTO a (\"Id\", \"Name\") VALUES ('{GHOST}', 'ghost')",
    ]
    if kind == "delta":
        table = deltalake.DeltaTable(folder / "d")
        table.delete(f"Id = '{lost}'")
        table.update({"SystemModstamp": f"TIMESTAMP '{LONG_AGO}'"}, predicate=f"Id = '{old}'")
        ghost = duckdb.sql(
            f"SELECT '{GHOST}' AS Id, 'ghost' AS Name, {LONG_AGO!r}::TIMESTAMPTZ AS SystemModstamp"
        )
        deltalake.write_deltalake(table, ghost, mode="append")
        return
    if kind in {"sqlite", "postgresql"}:
        engine = sqlalchemy.create_engine(bench.env["DB"], poolclass=sqlalchemy.pool.NullPool)
        with engine.begin() as link:
            for each in steps:
                link.exec_driver_sql(each)
        return
    where = folder / "t.duckdb" if kind == "duckdb" else ":memory:"
    with duckdb.connect(where) as link:
        places = {
            "a.csv": f"read_csv('{folder}/a.csv', all_varchar = true)",
            "folder": f"read_parquet('{folder}/a/**/*.parquet', hive_partitioning = true)",
            "a.parquet": f"'{folder}/a.parquet'",
        }
        if kind in places:
            link.execute(f"CREATE TABLE a AS FROM {places[kind]}")
        for each in steps:
            link.execute(each)
        options = {"folder": "(FORMAT parquet, PARTITION_BY (Phone), OVERWRITE)"}
        if kind in places:
            out = folder / ("a" if kind == "folder" else kind)
            link.execute(f"COPY a TO '{out}' {options.get(kind, '')}")


def rows_of(bench, kind):
    cells = 'SELECT "Id", "Name" FROM'
    if kind in {"sqlite", "postgresql"}:
        engine = sqlalchemy.create_engine(bench.env["DB"], poolclass=sqlalchemy.pool.NullPool)
        with engine.begin() as link:
            return sorted(tuple(row) for row in link.exec_driver_sql(f"{cells} a"))
    if kind == "duckdb":
        with duckdb.connect(bench.folder / "t.duckdb", read_only=True) as link:
            return sorted(link.execute(f"{cells} a").fetchall())
    if kind == "delta":
        files = deltalake.DeltaTable(bench.folder / "d").file_uris()
        return sorted(duckdb.sql(f"{cells} read_parquet({files!r})").fetchall())
    place = f"{bench.folder}/a/**/*.parquet" if kind == "folder" else bench.folder / kind
    with duckdb.connect() as link:
        return sorted(link.execute(f"{cells} '{place}'").fetchall())


def in_org(org):
    return sorted((row["Id"], row["Name"]) for row in org.rows("SELECT Id, Name FROM Account"))


@pytest.mark.parametrize("kind", short_form(TARGETS, ["a.csv", "folder", "sqlite", "postgresql"]))
def test_what_differs_is_repaired(bench, org, passes, request, kind):
    urls = {
        "sqlite": f"sqlite:///{bench.folder / 't.db'}",
        "duckdb": f"duckdb:///{bench.folder / 't.duckdb'}",
    }
    if kind == "postgresql":
        urls[kind] = request.getfixturevalue("empty_postgres")
    bench.env["DB"] = urls.get(kind, "")
    query = SELECT.replace("Name,", "Name, Phone,") if kind == "folder" else SELECT
    job = bench.job(task(kind, query))
    lost, old, kept = (
        org.create("Account", Name=name, Phone="1") for name in ("Lost", "Old", 'Kept, "long"')
    )
    passes()
    assert differing(ran(bench, job)) == [0, 0, 0]
    passes()
    damaged(bench, kind, lost, old)
    new = org.create("Account", Name="New", Phone="2")
    passes(10)
    told = ran(bench, job)
    assert differing(told) == [1, 1, 1], told
    assert rows_of(bench, kind) == in_org(org)
    assert {lost, old, kept, new} == {row[0] for row in in_org(org)}


def listed(bench, run_id):
    file = bench.state / "runs" / run_id / "changes" / "differences.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        return {row["Id"]: row["Difference"] for row in csv.DictReader(lines)}


def test_an_option_reconciles_once_and_says_what_differed(bench, org, passes):
    job = bench.job(task(more=""))
    lost, old = (org.create("Account", Name=name) for name in ("Lost", "Old"))
    passes()
    ran(bench, job)
    damaged(bench, "a.csv", lost, old)
    assert differing(ran(bench, job)) == [0, 0, 0]
    ended = bench.run("run", job, "--reconcile")
    assert ended.code == 0, ended.err
    said = "the target had 1 missing, 1 too many, 1 with another stamp; repaired, and listed in"
    assert said in " ".join(ended.err.split())
    assert "2020-01-01: 0 in the org, 1 in the target" in " ".join(ended.err.split())
    assert "missing 1  surplus 1  outdated 1" in ended.out
    assert rows_of(bench, "a.csv") == in_org(org)
    shown = bench.run("show", "last", "-o", "json").document
    assert listed(bench, shown["run_id"]) == {lost: "missing", GHOST: "surplus", old: "outdated"}
    assert differing(shown["tasks"][0]["outcome"]) == [1, 1, 1]
    assert "missing 1  surplus 1  outdated 1" in bench.run("show", "last").out


@OVER_REST
def test_a_record_that_leaves_the_condition_leaves_the_target(bench, org, passes, api):
    query = f"{SELECT} a WHERE a.Name LIKE 'A%' ORDER BY Name"
    job = bench.job(task(query=query, more=f"reconcile: true, api: {api}, "))
    stays, goes = (org.create("Account", Name=name) for name in ("A1", "A2"))
    passes()
    ran(bench, job)
    path = f"/services/data/v62.0/sobjects/Account/{goes}"
    org.request("PATCH", path, json={"Name": "B"})
    passes()
    assert differing(ran(bench, job)) == [0, 1, 0]
    assert rows_of(bench, "a.csv") == [(stays, "A1")]


def test_what_changes_after_the_end_of_the_extract_is_no_difference(bench, org, passes):
    job = bench.job(task().replace("lag: 0s", "lag: 1h"))
    first, second = (org.create("Account", Name=name) for name in ("A", "B"))
    passes(2 * 3_600)
    ran(bench, job)
    org.request("PATCH", f"/services/data/v62.0/sobjects/Account/{first}", json={"Name": "A2"})
    org.create("Account", Name="C")
    passes(60)
    assert differing(ran(bench, job)) == [0, 0, 0]
    assert rows_of(bench, "a.csv") == sorted([(first, "A"), (second, "B")])
    passes(2 * 3_600)
    assert differing(ran(bench, job)) == [0, 0, 0]
    assert rows_of(bench, "a.csv") == in_org(org)


def test_rows_stay_with_a_flag_where_the_job_keeps_deleted_records(bench, org, passes):
    flag = f"file: a.csv, {MERGED}, deletes: flag"
    job = bench.job(task(flag, DELETED, "reconcile: true, deleted: true, "))
    stays, gone, lost, back = (org.create("Account", Name=name) for name in "ABCD")
    passes()
    ran(bench, job)
    file = bench.folder / "a.csv"
    rows = [line for line in file.read_text(encoding="utf-8").splitlines() if lost not in line]
    rows = [line.replace("false", "true") if back in line else line for line in rows]
    ghost = f'"{GHOST}","Ghost","false","{LONG_AGO}"'
    file.write_text("\n".join([*rows, ghost, ""]), encoding="utf-8")
    org.request("DELETE", f"/services/data/v62.0/sobjects/Account/{gone}")
    passes()
    assert differing(ran(bench, job)) == [1, 1, 1]
    for _ in range(2):
        with file.open(encoding="utf-8", newline="") as lines:
            found = {row["Id"]: (row["Name"], row["IsDeleted"]) for row in csv.DictReader(lines)}
        assert found == {
            stays: ("A", "false"),
            gone: ("B", "true"),
            lost: ("C", "false"),
            back: ("D", "false"),
            GHOST: ("Ghost", "true"),
        }
        passes()
        assert differing(ran(bench, job)) == [0, 0, 0]


def test_a_target_is_not_emptied_because_the_org_shows_nothing(bench, org, passes):
    job = bench.job(task())
    made = org.create("Account", Name="A")
    passes()
    ran(bench, job)
    before = (bench.folder / "a.csv").read_bytes()
    org.request("DELETE", f"/services/data/v62.0/sobjects/Account/{made}")
    passes()
    ended = bench.run("run", job)
    assert ended.code == 1
    assert "every row of the target would be removed: 1." in ended.out
    assert (bench.folder / "a.csv").read_bytes() == before


def test_a_target_that_is_not_there_yet_has_nothing_to_compare(bench, org, passes):
    org.create("Account", Name="A")
    passes()
    assert differing(ran(bench, bench.job(task()))) == [0, 0, 0]


def test_a_target_without_ids_or_stamps_is_named(bench, org, passes):
    org.create("Account", Name="A")
    passes()
    job = bench.job(task())
    (bench.folder / "a.csv").write_text("Id,Name\n001,A\n", encoding="utf-8")
    ended = bench.run("run", job)
    assert ended.code == 1
    assert "a.csv has no column SystemModstamp, so it cannot be compared" in ended.out


def test_what_cannot_be_reconciled_is_refused_before_the_run(bench, org):
    history = bench.job(task("file: a.csv, mode: append", more=""))
    ended = bench.run("run", history, "--reconcile")
    assert (ended.code, "it has every version of a record" in ended.err) == (2, True), ended.err
    other = bench.job(
        task("file: a.csv, mode: merge, key: Name", more="reconcile: true, "), name="other.yaml"
    )
    ended = bench.run("validate", other)
    assert ended.code == 2
    assert "its `key` is Name, not Id" in ended.out
    plain = bench.job("- {name: q, query: SELECT Id FROM Account, to: a.csv}", name="plain.yaml")
    ended = bench.run("run", plain, "--reconcile")
    assert (ended.code, "--reconcile is for incremental queries" in ended.err) == (2, True)


def test_many_differences_are_read_with_all_records(bench, org, passes):
    body = [{"attributes": {"type": "Account"}, "Name": f"n {n}"} for n in range(200)]
    for _ in range(28):
        path = "/services/data/v62.0/composite/sobjects"
        assert org.request("POST", path, json={"records": body}).status_code == 200
    passes()
    job = bench.job(task(more="reconcile: true, api: bulk, "))
    ran(bench, job)
    file = bench.folder / "a.csv"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:101]), encoding="utf-8")
    passes()
    told = ran(bench, job)
    assert differing(told) == [5_500, 0, 0]
    assert len(told["bulk_job_ids"]) == 3  # the extract, Ids and stamps, all records
    assert sorted(file.read_text(encoding="utf-8").splitlines(keepends=True)) == sorted(lines)


def test_deletions_that_the_org_no_longer_lists_are_found_by_comparing(bench, org, passes):
    job = bench.job(task("a.csv", DELETED, "deleted: true, "))
    gone, stays = (org.create("Account", Name=name) for name in "AB")
    passes()
    ran(bench, job)
    org.request("DELETE", f"/services/data/v62.0/sobjects/Account/{gone}")
    passes(60 * 86_400)
    ended = bench.run("run", job)
    assert ended.code == 2
    assert "--full`" in ended.out
    assert "`--reconcile` removes it" in " ".join(ended.out.split())
    told = ran(bench, job, "--reconcile")
    assert rows_of(bench, "a.csv") == [(stays, "B")]
    assert told["counts"]["surplus"] + told["counts"]["read"] == 1

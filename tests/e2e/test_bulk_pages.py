"""Pages of a Bulk query on their way into a target: PostgreSQL gets them as they arrive."""

import csv
import json
import sqlite3
from contextlib import closing

import duckdb
import psycopg
import pytest

from tests.short_form import slow

FIRST = 50_000
QUERY = """
- name: read
  query: SELECT Id, Name FROM Account
  to: {database: {env: DB}, table: accounts}
  api: bulk
  retry: {attempts: 3, longest_wait: 1s}
"""
COPIED = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%sfrunner_new%'"


class Pages:
    """Answers of a job that has two pages; the second comes once the first is being copied."""

    def __init__(self, ask):
        self.ask = ask
        self.cut_first = 0
        self.cut_second = 0
        self.has_waited = False

    def change(self, passing):
        path = passing.path
        if path.endswith("/resultPages"):
            base = path.removesuffix("/resultPages")
            pages = [{"resultUrl": f"{base}/results{more}"} for more in ("", "?locator=b")]
            passing.body = json.dumps({"resultPages": pages, "done": True}).encode()
        elif path.endswith("/results?locator=b"):
            if not self.cut_first:
                self.has_waited |= any(self.ask(COPIED) for _ in range(20_000))
            self._page(passing, b'"last","n"', 1, self.cut_second)
        elif path.endswith("/results"):
            rows = b"".join(b'"%015d","a\nb"\n' % number for number in range(FIRST))
            self._page(passing, rows, FIRST, self.cut_first)
            self.cut_first = 0
        elif "/jobs/query/" in path:
            job = json.loads(passing.body)
            passing.body = json.dumps({**job, "numberRecordsProcessed": FIRST + 1}).encode()

    def _page(self, passing, rows, count, cut):
        passing.status = 200
        passing.headers = {"content-type": "text/csv", "Sforce-NumberOfRecords": str(count)}
        content = b'"Id","Name"\n' + rows
        passing.body = content[: len(content) - cut]


@pytest.fixture
def pages(bench, proxy, empty_postgres):
    with psycopg.connect(empty_postgres.replace("+psycopg", ""), autocommit=True) as link:
        link.execute("CREATE TABLE accounts AS SELECT 'old' AS \"Id\"")
        found = Pages(lambda sql: link.execute(sql).fetchall())
        proxy.change = found.change
        bench.env["DB"] = empty_postgres
        found.job = bench.job(QUERY, connection=proxy.connection)
        yield found


def test_the_table_is_replaced_by_all_rows_or_stays_as_it_was(bench, pages):
    pages.cut_second = 4
    ended = bench.run("run", pages.job)
    assert ended.code == 1, ended.err
    assert "arrived damaged" in ended.err + ended.out
    assert pages.has_waited
    assert pages.ask("SELECT * FROM accounts") == [("old",)]

    pages.cut_second, pages.cut_first = 0, 20  # which is asked for again
    ended = bench.run("run", pages.job)
    assert ended.code == 0, ended.err
    counted = 'SELECT count(*), count(DISTINCT "Id"), max("Id") FROM accounts'
    assert pages.ask(counted) == [(FIRST + 1, FIRST + 1, "last")]

    pages.has_waited = False
    ended = bench.run("run", pages.job)
    assert ended.code == 0, ended.err
    assert pages.has_waited
    assert pages.ask(counted) == [(FIRST + 1, FIRST + 1, "last")]
    assert pages.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [
        ("accounts",)
    ]


TO_ANY = """
- name: {name}
  query: SELECT Id, Name, Phone FROM Account
  to: {to}
  api: bulk
"""
LINES = {
    "/results": ('"1","a\r\nb","x"', '"2","c\nd",""'),
    "/results?locator=b": ('"3","e ""f""","y"', '"4","","z"'),
}
ROWS = [("1", "a\r\nb", "x"), ("2", "c\nd", None), ("3", 'e "f"', "y"), ("4", None, "z")]
TARGETS = {
    "csv": "a.csv",
    "parquet": "a.parquet",
    "jsonl": "a.jsonl",
    "sqlite": "{database: {env: SQLITE}, table: a}",
    "duckdb": "{database: {env: DUCKDB}, table: a}",
    "postgresql": "{database: {env: POSTGRESQL}, table: a}",
    "postgresql_appended": "{database: {env: POSTGRESQL}, table: b, mode: append}",
}


def rows_of(bench, kind):
    cells, folder = 'SELECT "Id", "Name", "Phone" FROM', bench.folder
    if kind == "csv":
        with (folder / "a.csv").open(encoding="utf-8", newline="") as file:
            return [tuple(cell or None for cell in row) for row in list(csv.reader(file))[1:]]
    if kind == "jsonl":
        lines = (folder / "a.jsonl").read_bytes().decode().split("\n")
        return [tuple(json.loads(line).values()) for line in lines if line]
    if kind == "parquet":
        return duckdb.sql(f"{cells} '{folder}/a.parquet'").fetchall()
    if kind == "duckdb":
        with duckdb.connect(folder / "a.duckdb", read_only=True) as link:
            return link.execute(f"{cells} a").fetchall()
    if kind == "sqlite":
        with closing(sqlite3.connect(folder / "a.sqlite")) as link:
            return link.execute(f"{cells} a").fetchall()
    with psycopg.connect(bench.env["POSTGRESQL"].replace("+psycopg", "")) as link:
        table = "b" if kind.endswith("appended") else "a"
        return link.execute(f'{cells} {table} ORDER BY "Id"').fetchall()


@pytest.mark.parametrize(
    "header", ['"Id","Name","Phone"', *slow('"ID","NAME","PHONE"', "id,name,phone")]
)
def test_lines_that_end_with_crlf_are_read_right(bench, proxy, empty_postgres, header):
    bench.env["POSTGRESQL"] = empty_postgres
    for kind in ("sqlite", "duckdb"):
        bench.env[kind.upper()] = f"{kind}:///{bench.folder}/a.{kind}"

    def change(passing):
        for path, rows in LINES.items():
            if passing.path.endswith(path):
                passing.status = 200
                last = "null" if "locator" in path else "b"
                counted = {"Sforce-NumberOfRecords": "2", "Sforce-Locator": last}
                passing.headers = {"content-type": "text/csv", **counted}
                passing.body = "\r\n".join([header, *rows]).encode()

    proxy.change = change
    tasks = "".join(TO_ANY.format(name=name, to=to) for name, to in TARGETS.items())
    ended = bench.run("run", bench.job(tasks, connection=proxy.connection))
    assert ended.code == 0, ended.err
    for kind in TARGETS:
        assert rows_of(bench, kind) == ROWS, kind

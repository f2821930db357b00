"""A Bulk query fills a new table of PostgreSQL while its pages are still being downloaded."""

import json

import psycopg
import pytest

from tests.e2e.proxy import Proxy

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
def pages(org, bench, empty_postgres):
    with psycopg.connect(empty_postgres.replace("+psycopg", ""), autocommit=True) as link:
        link.execute("CREATE TABLE accounts AS SELECT 'old' AS \"Id\"")
        found = Pages(lambda sql: link.execute(sql).fetchall())
        proxy = Proxy(org, found.change)
        bench.env |= {"T": org.token, "DB": empty_postgres}
        found.job = bench.job(QUERY, connection=proxy.connection)
        yield found
        proxy.close()


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

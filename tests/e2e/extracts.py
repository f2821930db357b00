"""Jobs that extract what has changed, the org's clock, and what arrives."""

import sqlite3
from contextlib import closing

SELECT = "SELECT Id, Name, SystemModstamp FROM Account"
APPEND = "{database: {env: DB}, table: a, mode: append}"


def task(query=SELECT, more="", *, table="a", lag="0s", since="SystemModstamp"):
    return (
        f"- {{name: changes, query: {query!r}, since: {since}, lag: {lag}, {more}"
        f"to: {{database: {{env: DB}}, table: {table}, mode: append}}}}"
    )


class Table:
    """A table in SQLite, whose URL is in DB; called, it gives the names in it."""

    def __init__(self, bench):
        self._file = bench.folder / "t.db"
        bench.env["DB"] = f"sqlite:///{self._file}"

    def __call__(self, table="a"):
        with closing(sqlite3.connect(self._file)) as link, link:
            return [row[0] for row in link.execute(f"SELECT Name FROM {table} ORDER BY rowid")]


def ran(bench, job, *words):
    ended = bench.run("run", job, *words, "-o", "json")
    assert ended.code == 0, ended.err + ended.out
    return ended


def notes(ended):
    return " | ".join(ended.task("changes")["notes"])


class Time:
    """The org's clock, which goes on when a test says so."""

    def __init__(self, org):
        self.org, self.ahead = org, 0

    def passes(self, seconds=60):
        self.ahead += seconds
        answer = self.org.request("POST", "/__org/clock", json={"ahead": self.ahead})
        assert answer.status_code == 200, answer.text
        return answer.json()["now"]

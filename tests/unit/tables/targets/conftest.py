"""A database of each kind, and what writes rows of a query into it."""

import sys

import duckdb
import pytest
import sqlalchemy

from runner.credentials import SecretReference
from runner.job.endpoints import DatabaseTarget, Keeping, TableMode
from runner.tables.targets.deliver import deliver
from tests.short_form import slow
from tests.unit.tables.targets.merged_tables import KINDS, URL


@pytest.fixture(params=["sqlite", *slow("sqlite by rows"), "postgresql", "duckdb"])
def database(request, tmp_path, monkeypatch):
    """Ask a database with no table `t`."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgres")
    elif request.param == "sqlite by rows":
        monkeypatch.setitem(sys.modules, "adbc_driver_sqlite", None)
    elif request.param == "duckdb":
        url = f"duckdb:///{tmp_path / 'a.duckdb'}"
    monkeypatch.setenv(URL, url)
    if request.param == "duckdb":
        yield _duckdb_file(tmp_path / "a.duckdb")
        return
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)

    def ask(sql):
        with engine.begin() as connection:
            found = connection.exec_driver_sql(sql, execution_options={"no_parameters": True})
            return [tuple(row) for row in found] if found.returns_rows else []

    for name in ("t", "t %s"):
        ask(f'DROP TABLE IF EXISTS "{name}"')
    ask.is_sqlite = engine.dialect.name == "sqlite"
    yield ask
    engine.dispose()


def _duckdb_file(file):
    def ask(sql):
        with duckdb.connect(file) as connection:
            return connection.execute(sql).fetchall()

    ask.is_sqlite = False
    return ask


@pytest.fixture
def put(tmp_path):
    """Write rows of a query, given as tuples below a header, to the table `t`."""

    def write(header, *rows, mode=TableMode.MERGE, kinds=(), **keeping):
        names = header.split(",")
        lines = [",".join('"' + each.replace('"', '""') + '"' for each in row) for row in rows]
        head = ",".join(f'"{each}"' for each in names)
        file = tmp_path / "records.csv"
        file.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
        key = keeping.pop("key", "Id") if mode is TableMode.MERGE else None
        known = {**KINDS, **dict(kinds)}
        target = DatabaseTarget(
            SecretReference(env=URL), write.table, mode, Keeping(key, **keeping)
        )
        return deliver(file, target, [known[each] for each in names], keep_rows=True)

    write.table = "t"
    return write

"""Queries of a PostgreSQL table that others stage in partitions, and those that are read whole."""

from contextlib import ExitStack

import pytest
import sqlalchemy

from runner.credentials import SecretReference
from runner.job.endpoints import DatabaseSource
from runner.tables.staging.rows import StagedRows
from tests.postgresql import url_of
from tests.unit.tables.staging.test_elsewhere import COLUMNS, Here, picture

ROWS = 600
MAKE = f"""
DROP TABLE IF EXISTS orders, customers;
CREATE TABLE orders AS
  SELECT CASE WHEN i % 97 = 0 THEN 'same' ELSE 'k' || i END AS key, 'name ' || i AS name,
    repeat('x', i % 40) AS note, CAST(i AS double precision) / 8 AS amount,
    CASE WHEN i = 50 THEN 'never' ELSE '2026-02-28' END AS day
  FROM generate_series(1, {ROWS}) AS t(i);
DELETE FROM orders WHERE amount = 5;
UPDATE orders SET name = '50%' WHERE amount = 6;
CREATE TABLE customers AS SELECT * FROM orders LIMIT 3;
CREATE VIEW seen AS SELECT * FROM orders;
ANALYZE;
"""


@pytest.fixture
def database(postgres, monkeypatch):
    url = url_of(postgres)
    monkeypatch.setenv("URL", url)
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT", no_parameters=True)
        run = connection.exec_driver_sql
        run(MAKE)
        yield run
        run("DROP TABLE orders, customers CASCADE")


def stage(stack, folder, sql, stager=None):
    staging = StagedRows(folder / ("elsewhere" if stager else "here"))
    stack.callback(staging.discard)
    source = DatabaseSource(SecretReference(env="URL"), sql, nulls=("name 7",))
    staging.load(source, stager)
    staging.map(COLUMNS, timezone="Europe/Berlin")
    return staging


@pytest.mark.parametrize(
    ("sql", "is_shared_out"),
    [
        ("SELECT * FROM orders", True),
        ("SELECT key, name, note, amount, day FROM Orders o WHERE name LIKE '%5%' -- all", True),
        ("SELECT * FROM public.orders", False),
        ("SELECT * FROM seen", False),
        ("SELECT * FROM orders ORDER BY amount", False),
        ("SELECT DISTINCT * FROM orders", False),
        ("SELECT * FROM orders LIMIT 500", False),
        ("SELECT * FROM orders WHERE key NOT IN (SELECT key FROM customers)", False),
        ("WITH o AS (SELECT * FROM orders) SELECT * FROM o", False),
        ("SELECT * FROM orders UNION ALL SELECT * FROM customers", False),
    ],
)
def test_rows_are_the_same_in_partitions_of_a_table(tmp_path, database, sql, is_shared_out):
    with ExitStack() as stack:
        stager = Here(tmp_path, least_rows=20)
        alone = stage(stack, tmp_path, sql)
        together = stage(stack, tmp_path, sql, stager)
        assert picture(together) == picture(alone)
        assert together.rows_total > 100
        assert (stager.staged > 2) == is_shared_out
        asked = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in %'"
        assert database(asked).scalar_one() == 0


def test_all_partitions_are_of_one_moment(tmp_path, database):
    class Changing(Here):
        def stage(self, orders, folder):
            for staged in super().stage(orders, folder):
                database("UPDATE orders SET name = 'later'")
                yield staged

    with ExitStack() as stack:
        alone = stage(stack, tmp_path, "SELECT * FROM orders")
        stager = Changing(tmp_path, least_rows=20)
        assert picture(stage(stack, tmp_path, "SELECT * FROM orders", stager)) == picture(alone)
        assert stager.staged > 2


def test_numbers_that_are_none_have_the_query_read_as_a_whole(tmp_path, database):
    database(f"UPDATE orders SET amount = 'NaN' WHERE amount = {ROWS / 8}")
    with ExitStack() as stack:
        alone = stage(stack, tmp_path, "SELECT * FROM orders")
        together = stage(stack, tmp_path, "SELECT * FROM orders", Here(tmp_path, least_rows=20))
        assert together.notes == (
            "one worker read and mapped all rows: the query has numbers such as NaN",
        )
        assert alone.written == together.written
        assert alone.source_sha256 == together.source_sha256

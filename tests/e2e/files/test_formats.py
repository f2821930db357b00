"""Formats, pipes and SQL through the command: from file to org and back to file."""

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import duckdb
import openpyxl
import pytest
import sqlalchemy

from tests.e2e.apis import BOTH, OVER_BULK

LOAD = """
- name: load
  create: Account
  from: {source}
"""


def test_rows_come_in_by_a_pipe(bench, org):
    ended = bench.run("run", bench.job(LOAD.format(source='"-"')), "-o", "json", given="Name\nÄ\n")
    assert ended.code == 0, ended.err
    assert org.rows("SELECT Name FROM Account") == [{"Name": "Ä"}]
    again = bench.run(
        "run", bench.job(LOAD.format(source="{file: '-', format: jsonl}")), given='{"Phone": 1}\n'
    )
    assert again.code == 1
    assert "REQUIRED_FIELD_MISSING" in again.out


def test_rows_go_out_by_a_pipe_and_nothing_else_does(bench, org):
    org.create("Account", Name="Ä", Phone="1")
    job = bench.job("""
- name: all
  query: SELECT Name, Phone FROM Account
  to: "-"
""")
    for options in ((), ("-o", "json")):
        ended = bench.run("run", job, *options)
        assert ended.code == 0, ended.err
        assert ended.out == '"Name","Phone"\n"Ä","1"\n'
        assert "all" in ended.err


def test_a_reader_that_leaves_early_fails_the_task_without_a_trace(bench, org):
    job = bench.job("""
- name: all
  query: SELECT Name FROM Account
  to: "-"
""")
    org.create("Account", Name="Ä")
    read, write = os.pipe()
    os.close(read)
    process = bench.start("run", job, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "closed it before the last row" in err
    assert "Traceback" not in err
    assert "Exception ignored" not in err


def test_sql_sees_its_tables_and_nothing_else(bench, org):
    org.create("Account", Name="Acme", ERP_Id__c="E1")
    org.create("Account", Name="Beta", ERP_Id__c="E2")
    bench.write("tiers.csv", "no,tier\nE1,Gold\nE9,Silver\n")
    ended = bench.run("run", bench.job("""
- name: known
  query: SELECT Id, ERP_Id__c FROM Account
- name: rate
  update: Account
  from:
    sql: |
      SELECT k.Id, t.tier AS Tier__c FROM known k JOIN tiers t ON t.no = k.ERP_Id__c
    tables:
      known: {task: known}
      tiers: tiers.csv
"""), "-o", "json")  # fmt: skip
    assert ended.code == 0, ended.err + ended.out
    rows = org.rows("SELECT Name, Tier__c FROM Account ORDER BY Name")
    assert [row["Tier__c"] for row in rows] == ["Gold", None]


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("SELECT * FROM read_csv('secret.txt')", 2, "read_csv() is not possible here"),
        ("SELECT * FROM 'secret.txt'", 1, "secret.txt"),
        ("SELECT * FROM t; DROP TABLE t", 2, "only SELECT is possible here"),
        ("COPY t TO 'x.csv'", 2, "is not a valid SELECT"),
        ("SELECT getenv('HOME') AS Name", 1, "getenv"),
        ("SELECT Naem FROM t", 1, "Naem"),
        ("SELECT CAST(Name AS INTEGER) AS Name FROM t", 1, "Could not convert"),
        ("SELEC Name FROM t", 2, "is not a valid SELECT"),
    ],
)
def test_sql_that_reaches_out_or_is_wrong_sends_nothing(bench, org, sql, code, said):
    bench.write("a.csv", "Name\nx\n")
    bench.write("secret.txt", "Name\nhidden\n")
    job = bench.job(f"""
- name: load
  create: Account
  from:
    sql: {json.dumps(sql)}
    tables: {{t: a.csv}}
""")
    ended = bench.run("run", job)
    assert ended.code == code, ended.err + ended.out
    assert said in ended.err + ended.out
    assert "hidden" not in ended.err + ended.out
    assert org.rows("SELECT Id FROM Account") == []


@BOTH
def test_a_query_to_parquet_is_typed_the_same_over_either_api(bench, org, api):
    org.create(
        "Account", Name="A", Score__c=12345678901234.56, Since__c="2020-02-29", Active__c=True
    )
    parent = org.rows("SELECT Id FROM Account")[0]["Id"]
    org.create("Account", Name="B", ParentId=parent, Checked__c="2026-03-29T01:30:00.000Z")
    ended = bench.run("run", bench.job(f"""
- name: all
  query: >
    SELECT Name, Score__c, Since__c, Active__c, Checked__c, Parent.Name
    FROM Account ORDER BY Name
  api: {api}
  to: out/all.parquet
"""))  # fmt: skip
    assert ended.code == 0, ended.err
    file = bench.folder / "out" / "all.parquet"
    with duckdb.connect() as connection:
        types = dict(r[:2] for r in connection.execute(f"DESCRIBE FROM '{file}'").fetchall())
        rows = connection.execute(
            f"SELECT Name, Score__c::VARCHAR, Since__c::VARCHAR, Active__c,"
            f" epoch_ms(Checked__c), \"Parent.Name\" FROM '{file}'"
        ).fetchall()
    assert types == {
        "Name": "VARCHAR",
        "Score__c": "DECIMAL(16,2)",
        "Since__c": "DATE",
        "Active__c": "BOOLEAN",
        "Checked__c": "TIMESTAMP WITH TIME ZONE",
        "Parent.Name": "VARCHAR",
    }
    assert rows == [
        ("A", "12345678901234.56", "2020-02-29", True, None, None),
        ("B", None, None, False, 1774747800000, "A"),
    ]


def test_packed_files_by_a_pattern_go_in_and_a_table_comes_out(bench, org):
    for number in (1, 2):
        content = f"Name\nAcme {number}\n".encode()
        (bench.folder / f"in-{number}.csv.gz").write_bytes(gzip.compress(content))
    bench.env["WAREHOUSE"] = f"sqlite:///{bench.folder / 'w.db'}"
    ended = bench.run("run", bench.job(LOAD.format(source="in-*.csv.gz") + """
- name: out
  query: SELECT Name FROM Account ORDER BY Name
  to: {database: {env: WAREHOUSE}, table: accounts}
"""))  # fmt: skip
    assert ended.code == 0, ended.err
    engine = sqlalchemy.create_engine(bench.env["WAREHOUSE"])
    with engine.connect() as connection:
        found = [row[0] for row in connection.exec_driver_sql("SELECT * FROM accounts")]
    engine.dispose()
    assert found == ["Acme 1", "Acme 2"]


def test_a_source_cut_short_sends_nothing(bench, org):
    rows = "Name\n" + "".join(f"{n}-{n * n}\n" for n in range(5_000))
    (bench.folder / "a.csv.gz").write_bytes(gzip.compress(rows.encode())[:-100])
    ended = bench.run("run", bench.job(LOAD.format(source="a.csv.gz")))
    assert ended.code == 2, ended.err
    assert "ends in the middle of its compressed bytes" in ended.err + ended.out
    assert org.rows("SELECT Id FROM Account") == []


def test_what_is_heavy_is_imported_only_where_it_is_used(bench):
    bench.write("a.csv", "Name\nx\n")
    job = bench.job(LOAD.format(source="a.csv"))
    code = (
        "import sys, runner.__main__ as m\n"
        f"sys.argv = ['runner', 'validate', {str(job)!r}]\n"
        "try: m.main()\nexcept SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'fsspec', 'xlrd', 'xlsxwriter', 'zstandard', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr.splitlines()[-1] == "[]"


LOADED = """\
import atexit, sys
atexit.register(lambda: print(*({'duckdb', '_duckdb'} & set(sys.modules)), file=sys.stderr))
import runner.__main__
runner.__main__.main()
"""
"""The command, which at its end says what of DuckDB is loaded."""


@pytest.mark.parametrize("verb", ["run", "validate", "whoami"])
def test_duckdb_is_not_loaded_where_no_row_needs_it(bench, verb):
    """Loading it takes longer than a small query does."""
    job = bench.job("""
- name: accounts
  query: SELECT Id, Name FROM Account
  api: rest
  to: accounts.csv
""")
    ended = subprocess.run(
        [sys.executable, "-c", LOADED, verb, str(job)],
        cwd=bench.folder,
        env=bench.environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr.splitlines()[-1] == ""
    assert (bench.folder / "accounts.csv").exists() == (verb == "run")


def test_what_was_found_about_a_file_is_said_and_recorded(bench, org):
    """Also where validation looks at its header."""
    bench.write("leads.csv", "company;no\nMüller, Söhne;E1\n")
    job = bench.job("""
- name: load
  create: Account
  from: leads.csv
  fields: {Name: company, ERP_Id__c: "no"}
""")
    ended = bench.run("run", job, "-o", "json")
    assert ended.code == 0, ended.err
    assert "load: leads.csv: delimiter ';' found" in ended.err
    assert ended.task("load")["notes"] == ["leads.csv: delimiter ';' found"]
    assert org.rows("SELECT Name FROM Account") == [{"Name": "Müller, Söhne"}]
    shown = bench.run("show", ended.document["run_id"], "-o", "json")
    assert shown.task("load")["outcome"]["notes"] == ["leads.csv: delimiter ';' found"]


def test_params_of_the_command_line_reach_the_sql_of_sources(bench, org):
    place = bench.folder / "erp.db"
    with closing(sqlite3.connect(place)) as erp, erp:
        erp.execute("CREATE TABLE c (name, changed)")
        erp.executemany(
            "INSERT INTO c VALUES (?, ?)", [("Old", "2026-01-01"), ("New", "2026-03-01")]
        )
    erp.close()
    bench.env["ERP_URL"] = f"sqlite:///{place}"
    bench.write("more.csv", "name,changed\nOlder,2025-01-01\nNewer,2026-04-01\n")
    job = bench.job("""
- name: database
  create: Account
  from: {database: {env: ERP_URL}, sql: "SELECT name AS Name FROM c WHERE changed > :since"}
- name: files
  create: Account
  from:
    sql: SELECT name AS Name FROM more WHERE CAST(changed AS DATE) > :since
    tables: {more: more.csv}
""", head="params: {since: {type: date}}\n")  # fmt: skip
    ended = bench.run("run", job, "--param", "since=2026-02-01")
    assert ended.code == 0, ended.err + ended.out
    rows = org.rows("SELECT Name FROM Account ORDER BY Name")
    assert [row["Name"] for row in rows] == ["New", "Newer"]


@OVER_BULK
def test_a_formula_that_nobody_calculated_clears_no_field(bench, org, api):
    book = openpyxl.Workbook()
    for row in (["Name", "AnnualRevenue"], ["Ä", 1], ["Ö", "=B2*2"]):
        book.active.append(row)
    book.save(bench.folder / "a.xlsx")
    job = bench.job(LOAD.format(source="a.xlsx") + f"  api: {api}\n  blank: clear\n")
    for verb, code in (("validate", 2), ("run", 1)):
        ended = bench.run(verb, job)
        assert ended.code == code, ended.err
        said = "a.xlsx: cell B3 of sheet 'Sheet' contains a formula whose result is not stored."
        assert said.removesuffix(".") in ended.out + ended.err
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]

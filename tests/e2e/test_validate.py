"""`runner validate` reads the sources, looks for libraries, and reports everything at once."""

import csv
import gzip
import json
import shutil
from pathlib import Path

import duckdb
import pytest
from openpyxl import Workbook

XLS = Path(__file__).parents[1] / "unit/tables/sources/workbooks/values.xls"
ROWS = [{"Name": "Acme", "Nummer": "7"}, {"Name": "Bolt", "Nummer": "8"}]
JOB = """
- name: load
  upsert: Account
  key: ERP_Id__c
  from: {source}
  fields:
    ERP_Id__c: Nummer
    Name: upper(Nmae)
    Phone: coalesce(Fax, Nummer)
"""
BLOCK = """\
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ImportError(name=name)
sys.meta_path.insert(0, Block())
"""


def write_csv(bench, name="a.csv"):
    with (bench.folder / name).open("w", newline="") as out:
        writer = csv.DictWriter(out, ["Name", "Nummer"])
        writer.writeheader()
        writer.writerows(ROWS)
    return name


def write_gzip(bench):
    name = write_csv(bench)
    (bench.folder / "a.csv.gz").write_bytes(gzip.compress((bench.folder / name).read_bytes()))
    return "a.csv.gz"


def write_pattern(bench):
    write_csv(bench, "p1.csv")
    write_csv(bench, "p2.csv")
    return "'p*.csv'"


def write_json(bench):
    return bench.write("a.json", json.dumps(ROWS)).name


def write_lines(bench):
    return bench.write("a.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS)).name


def write_xml(bench):
    rows = "".join(f"<a><Name>{r['Name']}</Name><Nummer>7</Nummer></a>" for r in ROWS)
    bench.write("a.xml", f"<rows>{rows}</rows>")
    return "{file: a.xml, record: /rows/a}"


def write_parquet(bench):
    write_csv(bench)
    duckdb.connect().execute(f"COPY (FROM '{bench.folder}/a.csv') TO '{bench.folder}/a.parquet'")
    return "a.parquet"


def write_excel(bench):
    book = Workbook()
    book.active.append(["Other"])
    book.create_sheet("Konten").append(["Name", "Nummer"])
    book.save(bench.folder / "a.xlsx")
    return "{file: a.xlsx, sheet: Konten}"


SOURCES = [
    write_csv,
    write_gzip,
    write_pattern,
    write_json,
    write_lines,
    write_xml,
    write_parquet,
    write_excel,
]


@pytest.mark.parametrize("write", SOURCES)
def test_expressions_are_held_against_the_columns_of_the_source(bench, write):
    ended = bench.run("validate", bench.job(JOB.format(source=write(bench))), "-o", "json")
    assert ended.code == 2, ended.err
    found = [(each["code"], each["message"]) for each in ended.document["diagnostics"]]
    assert found == [
        ("job/unknown-column", "the source has no column Nmae"),
        ("job/unknown-column", "the source has no column Fax"),
    ]


@pytest.mark.parametrize("write", SOURCES)
def test_names_are_compared_without_regard_to_case(bench, write):
    job = JOB.format(source=write(bench)).replace("Nmae", "NAME").replace("Fax", '"name"')
    ended = bench.run("validate", bench.job(job))
    assert ended.code == 0, ended.out


@pytest.mark.parametrize("write", SOURCES)
def test_a_key_is_looked_for_in_the_header(bench, write):
    job = f"- {{name: load, upsert: Account, key: ERP_Id__c, from: {write(bench)}}}"
    ended = bench.run("validate", bench.job(job), "-o", "json")
    [found] = ended.document["diagnostics"]
    assert found["code"] == "job/key-not-in-header"


def test_columns_of_a_query_are_known(bench):
    head = "- {name: rows, query: 'SELECT Id, Account.Name, Name FROM Contact'}\n"
    job = bench.job(head + JOB.format(source="{task: rows}"))
    ended = bench.run("validate", job, "-o", "json")
    messages = [each["message"].split()[-1] for each in ended.document["diagnostics"]]
    assert messages == ["Nummer", "Nmae", "Fax", "Nummer"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("a.csv", "Name,Name\nx,y\n", "twice in the header"),
        ("a.json", '[{"Name": ]', "not JSON"),
        ("a.xlsx", "no Excel", "cannot be read as Excel"),
        ("a.parquet", "no Parquet", ""),
    ],
)
def test_a_source_that_cannot_be_read_is_a_problem(bench, file, content, message):
    bench.write(file, content)
    job = bench.job(f"- {{name: load, create: Account, from: {file}}}\n")
    ended = bench.run("validate", job, "-o", "json")
    assert ended.code == 2, ended.err
    [found] = ended.document["diagnostics"]
    assert found["code"] == "job/bad-source"
    assert file in found["message"]
    assert message in found["message"]


def test_a_missing_library_is_a_problem(bench):
    shutil.copy(XLS, bench.folder / "a.xls")
    tasks = """
- {name: a, create: Account, from: {file: a.xls, format: excel}}
- {name: b, query: SELECT Id FROM Account, to: out.xlsx}
- {name: c, query: SELECT Id FROM Account, to: {database: {env: DB}, table: t}}
- {name: d, create: Account, from: {database: {env: DB}, sql: SELECT 1}}
- {name: e, create: Account, from: https://example.com/a.csv}
- name: f
  create: Account
  from: {tables: {t: {file: a.xls, format: excel}}, sql: SELECT * FROM t}
"""
    names = {"xlrd", "xlsxwriter", "sqlalchemy", "fsspec", "keyring"}
    job = bench.job(tasks, connection="{environment: live, domain: acme, token: {keyring: acme}}")
    assert bench.run("validate", job).code == 0
    bench.write("block/sitecustomize.py", BLOCK.format(names=names))
    bench.env["PYTHONPATH"] = str(bench.folder / "block")
    ended = bench.run("validate", job, "-o", "json")
    assert ended.code == 2, ended.err
    found = [
        each for each in ended.document["diagnostics"] if each["code"] == "job/missing-library"
    ]
    assert len(found) == 7, [each["message"] for each in found]
    assert {each["help"].split("'")[1] for each in found} == {
        "sfrunner[excel]",
        "sfrunner[sql]",
        "sfrunner[remote]",
        "sfrunner[keyring]",
    }
    ended = bench.run("run", job)
    assert ended.code == 2
    assert "job/missing-library" in ended.err


def test_every_stage_reports_at_once(bench):
    write_csv(bench)
    tasks = JOB.format(source="a.csv") + "  colour: red\n- {name: b, create: Lead, from: no.csv}\n"
    connection = "{environment: live, domain: acme--uat.sandbox, token: 7, colour: red, auth: 1}"
    job = bench.job(tasks, connection=connection)
    ended = bench.run("validate", job, "-o", "json")
    codes = {each["code"] for each in ended.document["diagnostics"]}
    assert codes >= {
        "job/unknown-key",
        "job/wrong-type",
        "job/domain-is-sandbox",
        "job/unknown-column",
        "job/no-source",
    }
    assert "job/no-token" not in codes


def test_a_file_that_a_query_writes_can_be_the_next_source(bench, org):
    org.create("Account", Name="Acme")
    tasks = """
- {name: q, query: "SELECT Id, Name FROM Account", to: out.csv}
- {name: w, update: Account, from: out.csv, fields: {Id: Id, Description: Name}}
"""
    bench.env["ORG_TOKEN"] = org.token
    connection = f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    job = bench.job(tasks, connection=connection)
    assert bench.run("validate", job).code == 0
    assert bench.run("run", job).code == 0
    bench.write("out.csv", "Old\nx\n")
    assert bench.run("validate", job).code == 0
    ended = bench.run("run", job)
    assert ended.code == 0, ended.err
    assert org.rows("SELECT Description FROM Account") == [{"Description": "Acme"}]

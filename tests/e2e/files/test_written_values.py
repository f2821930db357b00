"""How a source writes numbers and dates follows its rows wherever they are read."""

import json

import pytest

from tests.short_form import slow

GERMAN = '{file: de.csv, delimiter: ";", decimal: ",", dates: "%d.%m.%Y"}'
ROWS = "no;tier;Score__c;Since__c\nA;Gold;1.234;31.01.2026\nB;Tin;2.345,5;01.02.2026\n"
FIELDS = '{ERP_Id__c: "no", Name: "no", Tier__c: %s, Score__c: Score__c, Since__c: Since__c}'
FIRST = f"""
- name: first
  upsert: Account
  key: ERP_Id__c
  from: {GERMAN}
  fields: {FIELDS % "tier"}
  on_error: continue
"""
LIST = "{l: {column: a, from: {file: a.csv, dates: '%d.%m.%Y'}}}"
SCORES = [
    {"Name": "A", "Score__c": 1234.0, "Since__c": "2026-01-31"},
    {"Name": "B", "Score__c": 2345.5, "Since__c": "2026-02-01"},
]


def scores(org):
    return org.rows("SELECT Name, Score__c, Since__c FROM Account ORDER BY Name")


@pytest.mark.parametrize(
    "source",
    [
        "{task: first, rows: failed}",
        "{sql: SELECT * FROM f, tables: {f: {task: first, rows: failed}}}",
        f"{{sql: SELECT * FROM f WHERE tier = 'Tin', tables: {{f: {GERMAN}}}}}",
    ],
)
def test_decimals_and_dates_follow_failed_rows_into_tasks_and_their_tasks(bench, org, source):
    bench.write("de.csv", ROWS)
    second = FIRST.replace("first", "second").replace(GERMAN, source)
    third = FIRST.replace("first", "third").replace(GERMAN, "{task: second, rows: failed}")
    third = third.replace("tier,", "\"'Silver'\",")
    ended = bench.run("run", bench.job(FIRST + second + third), "-o", "json")
    assert ended.task("third")["counts"]["created"] == 1, ended.out + ended.err
    assert scores(org) == SCORES


def test_decimals_and_dates_follow_failed_rows_into_a_retry(bench, org):
    bench.write("de.csv", ROWS)
    source = f"{{sql: SELECT * FROM f, tables: {{f: {GERMAN}}}}}"
    job = bench.job(FIRST.replace(GERMAN, source))
    assert bench.run("run", job, "-o", "json").code == 3
    (failed,) = bench.state.glob("runs/*/first/failed.csv")
    failed.write_text(failed.read_text().replace("Tin", "Gold"), encoding="utf-8")
    ended = bench.run("retry")
    assert ended.code == 0, ended.out + ended.err
    assert scores(org) == SCORES


def test_a_list_of_numbers_and_dates_is_read_as_its_file_writes_them(bench, org):
    org.create("Account", Name="A", Score__c=1.23)
    org.create("Account", Name="B", Score__c=1234, Since__c="2026-01-31")
    bench.write("de.csv", ROWS)
    ended = bench.run("run", bench.job(f"""
- name: found
  query: SELECT Name FROM Account WHERE Score__c IN :scores AND Since__c IN :days
  lists:
    scores: {{from: {GERMAN.replace(', dates: "%d.%m.%Y"', "")}, column: Score__c, type: number}}
    days: {{from: {GERMAN.replace('decimal: ",", ', "")}, column: since__c, type: date}}
  to: out.csv
"""))  # fmt: skip
    assert ended.code == 0, ended.out + ended.err
    assert (bench.folder / "out.csv").read_text().split() == ['"Name"', '"B"']


@pytest.mark.parametrize("name", ["a.jsonl", *slow("a.json")])
def test_a_json_number_has_a_decimal_point_whatever_is_declared(bench, org, name):
    rows = [{"Name": "A", "Score__c": 1.234}, {"Name": "B", "Score__c": 2}]
    texts = [{"Name": "C", "Since__c": "1.2.2026"}]
    lines = [json.dumps(row) for row in rows + texts]
    bench.write(name, "\n".join(lines) if name == "a.jsonl" else f"[{','.join(lines)}]")
    load = """
- name: load
  create: Account
  from: {file: %s, decimal: ",", dates: "%%d.%%m.%%Y"}
"""
    ended = bench.run("run", bench.job(load % name))
    assert ended.code == 0, ended.out + ended.err
    found = org.rows("SELECT Score__c, Since__c FROM Account ORDER BY Name")
    assert [row["Score__c"] for row in found] == [1.23, 2.0, None]
    assert found[2]["Since__c"] == "2026-02-01"

    bench.write(name, '{"Name": "A", "Score__c": 1.5}\n{"Name": "B", "Score__c": "1,5"}\n')
    ended = bench.run("run", bench.job((load % name).replace("}", ", format: jsonl}", 1)))
    assert ended.code == 1
    assert (
        "column 'Score__c' has a number with a decimal point in row 1 and a text in row 2"
        in ended.out
    )


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("{delete: Account, from: {file: a.csv, decimal: ','}, name: t}", "reads only Ids"),
        (
            "{create: Lead, from: {file: a.csv, decimal: ','}, fields: {City: upper(a)}, name: t}",
            "every field is computed by an expression",
        ),
        (
            f"{{query: SELECT Id FROM Lead WHERE City IN :l, name: t, to: o.csv, lists: {LIST}}}",
            "a list of type string",
        ),
    ],
)
def test_a_key_that_no_value_is_read_by_is_an_error(bench, task, reason):
    bench.write("a.csv", "a,Id\n")
    ended = bench.run("validate", bench.job(f"- {task}"))
    assert ended.code == 2, ended.out + ended.err
    assert "job/unused-key" in ended.out + ended.err
    assert reason in ended.out + ended.err

"""Problems of a job that show late: when a task's columns are known, or when the org is."""

import pytest
from openpyxl import Workbook

from tests.short_form import slow

TWO = """
- name: first
  create: Account
  from: a.csv
- name: late
  upsert: Account
  key: ERP_Id__c
  from: {source}
  fields:
    ERP_Id__c: Nummer
    Name: Nmae
"""
QUERY = """
- name: found
  query: SELECT FIELDS(STANDARD) FROM Account
"""


def excel(bench):
    book = Workbook()
    book.active.append(["Name", "Nummer"])
    book.active.append(["n", "7"])
    book.save(bench.folder / "b.xlsx")
    return "b.xlsx"


def sql(bench):
    bench.write("b.csv", "Name,Nummer\nn,7\n")
    return "{tables: {t: b.csv}, sql: 'SELECT Name, Nummer FROM t'}"


def packed(bench):
    return bench.write("b.jsonl", '{"Name": "n", "Nummer": "7"}\n').name


def pattern(bench):
    bench.write("b1.csv", "Name,Nummer\nn,7\n")
    bench.write("b2.csv", "Name,Nummer\nn,8\n")
    return "'b*.csv'"


def of_task(_bench):
    return "{task: found}"


@pytest.mark.parametrize("make", [pattern, of_task, *slow(excel, sql, packed)])
def test_a_problem_of_a_late_task_is_shown_in_full_everywhere(bench, org, make):
    bench.write("a.csv", "Name\nx\n")
    tasks = TWO.format(source=make(bench))
    connection = f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    bench.env["ORG_TOKEN"] = org.token
    head = QUERY if make is of_task else ""
    job = bench.job(head + tasks, connection=connection)
    late = make not in {pattern, excel}
    ended = bench.run("run", job)
    assert ended.code == 2, ended.out + ended.err
    told = [ended.out + ended.err]
    documents = []
    documents.append(bench.run("run", job, "-o", "json").document)
    if late:
        told.append(bench.run("show").out)
        documents.append(bench.run("show", "-o", "json").document)
        told.append(bench.run("run", job, "-vv").out)
    else:
        assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 0}]
    for text in told:
        assert "error[job/unknown-column]: the source has no column Nmae" in text
        assert "|       Name: Nmae" in text
        assert "^^^^" in text
        assert "= help: did you mean `Name`?" in text
        if late:
            assert "1 problem; nothing was attempted" not in text
    for document in documents:
        [found] = [each for each in diagnostics_in(document) if each["message"].endswith("Nmae")]
        assert found["code"] == "job/unknown-column"
        assert found["help"] == "did you mean `Name`?"
        assert found["line"]
        assert found["column"]


def diagnostics_in(value):
    if isinstance(value, dict):
        if "severity" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from diagnostics_in(each)


def test_an_earlier_task_that_wrote_is_not_denied(bench, org):
    bench.write("a.csv", "Name\nx\n")
    bench.env["ORG_TOKEN"] = org.token
    connection = f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    ended = bench.run("run", bench.job(TWO.format(source=sql(bench)), connection=connection))
    assert ended.code == 2
    assert org.rows("SELECT COUNT(Id) n FROM Account") == [{"n": 1}]
    assert "nothing was attempted" not in ended.out + ended.err
    assert "late: 1 problem in the job; the task sent nothing." in ended.out


def test_what_ended_a_run_before_its_tasks_is_shown_later(bench, org):
    bench.write("a.csv", "Nam,Nmmer\nx,1\n")
    bench.env["ORG_TOKEN"] = org.token
    connection = f"{{environment: local, url: '{org.url}', token: {{env: ORG_TOKEN}}}}"
    job = bench.job("- {name: load, create: Account, from: a.csv}", connection=connection)
    ended = bench.run("run", job)
    assert ended.code == 2
    assert "org/unknown-field" in ended.err
    shown = bench.run("show")
    assert ended.err.split("error[")[1] in shown.out
    document = bench.run("show", "-o", "json").document
    assert [each["code"] for each in document["problems"]] == ["org/unknown-field"] * 2
    assert document["message"].startswith("2 problems")

"""Queries that are not SOQL are refused offline, where they are wrong."""

import json

import pytest

from runner.job.load import check_job
from tests.contract.soql.corpus import INVALID, LOOSER, STRICTER, VALID

HEAD = "version: 1\nconnection: {environment: local}\ntasks:\n"


@pytest.fixture
def problems(tmp_path):
    def check(text):
        file = tmp_path / "job.yaml"
        file.write_text(HEAD + text, encoding="utf-8")
        return check_job(file)[1]

    return check


@pytest.fixture
def refused(problems):
    """Those of some statements that a job may not have."""

    def check(statements):
        tasks = (
            f"  - {{name: t{number}, query: {json.dumps(each, ensure_ascii=False)},"
            f" to: out/{number}.csv}}\n"
            for number, each in enumerate(statements)
        )
        first = HEAD.count("\n") + 1
        found = {each.position.line - first for each in problems("".join(tasks))}
        return [each for number, each in enumerate(statements) if number in found]

    return check


def test_every_valid_statement_is_taken(refused):
    rows = [each for each in (*VALID, *STRICTER) if "COUNT" not in each.partition("(")[0]]
    assert refused(rows) == []


def test_every_invalid_statement_is_refused(refused):
    statements = [*INVALID, *LOOSER]
    for part in (statements[::2], statements[1::2]):
        assert refused(part) == part


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("query: SELECT Id FORM A", (5, 22)),
        ("query: 'SELECT Id FORM A'", (5, 23)),
        ('query: "SELECT Id FORM A"', (5, 23)),
        ("query: |\n      SELECT Id\n      FORM A\n    to: out/a.csv", (7, 7)),
        ("query: >-\n      SELECT Id\n\n      FORM A\n    to: out/a.csv", (8, 7)),
        ("query: SELECT Id\n      FORM A", (6, 7)),
        ("query: |\n      SELECT FORM__c\n      FORM A", (7, 7)),
        ("query: |\n      SELECT Id FROM A WHERE B IN (\n        'x',\n        y)", (8, 9)),
        ("query: |\n      SELECT Id FROM A\n      WHERE\n", (7, 7)),
    ],
)
def test_the_problem_is_placed_in_every_style_of_yaml(problems, written, place):
    found = problems(f"  - name: a\n    {written}\n")
    told = [each for each in found if each.code == "job/soql-syntax"]
    assert [(each.position.line, each.position.column) for each in told] == [place]


def test_one_mistake_is_told_once(problems):
    soql = "SELECT * FROM Account WHERE Name IS NULL"
    found = problems(f"  - {{name: a, query: '{soql}', to: out/a.csv}}\n")
    assert {each.code for each in found} == {"job/soql-mistake"}

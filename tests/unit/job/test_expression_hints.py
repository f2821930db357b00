"""A column's name that is not SQL gets the form with quotes as its hint."""

import pytest

from runner.job.load import Readers, check_job
from runner.tables.staging.expressions import problem_of

JOB = """\
version: 1
connection: {environment: local}
tasks:
  - name: a
    create: Account
    from: '-'
    fields: {Name: %s}
"""


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        (
            "Kunden-Nr.",
            "a column with spaces or special characters as '\"Kunden-Nr.\"', fixed text as",
        ),
        (
            "Phone No",
            "a column with spaces or special characters as '\"Phone No\"', fixed text as",
        ),
        ("Account.Name", "special characters as '\"Account.Name\"', fixed text as"),
        ("SELECT a", "write a column by its name, fixed text as"),
        ("trim(a", "write a column by its name, fixed text as"),
    ],
)
def test_a_name_with_signs_is_offered_in_quotes(tmp_path, expression, hint):
    (tmp_path / "a.yaml").write_text(JOB % expression)
    _, (found,) = check_job(tmp_path / "a.yaml", Readers(expressions=problem_of))
    assert found.code == "job/bad-expression"
    assert hint in found.help

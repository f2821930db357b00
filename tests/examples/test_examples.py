"""Drop a job into `valid/` and it must have no problem; into `invalid/` and its problems must read
as in the `.expected` file beside it, word for word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.diagnostics import Diagnostic, Severity
from runner.errors import JobError
from runner.job.job_tests import load_tests
from runner.job.load import Readers, check_job
from runner.report.diagnostics import render_diagnostic
from runner.tables.sources.open import read_columns

FOLDER = Path(__file__).parent
VALID = sorted(path.name for path in FOLDER.glob("valid/*.yaml"))
VALID_TESTS = sorted(path.name for path in FOLDER.glob("valid/tests/*.yaml"))
INVALID_TESTS = sorted(path.name for path in FOLDER.glob("invalid/tests/*.yaml"))
INVALID = sorted(path.name for path in FOLDER.glob("invalid/*.yaml"))


def checker(expression: str) -> str | None:
    """Stands in for the SQL parser, which another layer owns."""
    if expression.count("(") != expression.count(")"):
        return "a parenthesis is not closed"
    return "a statement stands where an expression must" if "SELECT" in expression else None


@pytest.fixture
def check(monkeypatch) -> Callable[[str], tuple[Diagnostic, ...]]:
    monkeypatch.chdir(FOLDER)
    return lambda name: check_job(Path(name), Readers(expressions=checker, header=read_columns))[1]


@pytest.mark.parametrize("name", VALID)
def test_a_valid_job_has_no_problem(name, check):
    assert [render_diagnostic(each) for each in check(f"valid/{name}")] == []


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_job_is_told_what_is_wrong(name, check):
    found = check(f"invalid/{name}")
    # Paths of this machine have no place in a file that is compared anywhere.
    told = "\n\n".join(map(render_diagnostic, found)).replace(str(FOLDER), ".") + "\n"
    expected = (FOLDER / "invalid" / name).with_suffix(".expected").read_text(encoding="utf-8")
    assert told == expected


@pytest.mark.parametrize("name", INVALID)
def test_every_problem_says_what_to_do(name, check):
    assert [each.message for each in check(f"invalid/{name}") if not each.help] == []


@pytest.mark.parametrize("name", VALID_TESTS)
def test_a_valid_test_file_can_be_read(name, monkeypatch):
    monkeypatch.chdir(FOLDER)
    assert load_tests(Path("valid/tests", name))


@pytest.mark.parametrize("name", INVALID_TESTS)
def test_an_invalid_test_file_is_told_what_is_wrong(name, monkeypatch):
    monkeypatch.chdir(FOLDER)
    with pytest.raises(JobError) as caught:
        load_tests(Path("invalid/tests", name))
    told = "\n\n".join(map(render_diagnostic, caught.value.diagnostics)) + "\n"
    expected = (FOLDER / "invalid/tests" / name).with_suffix(".expected").read_text("utf-8")
    assert told.replace(str(FOLDER), ".") == expected
    assert [each.message for each in caught.value.diagnostics if not each.help] == []


def test_problems_stand_in_the_order_of_the_file(check):
    found = check("invalid/job_wrong_types.yaml")
    lines = [each.position.line for each in found if each.position]
    assert lines == sorted(lines)
    assert all(each.severity is Severity.ERROR for each in found)

"""A test that is repeated, its run killed after one more request each time."""

from pathlib import Path

import pytest

from runner.diagnostics import Diagnostic
from runner.job.job_tests import load_tests
from runner.runs.job_test_kill import NOT_KILLED, after_each
from runner.verdict import Difference, Status, Verdict

TEXT = """\
version: 1
tests: [{name: a, when: {killed_after_requests: each}, expect: {exit: 0}}]
"""


@pytest.fixture
def verdict_of(tmp_path):
    """The verdict of a test whose run has five requests, and what it was asked for."""
    (tmp_path / "job.yaml").touch()
    file = tmp_path / "job.test.yaml"
    file.write_text(TEXT, encoding="utf-8")
    (test,) = load_tests(file)
    asked = []

    def verdict(*, wrong_after=None, other_after=None):
        def run(test):
            after = test.killed_after
            asked.append(after)
            found = Verdict(file, test.name, Status.PASSED, seconds=2.0, picture={"exit": 0})
            if after > 5:
                problem = Diagnostic(NOT_KILLED, "", Path())
                return Verdict(file, test.name, Status.BROKEN, seconds=1.0, problems=(problem,))
            if after == wrong_after:
                wrong = (Difference("exit", file, 2, "0", "3"),)
                return Verdict(file, test.name, Status.FAILED, seconds=2.0, differences=wrong)
            if after == other_after:
                return Verdict(file, test.name, Status.PASSED, seconds=2.0, picture={"exit": 3})
            return found

        return after_each(test, run), asked

    return verdict


def test_it_passes_if_each_passes(verdict_of):
    verdict, asked = verdict_of()
    assert (verdict.status, verdict.problems, verdict.seconds) == (Status.PASSED, (), 11.0)
    assert asked == [1, 2, 3, 4, 5, 6]


def test_the_first_that_fails_is_reported(verdict_of):
    verdict, asked = verdict_of(wrong_after=3)
    assert verdict.status is Status.FAILED
    assert [each.what for each in verdict.differences] == ["killed after request 3: exit"]
    assert (asked, verdict.seconds) == ([1, 2, 3], 6.0)


def test_one_that_does_something_else_is_compared_with_the_snapshot(verdict_of):
    verdict, asked = verdict_of(other_after=4)
    assert (verdict.status, verdict.picture) == (Status.FAILED, {"exit": 3})
    assert [each.what for each in verdict.differences] == ["killed after request 4"]
    assert asked == [1, 2, 3, 4]

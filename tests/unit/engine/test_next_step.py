"""One table decides what is done about a part, wherever an earlier process left it."""

from itertools import product

import pytest

from runner.engine.next_step import COLLECTED, GONE, INTENDED, Standing, Step, next_step
from runner.salesforce.bulk.job import JobState


@pytest.mark.parametrize(
    ("standing", "step"),
    [
        (Standing(), Step.CREATE),
        (Standing(inherited=True), Step.SWEEP),
        (Standing(JobState.OPEN, has_job=True, inherited=True), Step.ASK),
        (Standing(JobState.OPEN, True, told=JobState.OPEN, made_here=True), Step.UPLOAD),
        (Standing(JobState.OPEN, True, told=JobState.OPEN), Step.ABORT),
        (Standing(JobState.OPEN, True, told=JobState.UPLOAD_COMPLETE), Step.WAIT),
        (Standing(JobState.IN_PROGRESS, True, told=JobState.IN_PROGRESS), Step.WAIT),
        (Standing(JobState.OPEN, True, told=JobState.JOB_COMPLETE), Step.COLLECT),
        (Standing(JobState.OPEN, True, told=JobState.FAILED), Step.COLLECT),
        (Standing(JobState.OPEN, True, told=JobState.ABORTED), Step.COLLECT),
        (Standing(COLLECTED, True, inherited=True), Step.ACCOUNT),
        (Standing(JobState.OPEN, True, told=GONE, repeatable=True), Step.ANEW),
        (Standing(JobState.OPEN, True, told=GONE), Step.DOUBT),
    ],
)
def test_what_is_known_decides(standing, step):
    assert next_step(standing) is step


def every_standing():
    told = (None, GONE, "Mystery", *JobState)
    flags = product((False, True), repeat=4)
    for noted, (has_job, inherited, made_here, repeatable), said in product(
        (INTENDED, COLLECTED, *JobState), list(flags), told
    ):
        yield Standing(noted, has_job, inherited, made_here, said, repeatable)


def test_rows_are_handed_over_only_to_an_open_job_that_this_process_made():
    for standing in every_standing():
        if next_step(standing) is Step.UPLOAD:
            assert standing.made_here
            assert standing.told == JobState.OPEN


def test_no_new_job_is_made_while_one_may_carry_the_rows_out():
    for standing in every_standing():
        step = next_step(standing)
        if step in {Step.CREATE, Step.SWEEP}:
            assert not standing.has_job
        if step is Step.ABORT:
            assert standing.told == JobState.OPEN
        if step is Step.ANEW:
            assert standing.repeatable

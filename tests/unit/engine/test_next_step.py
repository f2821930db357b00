"""One table decides what is done about a part, wherever an earlier process left it."""

from itertools import product

import pytest

from runner.engine.next_step import COLLECTED, GONE, INTENDED, PartStatus, Step, next_step
from runner.salesforce.bulk.job import JobState


@pytest.mark.parametrize(
    ("status", "step"),
    [
        (PartStatus(), Step.CREATE),
        (PartStatus(inherited=True), Step.SWEEP),
        (PartStatus(JobState.OPEN, has_job=True, inherited=True), Step.ASK),
        (PartStatus(JobState.OPEN, True, org_state=JobState.OPEN, made_here=True), Step.UPLOAD),
        (PartStatus(JobState.OPEN, True, org_state=JobState.OPEN), Step.ABORT),
        (PartStatus(JobState.OPEN, True, org_state=JobState.UPLOAD_COMPLETE), Step.WAIT),
        (PartStatus(JobState.IN_PROGRESS, True, org_state=JobState.IN_PROGRESS), Step.WAIT),
        (PartStatus(JobState.OPEN, True, org_state=JobState.JOB_COMPLETE), Step.COLLECT),
        (PartStatus(JobState.OPEN, True, org_state=JobState.FAILED), Step.COLLECT),
        (PartStatus(JobState.OPEN, True, org_state=JobState.ABORTED), Step.COLLECT),
        (PartStatus(COLLECTED, True, inherited=True), Step.ACCOUNT),
        (PartStatus(JobState.OPEN, True, org_state=GONE, repeatable=True), Step.RESTART),
        (PartStatus(JobState.OPEN, True, org_state=GONE), Step.DOUBT),
    ],
)
def test_what_is_known_decides(status, step):
    assert next_step(status) is step


def every_status():
    told = (None, GONE, "Mystery", *JobState)
    flags = product((False, True), repeat=4)
    for noted, (has_job, inherited, made_here, repeatable), said in product(
        (INTENDED, COLLECTED, *JobState), list(flags), told
    ):
        yield PartStatus(noted, has_job, inherited, made_here, said, repeatable)


def test_rows_are_handed_over_only_to_an_open_job_that_this_process_made():
    for status in every_status():
        if next_step(status) is Step.UPLOAD:
            assert status.made_here
            assert status.org_state == JobState.OPEN


def test_no_new_job_is_made_while_one_may_carry_the_rows_out():
    for status in every_status():
        step = next_step(status)
        if step in {Step.CREATE, Step.SWEEP}:
            assert not status.has_job
        if step is Step.ABORT:
            assert status.org_state == JobState.OPEN
        if step is Step.RESTART:
            assert status.repeatable

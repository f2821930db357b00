import pytest

from runner.errors import OrgError, TransientError, UnexpectedAnswerError
from runner.job.model import RetryPolicy
from runner.salesforce.bulk.job import JobInfo, Pace, failure_of, job_of, wait_for_end
from runner.salesforce.http.messages import OrgResponse, json_body
from runner.salesforce.http.retry import Retrier


class Job:
    """Gives states in turn; its clock moves by the waits alone."""

    def __init__(self, *states):
        self.states = list(states)
        self.now = 0.0
        self.waits = []
        self.told = []

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def ask(self):
        return JobInfo("750x", self.states.pop(0) if len(self.states) > 1 else self.states[0])

    def wait(self, **pace):
        retrier = Retrier(RetryPolicy(), clock=lambda: self.now, sleep=self.sleep)
        return wait_for_end(retrier, self.ask, Pace(**pace), self.told.append)


@pytest.mark.parametrize("end", ["JobComplete", "Failed", "Aborted"])
def test_waiting_ends_with_each_end_of_a_job(end):
    job = Job("UploadComplete", "InProgress", end)
    assert job.wait().state == end
    assert [info.state for info in job.told] == ["UploadComplete", "InProgress", end]
    assert job.waits == [1, 1.5]


def test_waits_grow_up_to_the_longest():
    job = Job(*["InProgress"] * 6, "JobComplete")
    job.wait(first_seconds=0.05, longest_seconds=0.3, factor=2)
    assert job.waits == [0.05, 0.1, 0.2, 0.3, 0.3, 0.3]


def test_a_job_that_does_not_end_in_time_is_told_with_its_id_and_state():
    job = Job("InProgress")
    with pytest.raises(TransientError, match="750x is still InProgress") as caught:
        job.wait(total_seconds=10)
    assert job.now <= 10
    assert caught.value.hint


def test_a_state_of_a_later_release_is_waited_over():
    assert Job("Hovering", "JobComplete").wait().state == "JobComplete"


def test_a_job_is_read_whatever_is_left_out():
    bare = {"id": "750x", "state": "Open"}
    assert job_of(OrgResponse(200, {}, json_body(bare))) == JobInfo("750x", "Open")
    whole = {
        "id": "750x",
        "state": "Failed",
        "object": "Account",
        "numberRecordsProcessed": 5,
        "numberRecordsFailed": 2,
        "errorMessage": "InvalidBatch : Field name not found : Foo",
    }
    assert job_of(OrgResponse(200, {}, json_body(whole))) == JobInfo(
        "750x", "Failed", "Account", 5, 2, "InvalidBatch : Field name not found : Foo"
    )


def test_a_failed_job_gives_its_reason():
    error = failure_of(
        JobInfo("750x", "Failed", message="InvalidBatch : Field name not found : Foo")
    )
    assert type(error) is OrgError
    assert error.code == "InvalidBatch"
    assert error.message == "Bulk job 750x is Failed: InvalidBatch : Field name not found : Foo"


def test_a_job_that_met_a_quota_may_work_later():
    error = failure_of(JobInfo("750x", "Failed", message="ExceededQuota : daily batches"))
    assert isinstance(error, TransientError)
    assert "24 hours" in error.hint


def test_a_job_without_a_reason_and_one_without_a_failure():
    assert "no reason" in failure_of(JobInfo("750x", "Aborted")).message
    assert failure_of(JobInfo("750x", "JobComplete")) is None


def test_an_answer_that_tells_of_no_job_is_unexpected():
    with pytest.raises(UnexpectedAnswerError, match="lacks state"):
        job_of(OrgResponse(200, {}, json_body({"id": "750x"})))

"""Bulk API 2.0 ingest: rows into the org, one file per job.

Knows the requests of an ingest job and what to do when the answer to one is lost. Knows nothing
of what is in the files. Source: Bulk API 2.0 guide, API version 41.0; assignment rules
49.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path

import msgspec
from msgspec import Struct

from runner.errors import OrgError, TransportError, UnexpectedAnswerError
from runner.job.model import Verb
from runner.salesforce.bulk.csv_pages import save_pages
from runner.salesforce.bulk.job import JobInfo, JobState, Pace, job_of, wait_for_end
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import Content, OrgRequest, json_body, path_of, segment
from runner.salesforce.http.retry import Pause
from runner.salesforce.http.retry_table import Action, Decision, Wait
from runner.salesforce.session import Session

MOST_BYTES = 100_000_000
"""Of one file. The org's limit is 150 MB after it has encoded the file as base64."""
_PATH = "/jobs/ingest"
_SHORT_ID = 15
_JSON = {"Content-Type": "application/json"}


class IngestOperation(StrEnum):
    """What a job does with its rows."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hardDelete"
    """Bypasses the recycle bin; the user needs `Bulk API Hard Delete`."""


class ResultSet(StrEnum):
    """One of the three result files of an ended job; each row is in exactly one."""

    SUCCEEDED = "successfulResults"
    FAILED = "failedResults"
    UNPROCESSED = "unprocessedrecords"


class IngestSpec(Struct, frozen=True):
    """What a job is created with."""

    sobject: str
    operation: IngestOperation
    key: str | None = None
    """External Id field of an upsert."""
    assignment_rule_id: str | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether the same rows may be sent twice; an upsert by Id creates those without one."""
        by_id = self.operation is IngestOperation.UPSERT and self.key == "Id"
        return self.operation is not IngestOperation.INSERT and not by_id


def operation_of(verb: Verb, *, hard: bool = False) -> IngestOperation:
    """The operation for a verb."""
    if verb is Verb.DELETE:
        return IngestOperation.HARD_DELETE if hard else IngestOperation.DELETE
    return {
        Verb.CREATE: IngestOperation.INSERT,
        Verb.UPDATE: IngestOperation.UPDATE,
        Verb.UPSERT: IngestOperation.UPSERT,
    }[verb]


def create_request(spec: IngestSpec) -> OrgRequest:
    """Create a job. May be repeated: an open job that nobody uses processes nothing."""
    asked = {
        "object": spec.sobject,
        "operation": spec.operation.value,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
        "externalIdFieldName": spec.key,
        "assignmentRuleId": spec.assignment_rule_id,
    }
    body = json_body({name: value for name, value in asked.items() if value is not None})
    return OrgRequest("POST", _PATH, _JSON, body=body, idempotent=True)


def upload_request(job_id: str, content: Content) -> OrgRequest:
    """Upload the rows: UTF-8, commas, LF. Only once per job: a second upload spoils it."""
    return OrgRequest(
        "PUT",
        f"{_job_path(job_id)}/batches",
        {"Content-Type": "text/csv"},
        body=content,
        idempotent=False,
    )


def state_request(job_id: str, state: JobState) -> OrgRequest:
    """Close a job (UploadComplete) or abort it (Aborted)."""
    body = json_body({"state": state.value})
    # An aborted job may be aborted again; a second close is refused.
    is_abort = state is JobState.ABORTED
    return OrgRequest("PATCH", _job_path(job_id), _JSON, body=body, idempotent=is_abort)


class CreatedJob(Struct, frozen=True):
    """A job that was just created."""

    info: JobInfo
    may_have_twin: bool
    """Whether an answer was lost on the way, so that there may be another open job."""


def create_job(session: Session, spec: IngestSpec) -> CreatedJob:
    """Create a job.

    Raises:
        OrgError: The org refused: the object, the operation, the key, a permission, a quota.
    """
    answer = session.send(create_request(spec))
    return CreatedJob(job_of(answer), may_have_twin=answer.replayed)


def open_jobs(
    session: Session, spec: IngestSpec, user_id: str, since: datetime, until: datetime
) -> Iterator[str]:
    """Find open jobs like one that was requested and whose Id was not recorded.

    Args:
        session: The org.
        spec: What was requested.
        user_id: Who requested it.
        since: When it was requested, in the org's time.
        until: When it can have been created at the latest.

    Yields:
        Ids of jobs created by this user for this object and operation in that time, still open.
    """
    for listed in _jobs_like(session, spec, user_id, since, until):
        if listed.state == JobState.OPEN:
            yield listed.id


def begun_jobs(
    session: Session, spec: IngestSpec, user_id: str, since: datetime, until: datetime
) -> Iterator[str]:
    """Find jobs like one that may have been requested, which the org has begun or finished.

    Args and Yields: as `open_jobs`, but no longer open.
    """
    for listed in _jobs_like(session, spec, user_id, since, until):
        if listed.state != JobState.OPEN:
            yield listed.id


def _jobs_like(
    session: Session, spec: IngestSpec, user_id: str, since: datetime, until: datetime
) -> Iterator[_ListedJob]:
    path = f"{_PATH}?jobType=V2Ingest"
    while True:
        answer = read_json(session.request("GET", path), _JobList)
        for listed in answer.records:
            if _is_like(listed, spec, user_id) and since <= _created(listed) <= until:
                yield listed
        following = path_of(answer.next_records_url or "")
        if answer.done or following in {"/", path}:
            return
        path = following


class _ListedJob(msgspec.Struct, rename="camel"):
    id: str
    state: str
    created_date: str
    created_by_id: str
    object: str | None = None
    operation: str | None = None
    external_id_field_name: str | None = None


class _JobList(msgspec.Struct, rename="camel"):
    records: list[_ListedJob]
    done: bool = True
    next_records_url: str | None = None


def _is_like(listed: _ListedJob, spec: IngestSpec, user_id: str) -> bool:
    return (
        listed.object == spec.sobject
        and listed.operation == spec.operation
        and (listed.external_id_field_name or None) == spec.key
        and listed.created_by_id[:_SHORT_ID] == user_id[:_SHORT_ID]
    )


def _created(listed: _ListedJob) -> datetime:
    try:
        return datetime.strptime(listed.created_date, "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError as error:
        raise UnexpectedAnswerError(
            f"Ingest job {listed.id} was created at {listed.created_date!r}, which is not a moment."
        ) from error


def upload(session: Session, job_id: str, content: Content) -> None:
    """Upload a job's rows.

    Raises:
        TransportError: The rows did not arrive, or nobody knows; the job was aborted. A job that
            was never closed processes nothing, so the rows can go into a new one.
        OrgError: The org refused.
    """
    try:
        _upload_once(session, job_id, content)
    except TransportError as error:
        with suppress(OrgError):
            abort(session, job_id)
        # What the retry table says of a request that may have been executed is not true here.
        cause = error.__cause__ if isinstance(error.__cause__, OrgError) else error
        raise TransportError(
            f"The upload to ingest job {job_id} broke off, so the org processes none of its rows: "
            f"{cause.message}",
            may_have_arrived=False,
            hint="Nothing of it was written; `runner resume` sends the rows in a new job.",
        ) from error


def _upload_once(session: Session, job_id: str, content: Content) -> None:
    status = session.send(upload_request(job_id, content)).status
    if status != HTTPStatus.CREATED:
        # A proxy answered, and closing the job would end it without rows.
        raise TransportError(f"the answer was {status} instead of 201.", may_have_arrived=True)


def close(session: Session, job_id: str) -> JobInfo:
    """Close the job, which starts it; if the answer is lost, the job's state says whether it has.

    Raises:
        TransportError: The org cannot be reached.
        OrgError: The org refused.
    """
    retrier = session.retrier

    def attempt() -> JobInfo | OrgError:
        try:
            return job_of(session.send(state_request(job_id, JobState.UPLOAD_COMPLETE)))
        except OrgError as error:
            info = state(session, job_id)
            return error if info.state in {JobState.OPEN, JobState.ABORTED} else info

    def pause_after(outcome: JobInfo | OrgError, tries: int) -> Pause | None:
        lost = isinstance(outcome, TransportError)
        return retrier.backoff(_STILL_OPEN, tries) if lost else None

    outcome = retrier.repeat(attempt, pause_after, most_tries=retrier.policy.attempts)
    if isinstance(outcome, OrgError):
        raise outcome
    return outcome


_STILL_OPEN = Decision(Action.RETRY, Wait.BACKOFF, "the ingest job is still open")


def abort(session: Session, job_id: str) -> JobInfo:
    """Abort a job; rows already processed stay processed."""
    return job_of(session.send(state_request(job_id, JobState.ABORTED)))


def state(session: Session, job_id: str) -> JobInfo:
    """Ask for a job's state."""
    return job_of(session.request("GET", _job_path(job_id)))


def poll(session: Session, job_id: str, pace: Pace, report: Callable[[JobInfo], None]) -> JobInfo:
    """Wait until a job is complete, failed or aborted.

    Raises:
        StillUnderWayError: The time is up.
    """
    return wait_for_end(session.retrier, lambda: state(session, job_id), pace, report)


def rows_in(kind: ResultSet, info: JobInfo) -> int | None:
    """How many rows a result set has; None where the job does not say.

    A job that failed or was aborted may have committed rows after it last counted them.
    """
    if info.state != JobState.JOB_COMPLETE or not info.processed:
        return None
    return {
        ResultSet.SUCCEEDED: max(0, info.processed - info.failed),
        ResultSet.FAILED: info.failed,
    }.get(kind)


def download_results(
    session: Session, job_id: str, kind: ResultSet, to: Path, *, expected: int | None = None
) -> Path | None:
    """Save one of the result sets of an ended job.

    Args:
        session: The org.
        job_id: The job.
        kind: Which set.
        to: The file.
        expected: Its rows, where they are known; see `rows_in`.

    Returns:
        The file; None where the answer was empty, which means no rows. A file with only a header
        means the same.

    Raises:
        DamagedAnswerError: However often it was asked for, it arrived short or garbled.
        OrgError: The org refused, or no longer knows the job.
    """
    save_pages(
        session,
        f"{_job_path(job_id)}/{kind.value}/",
        to,
        what=f"result set {kind.value} of ingest job {job_id}",
        expected=expected,
    )
    if to.stat().st_size == 0:
        to.unlink()
        return None
    return to


def _job_path(job_id: str) -> str:
    return f"{_PATH}/{segment(job_id)}"

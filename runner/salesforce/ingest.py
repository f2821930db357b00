"""Bulk API 2.0 ingest: rows into the org, a file a job.

Knows the calls of an ingest job's life and what to do when the answer to one is lost. Knows
nothing of what is in the files. Source: Bulk API 2.0 guide, API version 41.0; assignment rules
49.0.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runner.errors import OrgError, TransportError
from runner.job.model import Verb
from runner.salesforce.bulk_job import JobInfo, JobState, Pace, job_of, wait_for_end
from runner.salesforce.downloads import save_pages
from runner.salesforce.retry_table import Action, Decision, Wait
from runner.salesforce.session import Session
from runner.salesforce.wire import OrgRequest, json_body, segment

MOST_BYTES = 100_000_000
"""Of one file. The org's own most is 150 MB after it has encoded them as base64."""
_PATH = "/jobs/ingest"
_JSON = {"Content-Type": "application/json"}


class IngestOperation(StrEnum):
    """What a job does with its rows."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hardDelete"
    """Past the recycle bin; the user needs `Bulk API Hard Delete`."""


class ResultSet(StrEnum):
    """One of the three files an ended job leaves; each row is in exactly one."""

    SUCCEEDED = "successfulResults"
    FAILED = "failedResults"
    UNPROCESSED = "unprocessedrecords"


@dataclass(frozen=True, slots=True)
class IngestSpec:
    """What a job is made with."""

    sobject: str
    operation: IngestOperation
    key: str | None = None
    """External Id field of an upsert."""
    assignment_rule_id: str | None = None


def operation_of(verb: Verb, *, hard: bool = False) -> IngestOperation:
    """The operation that carries out a verb."""
    if verb is Verb.DELETE:
        return IngestOperation.HARD_DELETE if hard else IngestOperation.DELETE
    return {
        Verb.CREATE: IngestOperation.INSERT,
        Verb.UPDATE: IngestOperation.UPDATE,
        Verb.UPSERT: IngestOperation.UPSERT,
    }[verb]


def create_request(spec: IngestSpec) -> OrgRequest:
    """Ask for a job. An open job that nobody knows of processes nothing, so it may be repeated."""
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


def upload_request(job_id: str, file: Path) -> OrgRequest:
    """Hand over the rows: UTF-8, commas, LF. Once a job: a second upload spoils it."""
    return OrgRequest(
        "PUT",
        f"{_job_path(job_id)}/batches",
        {"Content-Type": "text/csv"},
        body=file,
        idempotent=False,
    )


def state_request(job_id: str, state: JobState) -> OrgRequest:
    """Close a job (UploadComplete) or abort it (Aborted)."""
    body = json_body({"state": state.value})
    return OrgRequest("PATCH", _job_path(job_id), _JSON, body=body, idempotent=False)


def create_job(session: Session, spec: IngestSpec) -> JobInfo:
    """Make a job.

    Raises:
        OrgError: The org refused: the object, the operation, the key, a permission, a quota.
    """
    return job_of(session.send(create_request(spec)))


def upload(session: Session, job_id: str, file: Path) -> None:
    """Hand a job its rows.

    Raises:
        TransportError: The rows did not arrive, or nobody knows; then the job was aborted. A job
            that was never closed processes nothing: the rows can go into a new one.
        OrgError: The org refused.
    """
    try:
        session.send(upload_request(job_id, file))
    except TransportError as error:
        with suppress(OrgError):
            session.send(state_request(job_id, JobState.ABORTED), retry=False)
        raise TransportError(
            f"The upload to ingest job {job_id} broke off; the job was given up before it began: "
            f"{error.message}",
            may_have_arrived=False,
            hint=error.hint,
        ) from error


def close(session: Session, job_id: str) -> JobInfo:
    """Let the org begin; when the answer is lost, the job's state tells whether it has.

    Raises:
        TransportError: The org cannot be reached to tell.
        OrgError: The org refused.
    """
    retrier = session.retrier
    attempt = 1
    while True:
        try:
            return job_of(session.send(state_request(job_id, JobState.UPLOAD_COMPLETE)))
        except OrgError as error:
            info = state(session, job_id)
            if info.state not in {JobState.OPEN, JobState.ABORTED}:
                return info
            if not isinstance(error, TransportError) or attempt >= retrier.policy.attempts:
                raise
        retrier.pause(attempt, _CLOSE_AGAIN)
        attempt += 1


_CLOSE_AGAIN = Decision(Action.RETRY, Wait.BACKOFF, "the ingest job is still open")
_DELIVER_AGAIN = Decision(Action.RETRY, Wait.BACKOFF, "the upload broke off; a new job takes it")


def deliver(
    session: Session, spec: IngestSpec, file: Path, created: Callable[[JobInfo], None]
) -> JobInfo:
    """Bring a file to the org: make a job, hand it over, close it; anew when the upload breaks off.

    Args:
        session: The org.
        spec: What to make.
        file: At most `MOST_BYTES`.
        created: Is told each job as soon as it is known, before anything is handed over.

    Returns:
        The closed job.

    Raises:
        OrgError: The org refused, or could not be reached often enough.
    """
    retrier = session.retrier
    attempt = 1
    while True:
        job = create_job(session, spec)
        created(job)
        try:
            upload(session, job.id, file)
        except TransportError:
            if attempt >= retrier.policy.attempts:
                raise
        else:
            return close(session, job.id)
        retrier.pause(attempt, _DELIVER_AGAIN)
        attempt += 1


def abort(session: Session, job_id: str) -> JobInfo:
    """Stop a job; rows that are done stay done."""
    return job_of(session.send(state_request(job_id, JobState.ABORTED)))


def state(session: Session, job_id: str) -> JobInfo:
    """Ask how a job is."""
    return job_of(session.request("GET", _job_path(job_id)))


def poll(session: Session, job_id: str, pace: Pace, told: Callable[[JobInfo], None]) -> JobInfo:
    """Wait until a job is complete, failed or aborted.

    Raises:
        TransientError: The time is up.
    """
    return wait_for_end(lambda: state(session, job_id), pace, told)


def download_results(session: Session, job_id: str, kind: ResultSet, to: Path) -> Path | None:
    """Save one of the result sets of an ended job.

    Returns:
        The file; None where the org answered with nothing at all, which means no rows. A file with
        a header only means the same.
    """
    save_pages(session, f"{_job_path(job_id)}/{kind.value}/", to)
    if to.stat().st_size == 0:
        to.unlink()
        return None
    return to


def _job_path(job_id: str) -> str:
    return f"{_PATH}/{segment(job_id)}"

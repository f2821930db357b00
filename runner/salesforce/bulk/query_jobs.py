"""Bulk API 2.0 query: rows out of the org, however many.

Knows the requests of a query job. Knows nothing of what a query selects. Source: Bulk API 2.0
guide, API version 47.0; columns in the order of the SELECT from 50.0.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from runner.errors import OrgError, UnexpectedAnswerError
from runner.salesforce.bulk.csv_pages import Grown, Rewrite, as_it_is, save_pages, unwatched
from runner.salesforce.bulk.job import JobInfo, JobState, Pace, job_of, wait_for_end
from runner.salesforce.bulk.parallel_pages import save_in_parallel
from runner.salesforce.http.messages import OrgRequest, json_body, segment
from runner.salesforce.session import Session
from runner.salesforce.versions import Feature, supports

FEW_ROWS = 50_000
"""Up to here a result is about one page: a single request is fastest."""
_PATH = "/jobs/query"
_JSON = {"Content-Type": "application/json"}


def create_request(soql: str, *, deleted: bool) -> OrgRequest:
    """Create a job. It only reads, so it may be repeated."""
    asked = {
        "operation": "queryAll" if deleted else "query",
        "query": soql,
        "contentType": "CSV",
        "columnDelimiter": "COMMA",
        "lineEnding": "LF",
    }
    return OrgRequest("POST", _PATH, _JSON, body=json_body(asked), idempotent=True)


def create_job(session: Session, soql: str, *, deleted: bool = False) -> JobInfo:
    """Create a job; it starts at once.

    Raises:
        OrgError: The org refused the query, or Bulk does not support it.
    """
    return job_of(session.send(create_request(soql, deleted=deleted)))


def state(session: Session, job_id: str) -> JobInfo:
    """Ask for a job's state."""
    return job_of(session.request("GET", _job_path(job_id)))


def abort(session: Session, job_id: str) -> JobInfo:
    """Abort a job that has not ended."""
    body = json_body({"state": JobState.ABORTED.value})
    request = OrgRequest("PATCH", _job_path(job_id), _JSON, body=body, idempotent=True)
    return job_of(session.send(request))


def poll(session: Session, job_id: str, pace: Pace, report: Callable[[JobInfo], None]) -> JobInfo:
    """Wait until a job is complete, failed or aborted.

    Raises:
        StillUnderWayError: The time is up.
    """
    return wait_for_end(session.retrier, lambda: state(session, job_id), pace, report)


def download(  # noqa: PLR0913 - a job, and how its rows are counted and saved
    session: Session,
    job_id: str,
    to: Path,
    *,
    expected: int = 0,
    report: Callable[[int], None] | None = None,
    rewrite: Rewrite | None = None,
    grown: Grown = unwatched,
) -> int:
    """Save the rows of a complete job as one CSV with one header.

    Args:
        session: The org.
        job_id: A job in state JobComplete.
        to: The file; appears when it is complete.
        expected: Rows that the job reports, 0 if it does not; where they are many, and the API
            version lists their pages, these are downloaded in parallel.
        report: Is given the rows so far, after each page.
        rewrite: Changes each page before any of it is saved.
        grown: Gets how much has arrived of the temporary file that becomes the file.

    Returns:
        Rows, as the org counts them and as they arrived.

    Raises:
        DamagedAnswerError: However often they were asked for, rows are missing.
        UnexpectedAnswerError: The org does not say how many rows there are.
    """
    path = _job_path(job_id)
    version = session.api_version or ""
    if expected > FEW_ROWS and supports(version, Feature.BULK_RESULT_PAGES):
        rows = _in_parallel(
            session,
            path,
            to,
            report=report or _unreported,
            rewrite=rewrite or as_it_is,
            grown=grown,
        )
        if rows == expected:
            return rows
    saved = save_pages(
        session,
        f"{path}/results",
        to,
        what=_result_of(path),
        expected=expected or None,
        report=report,
        rewrite=rewrite or as_it_is,
        grown=grown,
    )
    if saved is None:
        raise UnexpectedAnswerError(f"The org does not say how many rows query job {job_id} found")
    return saved


def _in_parallel(  # noqa: PLR0913 - as `download`
    session: Session,
    path: str,
    to: Path,
    *,
    report: Callable[[int], None],
    rewrite: Rewrite,
    grown: Grown,
) -> int | None:
    """Rows saved; None where the org does not list the pages, so that they come one by one."""
    try:
        what = _result_of(path)
        return save_in_parallel(
            session, path, to, what=what, report=report, rewrite=rewrite, grown=grown
        )
    except OrgError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None


def _result_of(path: str) -> str:
    return f"result of query job {path.rpartition('/')[2]}"


def _unreported(_rows: int) -> None:
    """No report was asked for."""


def _job_path(job_id: str) -> str:
    return f"{_PATH}/{segment(job_id)}"

"""`/jobs/query`: Bulk API 2.0 jobs that read.

Knows requests and responses; `bulk/` does the work. Source of shapes and messages: the Bulk API 2.0
developer guide and recorded responses of real orgs.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from msgspec.structs import replace

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.bulk.jobs import TERMINAL, Job, JobKind, Jobs, JobState
from runner.local_org.bulk.queries import ResultPage, page_of, prepared, row_of
from runner.local_org.bulk.worker import BulkWorker
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.resources.job_requests import (
    JobBody,
    abort,
    check_ended,
    created_shape,
    delete,
    job_of,
    listing,
    new_job,
    short_shape,
)
from runner.local_org.resources.request_parsing import caller

_MEMBERS = frozenset({"operation", "query", "contentType", "lineEnding", "columnDelimiter"})
_PAGES_LISTED = 5


def _create(org: Org, request: Request) -> Response:
    body = JobBody.of(request.json(), _MEMBERS)
    operation = body.text("operation")
    if operation not in {"query", "queryAll"}:
        raise ApiRefusal(400, "INVALIDOPERATION", f"{operation or 'null'} is not a valid operation")
    text = body.text("query")
    if text is None:
        raise ApiRefusal(400, "INVALIDJOB", "query is required")
    job = new_job(org, request, JobKind.QUERY, body, sobject="")
    job = replace(job, query=text, state=JobState.UPLOAD_COMPLETE)
    query = prepared(org, job, caller(org, request))
    if query.bulk_refusal is not None:
        raise ApiRefusal(400, "API_ERROR", query.bulk_refusal)
    job = org.part(Jobs).create(JobKind.QUERY, replace(job, object=query.entity.name))
    org.part(BulkWorker).start(job)
    return Response.of_json(created_shape(job))


def _info(org: Org, request: Request) -> Response:
    job = job_of(org, request, JobKind.QUERY)
    shape = created_shape(job) | {"jobType": job.kind}
    if job.state in TERMINAL or job.state is JobState.IN_PROGRESS:
        shape["numberRecordsProcessed"] = job.rows_done
    shape |= {"retries": 0, "totalProcessingTime": job.total_ms, "isPkChunkingSupported": True}
    if job.state is JobState.FAILED:
        shape["errorMessage"] = job.failure
    return Response.of_json(shape)


def _change(org: Org, request: Request) -> Response:
    job = job_of(org, request, JobKind.QUERY)
    wanted = JobBody.of(request.json(), {"state"}).text("state")
    if wanted != JobState.ABORTED:
        raise ApiRefusal(
            400, "INVALIDJOBSTATE", f"A job cannot be put in the state {wanted or 'null'}"
        )
    return Response.of_json(short_shape(abort(org, job)))


def _list(org: Org, request: Request) -> Response:
    return listing(org, request, JobKind.QUERY, "/jobs/query")


def _delete(org: Org, request: Request) -> Response:
    return delete(org, job_of(org, request, JobKind.QUERY), allowed=TERMINAL)


def _results(org: Org, request: Request) -> Response:
    job = job_of(org, request, JobKind.QUERY)
    page = _page(_complete(org, job), request, _page_rows(org, request))
    return Response(
        200,
        page.blocks(),
        {
            "Content-Type": "text/csv",
            "Sforce-NumberOfRecords": str(page.rows),
            # The last page has the word null, not an empty header.
            "Sforce-Locator": page.next_locator or "null",
        },
    )


def _result_pages(org: Org, request: Request) -> Response:
    """URLs of the next five pages, which can be fetched in parallel."""
    job = job_of(org, request, JobKind.QUERY)
    folder, most = _complete(org, job), _page_rows(org, request)
    base = f"/services/data/v{job.api_version}/jobs/query/{job.id}"
    page: ResultPage | None = _page(folder, request, most)
    urls: list[dict[str, str]] = []
    locator = request.arg("locator") or None
    while page is not None and len(urls) < _PAGES_LISTED:
        urls.append({"resultUrl": _page_url(f"{base}/results", request, locator)})
        locator = page.next_locator
        page = page_of(folder, row_of(locator) or 0, most) if locator else None
    shape: dict[str, object] = {"resultPages": urls, "done": locator is None}
    if locator is not None:
        shape["nextRecordsUrl"] = _page_url(f"{base}/resultpages", request, locator)
    return Response.of_json(shape)


def _page_url(path: str, request: Request, locator: str | None) -> str:
    """The URL of a page; it repeats the requested size, or pages would overlap."""
    text = {"locator": locator, "maxRecords": request.arg("maxRecords")}
    query = urlencode({name: value for name, value in text.items() if value})
    return f"{path}?{query}" if query else path


def _complete(org: Org, job: Job) -> Path:
    check_ended(job)
    if job.state is not JobState.JOB_COMPLETE:
        raise ApiRefusal(
            400, "INVALIDJOBSTATE", f"Results are not available: the job is {job.state}"
        )
    return org.part(Jobs).folder(job)


def _page(folder: Path, request: Request, most: int) -> ResultPage:
    start = row_of(request.arg("locator")) if request.arg("locator") else 0
    page = page_of(folder, start, most) if start is not None else None
    if page is None:
        raise ApiRefusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return page


def _page_rows(org: Org, request: Request) -> int:
    text = request.arg("maxRecords")
    if not text:
        return org.settings.bulk_query_page_rows
    if not text.isdecimal() or int(text) == 0:
        raise ApiRefusal(400, "CLIENTINPUTERROR", f"maxRecords is not a positive number: {text}")
    return int(text)


_JOB = r"/jobs/query/(?P<job_id>[A-Za-z0-9]+)"
_SINCE = 47.0
_PAGES_SINCE = 58.0
ROUTES = (
    Route("POST", "/jobs/query", _create, min_version=_SINCE),
    Route("GET", "/jobs/query", _list, min_version=_SINCE),
    Route("GET", _JOB, _info, min_version=_SINCE),
    Route("PATCH", _JOB, _change, min_version=_SINCE),
    Route("DELETE", _JOB, _delete, min_version=_SINCE),
    Route("GET", f"{_JOB}/results", _results, min_version=_SINCE),
    Route("GET", f"{_JOB}/(?i:resultPages)", _result_pages, min_version=_PAGES_SINCE),
)

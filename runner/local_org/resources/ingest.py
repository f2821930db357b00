"""`/jobs/ingest`: Bulk API 2.0 jobs that write.

Knows requests and responses; `bulk/` does the work. Source of shapes and messages: the Bulk API 2.0
developer guide and recorded responses of real orgs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.bulk.ingest import FAILED, SUCCEEDED, UPLOAD, result_header, rows_left
from runner.local_org.bulk.jobs import Job, JobKind, Jobs, JobState
from runner.local_org.bulk.worker import BulkWorker
from runner.local_org.catalog.model import SObject
from runner.local_org.http.messages import Endpoint, Request, Response, Route
from runner.local_org.http.multipart import MultipartError, parts_of
from runner.local_org.org import Org
from runner.local_org.records import is_key
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
    wrong_state,
)

MAX_UPLOAD_BYTES = 112_500_000
"""The content size that is 150 MB in base64."""
MAX_MULTIPART_CHARACTERS = 100_000
_OPERATIONS = ("insert", "update", "upsert", "delete", "hardDelete")
_MEMBERS = frozenset(
    {
        "object",
        "operation",
        "externalIdFieldName",
        "contentType",
        "lineEnding",
        "columnDelimiter",
        "concurrencyMode",
    }
)
_ASSIGNMENT_SINCE = 49.0
_DELETABLE = (JobState.UPLOAD_COMPLETE, JobState.JOB_COMPLETE, JobState.ABORTED, JobState.FAILED)
_BLOCK = 256 * 1024
_CSV = "text/csv"


def _create(org: Org, request: Request) -> Response:
    kind = request.headers.get("content-type", "")
    if kind.lower().startswith("multipart/form-data"):
        return _create_with_content(org, request, kind)
    job = org.part(Jobs).create(JobKind.INGEST, _new_job(org, request, request.json()))
    return Response.of_json(created_shape(job))


def _create_with_content(org: Org, request: Request, kind: str) -> Response:
    """One request that creates, fills and closes a job."""
    try:
        parts = parts_of(request.body, kind)
        body, content = json.loads(parts["job"]), parts["content"]
    except (MultipartError, KeyError):
        raise ApiRefusal(
            400, "INVALIDJOB", "A multipart job needs the parts 'job' and 'content'"
        ) from None
    if len(content.decode(errors="replace")) > MAX_MULTIPART_CHARACTERS:
        raise ApiRefusal(
            400,
            "CLIENTINPUTERROR",
            f"Content of a multipart job is longer than {MAX_MULTIPART_CHARACTERS} characters",
        )
    jobs = org.part(Jobs)
    job = jobs.create(JobKind.INGEST, _new_job(org, request, body))
    (jobs.folder(job) / UPLOAD).write_bytes(content)
    job = jobs.change(job, state=JobState.UPLOAD_COMPLETE, uploads=1)
    org.part(BulkWorker).start(job)
    return Response.of_json(created_shape(job))


def _new_job(org: Org, request: Request, content: object) -> Job:
    takes_rule = (request.version or 0) >= _ASSIGNMENT_SINCE
    body = JobBody.of(content, _MEMBERS | ({"assignmentRuleId"} if takes_rule else set()))
    operation = body.text("operation")
    if operation not in _OPERATIONS:
        raise ApiRefusal(400, "INVALIDOPERATION", f"{operation or 'null'} is not a valid operation")
    if operation == "hardDelete" and not org.settings.hard_delete_allowed:
        raise ApiRefusal(
            400, "FEATURENOTENABLED", "hardDelete needs the permission Bulk API Hard Delete"
        )
    named = body.text("object")
    if named is None:
        raise ApiRefusal(400, "INVALIDJOB", "object is required")
    sobject = org.catalog.sobject(named)
    if sobject is None or not sobject.flags.get("createable", False):
        raise ApiRefusal(400, "INVALIDENTITY", f"{named} is not supported by the Bulk API")
    job = new_job(org, request, JobKind.INGEST, body, sobject=sobject.name)
    external_id = body.text("externalIdFieldName")
    return replace(
        job,
        external_id=_key(sobject, external_id) if operation == "upsert" else None,
        assignment_rule=body.text("assignmentRuleId"),
    )


def _key(sobject: SObject, name: str | None) -> str:
    if name is None:
        raise ApiRefusal(
            400,
            "INVALIDJOB",
            f"External ID was blank for {sobject.name}. "
            "An External ID must be specified for upsert.",
        )
    field = sobject.field(name)
    if field is None or not is_key(field):
        raise ApiRefusal(
            400,
            "INVALIDJOB",
            f"Field name provided, {name} does not match an External ID, Salesforce Id, or "
            f"indexed field for {sobject.name}",
        )
    return field.name


def _upload(org: Org, request: Request) -> Response:
    jobs = org.part(Jobs)
    job = job_of(org, request, JobKind.INGEST)
    if not request.headers.get("content-type", "").lower().startswith(_CSV):
        raise ApiRefusal(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be text/csv")
    if job.state is not JobState.OPEN:
        raise wrong_state("Uploading to", job)
    if not jobs.takes_data(job):
        raise ApiRefusal(400, "INVALIDJOB", "A job takes no more data 24 hours after its creation")
    part = jobs.folder(job) / f"{UPLOAD}.part"
    with request.open_body() as body, part.open("wb") as file:
        shutil.copyfileobj(body, file, _BLOCK)
    if part.stat().st_size > MAX_UPLOAD_BYTES:
        part.unlink()
        raise ApiRefusal(
            400, "CLIENTINPUTERROR", "Content is larger than 150 MB once encoded in base64"
        )
    part.replace(jobs.folder(job) / UPLOAD)
    with org.store.writing():
        jobs.change(jobs.get(job.id, JobKind.INGEST), uploads=job.uploads + 1)
    return Response(201)


def _change(org: Org, request: Request) -> Response:
    job = job_of(org, request, JobKind.INGEST)
    wanted = JobBody.of(request.json(), {"state"}).text("state")
    if wanted == JobState.ABORTED:
        return Response.of_json(short_shape(abort(org, job)))
    if wanted != JobState.UPLOAD_COMPLETE:
        raise ApiRefusal(
            400, "INVALIDJOBSTATE", f"A job cannot be put in the state {wanted or 'null'}"
        )
    return Response.of_json(short_shape(_close(org, job)))


def _close(org: Org, job: Job) -> Job:
    if job.uploads > 1:
        raise ApiRefusal(
            400,
            "INVALIDJOB",
            f"Found multipe contents for job: <{job.number}>, please 'Close' / 'Abort' / 'Delete' "
            "the current Job then create a new Job and make sure you only do 'PUT' once on a "
            "given Job.",
        )
    closed = org.part(Jobs).move(
        job.id, JobState.UPLOAD_COMPLETE, out_of=frozenset({JobState.OPEN})
    )
    if closed is None:
        raise wrong_state("Closing", job)
    org.part(BulkWorker).start(closed)
    return closed


def _info(org: Org, request: Request) -> Response:
    job = job_of(org, request, JobKind.INGEST)
    shape = created_shape(job) | {"jobType": job.kind}
    if job.state not in {JobState.OPEN, JobState.UPLOAD_COMPLETE}:
        shape |= {"numberRecordsProcessed": job.rows_done, "numberRecordsFailed": job.rows_failed}
    shape |= {
        "retries": 0,
        "totalProcessingTime": job.total_ms,
        "apiActiveProcessingTime": job.active_ms,
        "apexProcessingTime": 0,
    }
    if job.state is JobState.FAILED:
        shape["errorMessage"] = job.failure
    return Response.of_json(shape)


def _list(org: Org, request: Request) -> Response:
    return listing(org, request, JobKind.INGEST, "/jobs/ingest")


def _delete(org: Org, request: Request) -> Response:
    return delete(org, job_of(org, request, JobKind.INGEST), allowed=_DELETABLE)


def _results(file_name: str, *names: str) -> Endpoint:
    def answer(org: Org, request: Request) -> Response:
        job = job_of(org, request, JobKind.INGEST)
        check_ended(job)
        folder = org.part(Jobs).folder(job)
        size = job.succeeded_bytes if file_name == SUCCEEDED else job.failed_bytes
        blocks = _headed(result_header(job, folder, *names), folder / file_name, 0, size)
        return Response(200, blocks, {"Content-Type": _CSV})

    return answer


def _unprocessed(org: Org, request: Request) -> Response:
    job = job_of(org, request, JobKind.INGEST)
    check_ended(job)
    folder = org.part(Jobs).folder(job)
    start, end = rows_left(job, folder)
    blocks = _headed(result_header(job, folder), folder / UPLOAD, start, end)
    return Response(200, blocks, {"Content-Type": _CSV})


def _headed(header: bytes, path: Path, start: int, end: int) -> Iterator[bytes]:
    yield header
    if start >= end:
        return
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (block := file.read(min(_BLOCK, end - start))):
            start += len(block)
            yield block


_JOB = r"/jobs/ingest/(?P<job_id>[A-Za-z0-9]+)"
_SINCE = 41.0
ROUTES = (
    Route("POST", "/jobs/ingest", _create, min_version=_SINCE),
    Route("GET", "/jobs/ingest", _list, min_version=_SINCE),
    Route("GET", _JOB, _info, min_version=_SINCE),
    Route("PATCH", _JOB, _change, min_version=_SINCE),
    Route("DELETE", _JOB, _delete, min_version=_SINCE),
    Route("PUT", f"{_JOB}/batches", _upload, min_version=_SINCE, streams=True),
    Route(
        "GET",
        f"{_JOB}/(?i:successfulResults)",
        _results(SUCCEEDED, "sf__Id", "sf__Created"),
        min_version=_SINCE,
    ),
    Route(
        "GET",
        f"{_JOB}/(?i:failedResults)",
        _results(FAILED, "sf__Id", "sf__Error"),
        min_version=_SINCE,
    ),
    Route("GET", f"{_JOB}/(?i:unprocessedRecords)", _unprocessed, min_version=_SINCE),
)

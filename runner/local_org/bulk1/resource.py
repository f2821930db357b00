"""`/services/async/NN.0/job`: Bulk API 1.0, for clients that still use it.

Jobs with CSV or JSON content. Answers about a job use the format of the request,
answers about a batch the format of the job's content (XML for CSV). The session is in the header
`X-SFDC-Session`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from runner.local_org.bulk.failure import JobFailure
from runner.local_org.bulk1 import chunks, shapes
from runner.local_org.bulk1.jobs import (
    QUERIES,
    Batch,
    BatchState,
    Bulk1Job,
    Bulk1Jobs,
    Bulk1JobState,
)
from runner.local_org.bulk1.shapes import Bulk1Refusal
from runner.local_org.bulk1.transformation import Transformation
from runner.local_org.bulk1.worker import Bulk1Worker
from runner.local_org.catalog.model import SObject
from runner.local_org.http.messages import Endpoint, Request, Response, Route
from runner.local_org.oauth.sessions import Session, Sessions
from runner.local_org.org import Org
from runner.local_org.records import is_key

MAX_BATCH_BYTES = 10_000_000
_OPERATIONS = frozenset({"insert", "update", "upsert", "delete", "hardDelete"}) | QUERIES
_MODES = {
    "": "Parallel",
    "0": "Parallel",
    "1": "Serial",
    "Parallel": "Parallel",
    "Serial": "Serial",
}
_VERSION = re.compile(r"[1-9]\d?\.0")
_BLOCK = 256 * 1024


class _Bulk1Request(Struct, frozen=True):
    """One request in a session, with the job and batch of its path."""

    org: Org
    request: Request
    session: Session
    version: float

    @property
    def jobs(self) -> Bulk1Jobs:
        return self.org.part(Bulk1Jobs)

    @property
    def job(self) -> Bulk1Job:
        job = self.jobs.find(self.request.params["job_id"])
        if job is None:
            raise Bulk1Refusal("InvalidJob", "Invalid job id: " + self.request.params["job_id"])
        return job

    @property
    def batch(self) -> Batch:
        batch_id = self.request.params["batch_id"]
        batch = self.jobs.batch(self.job.id, batch_id)
        if batch is None:
            raise Bulk1Refusal("InvalidBatch", f"Invalid batch id: {batch_id}")
        return batch


def _speaks_json(request: Request) -> bool:
    media_type = request.headers.get("content-type") or request.headers.get("accept", "")
    return "json" in media_type.lower()


def _refused_in_json(org: Org, request: Request) -> bool:
    """A refusal about a batch has the format of its job, like every answer about a batch."""
    job = org.part(Bulk1Jobs).find(request.params.get("job_id", ""))
    if job is not None and "/batch" in request.path:
        return job.content_type == "JSON"
    return _speaks_json(request)


def _members(request: Request) -> Mapping[str, object]:
    if not _speaks_json(request):
        return shapes.members_of(request.body)
    try:
        body = request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Bulk1Refusal("InvalidJob", "Unable to parse Job")
    return body


def _create(call: _Bulk1Request) -> Response:
    members = {
        name: "" if value is None else str(value) for name, value in _members(call.request).items()
    }
    operation = members.get("operation", "")
    if operation not in _OPERATIONS:
        raise Bulk1Refusal("InvalidJob", f"Unable to parse Job: operation {operation!r}")
    if members.get("contentType") not in {"CSV", "JSON"}:
        raise Bulk1Refusal("InvalidJob", "The local org accepts the content types CSV and JSON")
    if members.get("concurrencyMode", "") not in _MODES:
        raise Bulk1Refusal("InvalidJob", "Unable to parse Job: concurrencyMode")
    sobject = call.org.catalog.sobject(members.get("object", ""))
    if sobject is None:
        named = members.get("object", "")
        raise Bulk1Refusal("InvalidEntity", f"Entity '{named}' is not supported by the Bulk API.")
    if operation == "hardDelete" and not call.org.settings.hard_delete_allowed:
        raise Bulk1Refusal("FeatureNotEnabled", "hardDelete needs Bulk API Hard Delete")
    if operation != "upsert" and members.get("externalIdFieldName"):
        raise Bulk1Refusal("InvalidJob", "External ID can be specified only for upsert")
    job = call.jobs.create(
        Bulk1Job(
            id="",
            operation=operation,
            object=sobject.name,
            user_id=call.session.user.id,
            api_version=call.version,
            made="",
            modstamp="",
            content_type=members["contentType"],
            concurrency=_MODES[members.get("concurrencyMode", "")],
            external_id=_key(sobject, members) if operation == "upsert" else None,
            chunk_rows=chunks.rows_of(call.request.headers.get("sforce-enable-pkchunking", "")),
        )
    )
    return _of_job(call, job, 201)


def _key(sobject: SObject, members: Mapping[str, str]) -> str:
    name = members.get("externalIdFieldName", "")
    field = sobject.field(name)
    if not name:
        raise Bulk1Refusal(
            "InvalidJob",
            f"External ID was blank for {sobject.name}. "
            "An External ID must be specified for upsert.",
        )
    if field is None or not is_key(field):
        raise Bulk1Refusal(
            "InvalidJob",
            f"Field name provided, {name} does not match an External ID, Salesforce Id, or "
            f"indexed field for {sobject.name}",
        )
    return field.name


def _of_job(call: _Bulk1Request, job: Bulk1Job, status: int = 200) -> Response:
    as_json = _speaks_json(call.request)
    info = shapes.job_info(job, call.jobs.batches(job.id), as_json=as_json)
    return shapes.shaped("jobInfo", info, as_json=as_json, status=status)


def _info(call: _Bulk1Request) -> Response:
    return _of_job(call, call.job)


def _change(call: _Bulk1Request) -> Response:
    members = _members(call.request)
    job, wanted = call.job, members.get("state")
    if "operation" in members or "object" in members:
        raise Bulk1Refusal("InvalidJob", "Only the state of a job can be changed")
    if wanted not in {Bulk1JobState.CLOSED, Bulk1JobState.ABORTED}:
        raise Bulk1Refusal("InvalidJobState", f"A job cannot be put in the state {wanted}")
    if job.state is not Bulk1JobState.OPEN and wanted != job.state:
        raise Bulk1Refusal("InvalidJobState", f"{wanted} already {job.state} Job not allowed")
    return _of_job(call, call.jobs.change_job(job, Bulk1JobState(str(wanted))))


def _add(call: _Bulk1Request) -> Response:
    job = call.job
    if job.state is not Bulk1JobState.OPEN:
        raise Bulk1Refusal("InvalidJobState", f"Job is {job.state}: it accepts no batches")
    if not call.jobs.takes_batches(job):
        raise Bulk1Refusal("InvalidJob", "A job takes no more batches 24 hours after its creation")
    if not call.request.body:
        raise Bulk1Refusal("ClientInputError", "Unable to find any data to create batch")
    if len(call.request.body) > MAX_BATCH_BYTES:
        raise Bulk1Refusal("InvalidBatch", f"A batch is at most {MAX_BATCH_BYTES} bytes")
    batch = call.jobs.add(job, call.request.body)
    call.org.part(Bulk1Worker).start(batch)
    response = _of_batch(job, batch, 201)
    response.headers["Location"] = f"{call.request.path}/{batch.id}"
    return response


def _transform(call: _Bulk1Request) -> Response:
    """Save a transformation spec; salesforce-bulk takes no other status than 201 for success."""
    job = call.job
    sobject = call.org.catalog.sobject(job.object)
    if job.state is not Bulk1JobState.OPEN:
        raise Bulk1Refusal("InvalidJobState", f"Job is {job.state}: it accepts no spec")
    if job.content_type != "CSV" or job.queries or sobject is None:
        raise Bulk1Refusal("InvalidJob", "Only jobs that write CSV have a transformation spec")
    try:
        text = call.request.body.decode()
        Transformation(text, sobject)
    except (JobFailure, UnicodeDecodeError) as failure:
        raise Bulk1Refusal("InvalidBatch", str(failure)) from None
    return _of_job(call, call.jobs.set_spec(job, text), 201)


def _of_batch(job: Bulk1Job, batch: Batch, status: int = 200) -> Response:
    as_json = job.content_type == "JSON"
    info = shapes.batch_info(batch, as_json=as_json)
    return shapes.shaped("batchInfo", info, as_json=as_json, status=status)


def _list(call: _Bulk1Request) -> Response:
    job = call.job
    as_json = job.content_type == "JSON"
    batches = [shapes.batch_info(batch, as_json=as_json) for batch in call.jobs.batches(job.id)]
    return shapes.batch_list(batches, as_json=as_json)


def _batch(call: _Bulk1Request) -> Response:
    return _of_batch(call.job, call.batch)


def _sent(call: _Bulk1Request) -> Response:
    return _content(call.job, call.jobs.request_path(call.batch))


def _result(call: _Bulk1Request) -> Response:
    job, batch = call.job, call.batch
    if batch.state is not BatchState.COMPLETED:
        raise Bulk1Refusal("InvalidBatch", f"Batch not completed: it is {batch.state}")
    if job.queries:
        return shapes.result_list(batch.result_id, as_json=job.content_type == "JSON")
    return _content(job, call.jobs.result_path(batch))


def _found(call: _Bulk1Request) -> Response:
    batch = call.batch
    if batch.state is not BatchState.COMPLETED or call.request.params["result_id"] not in {
        batch.result_id,
        batch.result_id[:15],
    }:
        raise Bulk1Refusal("InvalidBatch", "Invalid result id")
    return _content(call.job, call.jobs.result_path(batch))


def _content(job: Bulk1Job, path: Path) -> Response:
    return Response(200, _blocks(path), shapes.content_headers(as_json=job.content_type == "JSON"))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _answering(ask: Callable[[_Bulk1Request], Response]) -> Endpoint:
    def answer(org: Org, request: Request) -> Response:
        try:
            return ask(_signed_in(org, request))
        except Bulk1Refusal as refusal:
            return refusal.response(as_json=_refused_in_json(org, request))

    return answer


def _signed_in(org: Org, request: Request) -> _Bulk1Request:
    token = request.session_token
    session = org.part(Sessions).find(token)
    if session is None:
        words = "Invalid session id" if token else "Unable to find session id"
        raise Bulk1Refusal("InvalidSessionId", words)
    version = request.params["version"]
    if not _VERSION.fullmatch(version) or float(version) not in org.settings.served_versions:
        raise Bulk1Refusal("InvalidVersion", f"Api version {version} is not supported")
    return _Bulk1Request(org, request, session, float(version))


_JOBS = r"/services/async/(?P<version>[^/]+)/job"
_JOB = rf"{_JOBS}/(?P<job_id>[^/]+)"
_BATCH = rf"{_JOB}/batch/(?P<batch_id>[^/]+)"
ROUTES = tuple(
    Route(method, path, _answering(ask), versioned=False, signed_in=False)
    for method, path, ask in (
        ("POST", _JOBS, _create),
        ("GET", _JOB, _info),
        ("POST", _JOB, _change),
        ("POST", f"{_JOB}/spec", _transform),
        ("POST", f"{_JOB}/batch", _add),
        ("GET", f"{_JOB}/batch", _list),
        ("GET", _BATCH, _batch),
        ("GET", f"{_BATCH}/request", _sent),
        ("GET", f"{_BATCH}/result", _result),
        ("GET", rf"{_BATCH}/result/(?P<result_id>[^/]+)", _found),
    )
)

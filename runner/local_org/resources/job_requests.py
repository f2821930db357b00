"""What ingest and query jobs share: bodies, state changes, lists, shapes.

Knows the JSON of Bulk API 2.0. Runs no job.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping

from msgspec import Struct

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.bulk.jobs import (
    DELIMITERS,
    LINE_ENDINGS,
    TERMINAL,
    UNDER_WAY,
    Job,
    JobKind,
    Jobs,
    JobState,
    stamp,
)
from runner.local_org.http.messages import Request, Response
from runner.local_org.org import Org
from runner.local_org.resources.request_parsing import caller

LISTED_AT_ONCE = 1_000
_STATE_NAMES = {
    JobState.OPEN: "Open",
    JobState.UPLOAD_COMPLETE: "Closed",
    JobState.IN_PROGRESS: "InProgress",
    JobState.JOB_COMPLETE: "Completed",
    JobState.FAILED: "Failed",
    JobState.ABORTED: "Aborted",
}


class JobBody(Struct, frozen=True):
    """The body of a create or a change, with checked access to its members."""

    members: Mapping[str, object]

    @classmethod
    def of(cls, members: object, known: Collection[str]) -> JobBody:
        """Refuse a value that is not an object or has unknown members.

        Raises:
            ApiRefusal: 400 JSON_PARSER_ERROR.
        """
        if not isinstance(members, dict):
            raise ApiRefusal(400, "JSON_PARSER_ERROR", "The request body is not a JSON object")
        for name in members:
            if name not in known:
                raise ApiRefusal(400, "JSON_PARSER_ERROR", f'Unrecognized field "{name}"')
        return cls(members)

    def text(self, name: str) -> str | None:
        """A member's text; None if absent, null or empty."""
        value = self.members.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise ApiRefusal(400, "JSON_PARSER_ERROR", f"{name} is not a string")
        return value

    def choice(self, name: str, allowed: Collection[str], default: str | None = None) -> str:
        """A member with a fixed set of values.

        Raises:
            ApiRefusal: 400 INVALIDJOB.
        """
        value = self.text(name) or default
        if value is None:
            raise ApiRefusal(400, "INVALIDJOB", f"{name} is required")
        if value not in allowed:
            raise ApiRefusal(
                400, "INVALIDJOB", f"Unable to parse Job: {value} is not a valid {name}"
            )
        return value


def new_job(org: Org, request: Request, kind: JobKind, body: JobBody, *, sobject: str) -> Job:
    """The job that a body describes, not saved yet."""
    body.choice("contentType", ("CSV",), "CSV")
    body.choice("concurrencyMode", ("Parallel",), "Parallel")
    return Job(
        id="",
        kind=kind,
        operation=body.text("operation") or "",
        object=sobject,
        user_id=caller(org, request).id,
        api_version=request.version or 0.0,
        made="",
        modstamp="",
        state=JobState.OPEN,
        line_ending=body.choice("lineEnding", LINE_ENDINGS, "LF"),
        delimiter=body.choice("columnDelimiter", DELIMITERS, "COMMA"),
    )


def job_of(org: Org, request: Request, kind: JobKind) -> Job:
    """The job of a path, requested with the version that created it.

    Raises:
        ApiRefusal: 404, or 409 for another version.
    """
    job = org.part(Jobs).get(request.params["job_id"], kind)
    if job.api_version != request.version:
        raise ApiRefusal(
            409,
            "INVALIDVERSION",
            f"The job was created with version {job.api_version}, not {request.version}",
        )
    return job


def abort(org: Org, job: Job) -> Job:
    """Abort a job that has not ended.

    Raises:
        ApiRefusal: 400 INVALIDJOBSTATE.
    """
    aborted = org.part(Jobs).move(
        job.id, JobState.ABORTED, out_of=frozenset({JobState.OPEN, *UNDER_WAY})
    )
    if aborted is None:
        raise wrong_state("Aborting", job)
    return aborted


def delete(org: Org, job: Job, *, allowed: Collection[JobState]) -> Response:
    """Delete a job if its state allows it.

    Raises:
        ApiRefusal: 400 API_ERROR.
    """
    if job.state not in allowed:
        raise ApiRefusal(
            400,
            "API_ERROR",
            "Error encountered when deleting the job because the job is not terminated",
        )
    org.part(Jobs).delete(job)
    return Response(204)


def wrong_state(doing: str, job: Job) -> ApiRefusal:
    """A transition that the job's state does not allow."""
    return ApiRefusal(
        400, "INVALIDJOBSTATE", f"{doing} already {_STATE_NAMES[job.state]} Job not allowed"
    )


def check_ended(job: Job) -> None:
    """Refuse to return results before the job has ended.

    Raises:
        ApiRefusal: 400 INVALIDJOBSTATE.
    """
    if job.state not in TERMINAL:
        raise ApiRefusal(
            400, "INVALIDJOBSTATE", f"Results are not available: the job is {job.state}"
        )


def short_shape(job: Job) -> dict[str, object]:
    """The members of every answer about a job; a change is answered with only these."""
    shape: dict[str, object] = {
        "id": job.id,
        "operation": job.operation,
        "object": job.object,
        "createdById": job.user_id,
        "createdDate": stamp(job.made),
        "systemModstamp": stamp(job.modstamp),
        "state": job.state,
    }
    if job.external_id is not None:
        shape["externalIdFieldName"] = job.external_id
    if job.assignment_rule is not None:
        shape["assignmentRuleId"] = job.assignment_rule
    return shape | {
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": job.api_version,
    }


def created_shape(job: Job) -> dict[str, object]:
    """A job as answered on creation; with `contentUrl` only while it accepts content."""
    shape = short_shape(job)
    if job.kind is JobKind.INGEST and job.state is JobState.OPEN:
        shape["contentUrl"] = f"services/data/v{job.api_version}/jobs/ingest/{job.id}/batches"
    return shape | {"lineEnding": job.line_ending, "columnDelimiter": job.delimiter}


def listing(org: Org, request: Request, kind: JobKind, path: str) -> Response:
    """Jobs of one kind, a thousand per page."""
    start = _start_of(request.arg("queryLocator"))
    wanted = request.arg("jobType")
    jobs = org.part(Jobs).page(kind, start, LISTED_AT_ONCE + 1) if wanted in {"", kind} else []
    more = len(jobs) > LISTED_AT_ONCE
    locator = base64.urlsafe_b64encode(str(start + LISTED_AT_ONCE).encode()).decode()
    base = f"/services/data/v{request.version}{path}"
    return Response.of_json(
        {
            "done": not more,
            "nextRecordsUrl": f"{base}?queryLocator={locator}" if more else None,
            "records": [created_shape(job) | {"jobType": kind} for job in jobs[:LISTED_AT_ONCE]],
        }
    )


def _start_of(locator: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(locator)) if locator else 0
    except (binascii.Error, ValueError):
        raise ApiRefusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator") from None

"""Jobs, batches and errors of Bulk API 1.0 as XML or JSON.

Knows shapes only. Source: the Bulk API developer guide and recorded answers of real orgs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from runner.local_org.bulk1.jobs import Batch, BatchState, Bulk1Job
from runner.local_org.http.messages import Response

NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"
_XML_TYPE = "application/xml"
_JSON_TYPE = "application/json"
"""Without a charset, unlike in the rest of the API."""
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


class Bulk1Refusal(Exception):  # noqa: N818 - it is an answer, not a defect
    """A request refused with Bulk API 1.0's error: one object, not an array."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    def response(self, *, as_json: bool) -> Response:
        """The response."""
        members = {"exceptionCode": self.code, "exceptionMessage": self.message}
        return shaped("error", members, as_json=as_json, status=self.status)


def shaped(
    name: str, members: Mapping[str, object], *, as_json: bool, status: int = 200
) -> Response:
    """One object as a response; XML omits null members."""
    if as_json:
        return _json(members, status)
    return _xml(f'<{name} xmlns="{NAMESPACE}">{_members(members)}</{name}>', status)


def batch_list(batches: Sequence[Mapping[str, object]], *, as_json: bool) -> Response:
    """All batches of a job."""
    if as_json:
        return _json({"batchInfo": batches}, 200)
    inner = "".join(f"<batchInfo>{_members(batch)}</batchInfo>" for batch in batches)
    return _xml(f'<batchInfoList xmlns="{NAMESPACE}">{inner}</batchInfoList>', 200)


def result_list(result_id: str, *, as_json: bool) -> Response:
    """The results of a query batch: here always one."""
    if as_json:
        return _json([result_id], 200)
    inner = f"<result>{result_id}</result>"
    return _xml(f'<result-list xmlns="{NAMESPACE}">{inner}</result-list>', 200)


def job_info(job: Bulk1Job, batches: Sequence[Batch], *, as_json: bool) -> dict[str, object]:
    """A job with the counts of its batches."""
    states = Counter(batch.state for batch in batches)
    return {
        "id": job.id,
        "operation": job.operation,
        "object": job.object,
        "createdById": job.user_id,
        "createdDate": _moment(job.made, as_json=as_json),
        "systemModstamp": _moment(job.modstamp, as_json=as_json),
        "state": job.state,
        "externalIdFieldName": job.external_id,
        "concurrencyMode": job.concurrency,
        "contentType": job.content_type,
        "numberBatchesQueued": states[BatchState.QUEUED],
        "numberBatchesInProgress": states[BatchState.IN_PROGRESS],
        "numberBatchesCompleted": states[BatchState.COMPLETED],
        "numberBatchesFailed": states[BatchState.FAILED],
        "numberBatchesTotal": len(batches),
        "numberRecordsProcessed": sum(batch.rows_done for batch in batches),
        "numberRetries": 0,
        "apiVersion": job.api_version,
        "assignmentRuleId": None,
        "fastPathEnabled": False if as_json else None,
        "numberRecordsFailed": sum(batch.rows_failed for batch in batches),
        "totalProcessingTime": sum(batch.total_ms for batch in batches),
        "apiActiveProcessingTime": sum(batch.total_ms for batch in batches),
        "apexProcessingTime": 0,
    }


def batch_info(batch: Batch, *, as_json: bool) -> dict[str, object]:
    """A batch."""
    return {
        "id": batch.id,
        "jobId": batch.job_id,
        "state": batch.state,
        "stateMessage": batch.message,
        "createdDate": _moment(batch.made, as_json=as_json),
        "systemModstamp": _moment(batch.modstamp, as_json=as_json),
        "numberRecordsProcessed": batch.rows_done,
        "numberRecordsFailed": batch.rows_failed,
        "totalProcessingTime": batch.total_ms,
        "apiActiveProcessingTime": batch.total_ms,
        "apexProcessingTime": 0,
    }


def members_of(document: bytes) -> dict[str, object]:
    """The members of an XML request, such as `jobInfo`.

    Raises:
        Bulk1Refusal: InvalidXML, it is not XML or declares entities.
    """
    if b"<!" in document:
        raise Bulk1Refusal("InvalidXML", "Invalid XML: declarations are not allowed")
    try:
        root = ET.fromstring(document)  # noqa: S314 - declarations are refused above
    except ET.ParseError as error:
        raise Bulk1Refusal("InvalidXML", f"Invalid XML: {error}") from None
    return {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in root}


def _members(members: Mapping[str, object]) -> str:
    return "".join(
        f"<{name}>{escape(str(value))}</{name}>"
        for name, value in members.items()
        if value is not None
    )


def _json(value: object, status: int) -> Response:
    return Response.of_json(value, status, {"Content-Type": _JSON_TYPE})


def _xml(text: str, status: int) -> Response:
    return Response(status, (_HEAD + text).encode(), {"Content-Type": _XML_TYPE})


def _moment(moment: str, *, as_json: bool) -> str:
    zone = "+0000" if as_json else "Z"
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000{zone}"


def content_headers(*, as_json: bool) -> dict[str, str]:
    """Headers of a batch's content or result."""
    return {"Content-Type": _JSON_TYPE if as_json else "text/csv"}

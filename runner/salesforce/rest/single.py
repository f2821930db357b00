"""One record per request, as every API version since 20.0 supports it.

Pure: builds the request, reads the answer. Source: REST API guide, sObject Rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from runner.errors import UnexpectedAnswerError
from runner.job.model import Verb
from runner.salesforce.http.error_bodies import faults_of
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import FileBody, OrgRequest, OrgResponse, json_body, segment
from runner.salesforce.rest.body import nested
from runner.salesforce.rest.collections import refused, succeeded
from runner.salesforce.rest.multipart import file_of, multipart_body
from runner.salesforce.rest.values import Record, RecordResult, WriteRequest
from runner.wording import plain


class _SavedRecord(msgspec.Struct):
    id: str | None = None
    created: bool | None = None


def single_request(write: WriteRequest, record: Record, headers: Mapping[str, str]) -> OrgRequest:
    """The request that sends one record. The body does not repeat what the path says."""
    body = nested(record, write.lookups)
    base = f"/sobjects/{segment(write.sobject)}"
    if write.operation is Verb.DELETE:
        path = f"{base}/{segment(str(body['Id']))}"
        return OrgRequest("DELETE", path, headers, divisible=True)
    key = _key_of(write)
    if key != "Id" and write.creates(record):
        return _with_body("POST", base, body, headers)
    value = body.pop(key, None)
    if key == "Id" and not value:
        return _with_body("POST", base, body, headers)
    place = "" if key == "Id" else f"/{segment(key)}"
    path = f"{base}{place}/{segment(_in_path(value))}"
    return _with_body("PATCH", path, body, headers)


def _with_body(
    method: str, path: str, body: dict[str, Any], headers: Mapping[str, str]
) -> OrgRequest:
    content: bytes | FileBody
    kind, found = "application/json", file_of(body)
    if found is None:
        content = json_body(body)
    else:
        rest = {name: value for name, value in body.items() if name != found[0]}
        kind, content = multipart_body(rest, *found)
    sent = {**headers, "Content-Type": kind}
    return OrgRequest(method, path, sent, body=content, divisible=True)


def single_result(write: WriteRequest, record: Record, response: OrgResponse) -> RecordResult:
    """The record's result.

    An upsert answers 201 for a created record, 204 or (from version 46.0) 200 for an updated one,
    and 300 where several records have the external Id.

    Raises:
        UnexpectedAnswerError: The answer has another form.
    """
    known_id = record.get("Id")
    if not response.ok:
        fault = faults_of(response)[0]
        entry = {"errorCode": fault.code, "message": fault.message, "fields": [*fault.fields]}
        return refused(write, entry, known_id, replayed=response.replayed)
    answer = read_json(response, _SavedRecord) if response.body.strip() else _SavedRecord()
    created = response.status == HTTPStatus.CREATED if answer.created is None else answer.created
    record_id = answer.id or known_id
    if created and record_id is None:
        raise UnexpectedAnswerError(
            f"The answer to {response.request} does not say which record was created.",
            status=response.status,
        )
    return succeeded(write, record_id, created=created, replayed=response.replayed)


def _key_of(write: WriteRequest) -> str:
    return (write.key or "Id") if write.operation is Verb.UPSERT else "Id"


def _in_path(value: Any) -> str:  # noqa: ANN401 - a JSON value
    """A key's value in a path: numbers plain, booleans as in JSON."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return plain(value)

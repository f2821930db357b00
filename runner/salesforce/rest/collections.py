"""sObject Collections: up to 200 records per request, each with its own result.

Pure: builds the request, reads the answer. Source: REST API guide, sObject Collections, API
version 42.0; its upsert 46.0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from runner.errors import UnexpectedAnswerError
from runner.job.model import Verb
from runner.salesforce.http.error_bodies import fault_of
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.http.messages import OrgRequest, OrgResponse, json_body, segment
from runner.salesforce.rest.body import nested
from runner.salesforce.rest.values import Record, RecordResult, WriteRequest
from runner.salesforce.versions import Feature

MOST_RECORDS = 200


class _SaveResult(msgspec.Struct):
    success: bool
    id: str | None = None
    created: bool | None = None
    errors: list[dict[str, Any]] | None = None


_PATH = "/composite/sobjects"


def feature_of(operation: Verb) -> Feature:
    """What an operation needs of the API version."""
    upsert = operation is Verb.UPSERT
    return Feature.COLLECTIONS_UPSERT if upsert else Feature.COLLECTIONS


def collection_request(
    write: WriteRequest, records: Sequence[Record], headers: Mapping[str, str]
) -> OrgRequest:
    """The request that sends some records.

    Args:
        write: What they have in common.
        records: At most 200.
        headers: Those of the write's options.
    """
    divisible = len(records) > 1 and not write.all_or_none
    if write.operation is Verb.DELETE:
        ids = ",".join(str(record["Id"]) for record in records)
        params = {"ids": ids, "allOrNone": str(write.all_or_none).lower()}
        return OrgRequest("DELETE", _PATH, headers, params, divisible=divisible)
    body = {
        "allOrNone": write.all_or_none,
        "records": _entries(write, records),
    }
    creates = write.operation is Verb.CREATE
    return OrgRequest(
        "POST" if creates else "PATCH",
        _path(write),
        {**headers, "Content-Type": "application/json"},
        body=_encoded(body),
        idempotent=not (write.may_create and any(map(write.creates, records))),
        divisible=divisible,
    )


def collection_results(
    write: WriteRequest, records: Sequence[Record], response: OrgResponse
) -> list[RecordResult | None]:
    """The result of each record, in their order; None where the org says too little about it.

    Raises:
        UnexpectedAnswerError: The number of results differs, or one has another form.
    """
    entries, count = read_json(response, list[_SaveResult]), len(records)
    if len(entries) != count:
        raise UnexpectedAnswerError(f"The org returned {len(entries)} results for {count} records")
    pairs = zip(records, entries, strict=True)
    if response.replayed or write.operation is not Verb.UPSERT:
        replayed = response.replayed
        return [_result(write, record, entry, replayed=replayed) for record, entry in pairs]
    return [  # the same, without a call for each
        RecordResult(entry.id, True, entry.created)  # noqa: FBT003 - by its name it takes longer
        if entry.success and entry.id
        else _result(write, record, entry, replayed=False)
        for record, entry in pairs
    ]


def succeeded(
    write: WriteRequest, record_id: str | None, *, created: bool | None, replayed: bool
) -> RecordResult:
    """A record that succeeded; after a replay it is unknown whether an earlier try created it."""
    if write.operation is Verb.CREATE:
        return RecordResult(record_id, success=True, created=True)
    if write.operation is not Verb.UPSERT:
        return RecordResult(record_id, success=True, created=False)
    unknown = replayed and not created
    return RecordResult(record_id, success=True, created=None if unknown else created)


def refused(
    write: WriteRequest, entry: Mapping[str, Any], record_id: str | None, *, replayed: bool
) -> RecordResult:
    """A record that failed; a replayed delete may have found gone what it deleted itself."""
    fault = fault_of(entry)
    is_gone = write.operation is Verb.DELETE and fault.code == "ENTITY_IS_DELETED"
    return RecordResult(
        record_id,
        success=False,
        created=None,
        code=fault.code,
        message=fault.message,
        fields=fault.fields,
        may_be_own=is_gone and replayed,
    )


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # half a surrogate pair
        return json_body(body)


def _path(write: WriteRequest) -> str:
    if write.operation is not Verb.UPSERT or write.key is None:
        return _PATH
    return f"{_PATH}/{segment(write.sobject)}/{segment(write.key)}"


def _entries(write: WriteRequest, records: Sequence[Record]) -> list[dict[str, Any]]:
    has_parents = "." in "".join(set().union(*records))
    if has_parents or write.operation is Verb.UPDATE or write.key == "Id":
        return [_entry(write, record) for record in records]
    attributes = {"type": write.sobject}
    return [{"attributes": attributes, **record} for record in records]


def _entry(write: WriteRequest, record: Record) -> dict[str, Any]:
    body = nested(record, write.lookups)
    if write.operation is Verb.UPDATE:
        body = {"id": body.pop("Id"), **body}
    elif write.operation is Verb.UPSERT and write.key == "Id":
        body.setdefault("Id", None)  # what creates a record, as CumulusCI has recorded it
    return {"attributes": {"type": write.sobject}, **body}


def _result(
    write: WriteRequest, record: Record, entry: _SaveResult, *, replayed: bool
) -> RecordResult | None:
    if entry.success:
        record_id = entry.id or record.get("Id")
        if not record_id:
            return None
        return succeeded(write, record_id, created=entry.created, replayed=replayed)
    errors = entry.errors or [{}]
    return refused(write, errors[0], entry.id, replayed=replayed)

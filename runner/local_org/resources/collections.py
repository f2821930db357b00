"""`/composite/sobjects`: up to 200 records per request, written one by one or all or none.

Knows the envelopes, limits and results of sObject Collections (from 42.0). Knows no rules of
records.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

from msgspec import Struct, field

from runner.local_org.api_errors import ApiError, ApiRefusal
from runner.local_org.catalog.model import SObject
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.ids import normalise
from runner.local_org.org import Org
from runner.local_org.records import RowOutcome, is_key, read_many, rolled_back, write
from runner.local_org.records.outcome import refused
from runner.local_org.records.refusals import malformed_id, not_an_external_id
from runner.local_org.resources.blob_bodies import with_blobs
from runner.local_org.resources.request_parsing import (
    json_object,
    named_sobject,
    version_of,
    wanted_fields,
    write_call,
)

_WRITTEN_AT_ONCE = 200
_READ_AT_ONCE = 2000
_TYPE_CHANGES = 10
Row = Mapping[str, object]


def _create(org: Org, request: Request) -> Response:
    return _written(org, request, "insert")


def _update(org: Org, request: Request) -> Response:
    return _written(org, request, "update")


def _written(org: Org, request: Request, operation: str) -> Response:
    body = json_object(request)
    rows = _rows(body)
    groups = [(name, list(members)) for name, members in groupby(rows, key=_type_of)]
    if len(groups) > _TYPE_CHANGES:
        raise ApiRefusal(
            400,
            "INVALID_FIELD",
            f"Cannot have more than {_TYPE_CHANGES} chunks in a single operation. Please rearrange"
            " the data to reduce chunking.",
        )
    with _transaction(org, request, all_or_none=body.get("allOrNone") is True) as collection:
        for name, members in groups:
            unknown = ApiError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
            collection.write(operation, org.catalog.sobject(name), members, unknown)
    return Response.of_json([_result(outcome) for outcome in collection.outcomes])


class _Collection(Struct):
    """One request within its transaction, and the outcomes of its rows so far."""

    org: Org
    conn: sqlite3.Connection
    request: Request
    outcomes: list[RowOutcome] = field(default_factory=list)

    def write(
        self,
        operation: str,
        sobject: SObject | None,
        rows: Sequence[Row],
        unknown: ApiError,
        external_id: str | None = None,
    ) -> None:
        """Write rows of one sObject; all fail with `unknown` if there is no such sObject."""
        if sobject is None:
            self.outcomes += [refused(unknown) for _ in rows]
            return
        call = write_call(
            self.org,
            self.request,
            operation,
            sobject,
            with_blobs(self.org, sobject, rows),
            external_id=external_id,
        )
        self.outcomes += write(self.org, self.conn, call)


@contextmanager
def _transaction(org: Org, request: Request, *, all_or_none: bool) -> Iterator[_Collection]:
    """One transaction; with `all_or_none` a failed row rolls all of it back."""
    with org.store.writing() as conn:
        conn.execute("SAVEPOINT collection")
        collection = _Collection(org, conn, request)
        yield collection
        if all_or_none and not all(outcome.success for outcome in collection.outcomes):
            conn.execute("ROLLBACK TO collection")
            collection.outcomes = rolled_back(collection.outcomes)
        conn.execute("RELEASE collection")


def _rows(body: Row) -> list[Row]:
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise ApiRefusal(400, "INVALID_INPUT", "Json Deserialization failed on token 'records'")
    _check_count(len(records), _WRITTEN_AT_ONCE)
    return records


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise ApiRefusal(
            400,
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {most} records into this call",
        )


def _type_of(row: Row) -> str:
    attributes = row.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(name, str):
        raise ApiRefusal(
            400,
            "INVALID_TYPE",
            "Include an object type in attributes for each record to be saved.",
        )
    return name


def _result(outcome: RowOutcome, *, with_created: bool = False) -> dict[str, object]:
    """One result; one that failed by itself has no `id`."""
    shown: dict[str, object] = {"id": outcome.id} if outcome.named else {}
    shown["success"] = outcome.success
    shown["errors"] = [error.as_collection() for error in outcome.errors]
    if with_created:
        shown["created"] = outcome.created
    return shown


def _upsert(org: Org, request: Request) -> Response:
    sobject = named_sobject(org, request)
    key = sobject.field(request.params["field"])
    no_key = not_an_external_id(request.params["field"], sobject.name)
    if key is None or not is_key(key):
        raise ApiRefusal.of(400, no_key)
    body = json_object(request)
    rows = _rows(body)
    for row in rows:
        if _type_of(row).lower() != sobject.name.lower():
            raise ApiRefusal(
                400, "INVALID_TYPE", f"All records must be of type {sobject.name} as in the URL"
            )
    with _transaction(org, request, all_or_none=body.get("allOrNone") is True) as collection:
        collection.write("upsert", sobject, rows, no_key, key.name)
    return Response.of_json([_result(each, with_created=True) for each in collection.outcomes])


def _delete(org: Org, request: Request) -> Response:
    ids = [each.strip() for each in request.arg("ids").split(",") if each.strip()]
    if not ids:
        raise ApiRefusal(400, "REQUIRED_FIELD_MISSING", "The ids parameter is required")
    _check_count(len(ids), _WRITTEN_AT_ONCE)
    all_or_none = request.arg("allOrNone").lower() == "true"
    with _transaction(org, request, all_or_none=all_or_none) as collection:
        for prefix, members in groupby(ids, key=lambda each: each[:3]):
            rows = [{"Id": each} for each in members]
            sobject = org.catalog.of_id(prefix)
            collection.write("delete", sobject, rows, malformed_id(rows[0]["Id"]))
    return Response.of_json([_result(outcome) for outcome in collection.outcomes])


def _retrieve_by_get(org: Org, request: Request) -> Response:
    ids = [each for each in request.arg("ids").split(",") if each]
    return _retrieved(org, request, ids, request.arg("fields").split(","))


def _retrieve_by_post(org: Org, request: Request) -> Response:
    body = json_object(request)
    ids, fields = body.get("ids"), body.get("fields")
    if not isinstance(ids, list) or not isinstance(fields, list):
        raise ApiRefusal(400, "INVALID_INPUT", "Json Deserialization failed on token 'ids'")
    return _retrieved(org, request, [str(each) for each in ids], [str(each) for each in fields])


def _retrieved(org: Org, request: Request, ids: list[str], names: list[str]) -> Response:
    sobject = named_sobject(org, request)
    _check_count(len(ids), _READ_AT_ONCE)
    fields = wanted_fields(sobject, names)
    if not ids or fields is None:
        raise ApiRefusal(400, "REQUIRED_FIELD_MISSING", "The ids and fields are required")
    wanted = [normalise(each) for each in ids]
    with org.store.reading() as conn:
        records = read_many(
            org,
            conn,
            sobject,
            [each or "" for each in wanted],
            fields,
            version=version_of(org, request),
        )
    return Response.of_json(records)


_COLLECTION = "/composite/sobjects"
_OF_TYPE = rf"{_COLLECTION}/(?P<sobject>\w+)"

ROUTES = (
    Route("POST", _COLLECTION, _create, min_version=42.0),
    Route("PATCH", _COLLECTION, _update, min_version=42.0),
    Route("DELETE", _COLLECTION, _delete, min_version=42.0),
    Route("GET", _OF_TYPE, _retrieve_by_get, min_version=42.0),
    Route("POST", _OF_TYPE, _retrieve_by_post, min_version=42.0),
    Route("PATCH", rf"{_OF_TYPE}/(?P<field>\w+)", _upsert, min_version=46.0),
)

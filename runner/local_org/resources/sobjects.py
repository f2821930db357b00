"""`/sobjects/X/…`: create, read, update, delete and upsert one record.

Knows the paths, statuses and shapes of single-record calls. `records` has the rules of records.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from urllib.parse import quote

from msgspec import Struct

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.ids import normalise
from runner.local_org.org import Org
from runner.local_org.records import RowOutcome, is_key, read, write
from runner.local_org.records.lookups import Existence, Lookups
from runner.local_org.records.recycle_bin import purge_due
from runner.local_org.records.refusals import external_id_missing
from runner.local_org.records.stored import Stored
from runner.local_org.records.values import comparable, json_reader
from runner.local_org.resources.blob_bodies import read_blob, record_of, with_blobs
from runner.local_org.resources.request_parsing import (
    check_unmodified_since,
    header_moment,
    json_object,
    named_sobject,
    not_found,
    refusal,
    refuse_condition,
    version_of,
    wanted_fields,
    write_call,
)

_CREATED_SINCE = 46.0
_WITH_ETAG = frozenset({"Account"})
_ETAG = r'(?:W/)?"[^"]*"'
_ETAGS = re.compile(rf"\s*(?:\*|{_ETAG}(?:\s*,\s*{_ETAG})*)\s*")
_LIKE_AN_ID = re.compile(r"[A-Za-z0-9]{15}|[A-Za-z0-9]{18}")


def _create(org: Org, request: Request) -> Response:
    sobject = named_sobject(org, request)
    outcome = _write(org, request, "insert", sobject, record_of(org, request, sobject))
    return _created(org, request, sobject, outcome)


def _created(org: Org, request: Request, sobject: SObject, outcome: RowOutcome) -> Response:
    return Response.of_json(
        {"id": outcome.id, "success": True, "errors": []},
        201,
        {"Location": _record_url(org, request, sobject, str(outcome.id))},
    )


def _record_url(org: Org, request: Request, sobject: SObject, tail: str) -> str:
    version = version_of(org, request)
    return f"/services/data/v{version:.1f}/sobjects/{sobject.name}/{tail}"


def _write(
    org: Org, request: Request, operation: str, sobject: SObject, row: Mapping[str, object]
) -> RowOutcome:
    with org.store.writing() as conn:
        call = write_call(org, request, operation, sobject, with_blobs(org, sobject, [row]))
        outcome = write(org, conn, call)[0]
    if not outcome.success:
        raise refusal(outcome, request)
    return outcome


def _read(org: Org, request: Request) -> Response:
    sobject = named_sobject(org, request)
    return _read_by_id(org, request, sobject, normalise(request.params["id"]))


def _read_by_id(org: Org, request: Request, sobject: SObject, record_id: str | None) -> Response:
    fields = wanted_fields(sobject, request.arg("fields"))
    if record_id is None:
        raise _no_id(request.params["id"])
    with org.store.reading() as conn:
        record = read(org, conn, sobject, record_id, fields, version=version_of(org, request))
        state = _state(org, sobject, record_id)
    if record is None or state is None:
        raise not_found()
    _check_conditions(request, state)
    since = header_moment(request, "if-modified-since")
    known = since is not None and state.modified <= since
    if known or state.has_tag(request.headers.get("if-none-match", "")):
        return Response(304, b"", state.headers)
    return Response.of_json(record, headers=state.headers)


def _no_id(text: str) -> ApiRefusal:
    """404 for a path whose last part is no Id: Salesforce takes it for the name of a key."""
    return not_found(f"Provided external ID field does not exist or is not accessible: {text}")


class _State(Struct, frozen=True):
    """Which version of a record a client has or must have."""

    modified: datetime
    tag: str
    """The quoted ETag; '' for objects other than Account, which have none."""

    def has_tag(self, header: str) -> bool:
        """Whether `If-Match` or `If-None-Match` names this version."""
        return bool(self.tag) and self.tag in [each.strip() for each in header.split(",")]

    @property
    def headers(self) -> dict[str, str]:
        shown = {"Last-Modified": format_datetime(self.modified, usegmt=True)}
        return {"ETag": self.tag} | shown if self.tag else shown


def _state(org: Org, sobject: SObject, record_id: str) -> _State | None:
    with org.store.reading() as conn:
        stored = Lookups(conn).records(sobject, [record_id]).get(record_id)
    if stored is None:
        return None
    digest = hashlib.sha1(repr(sorted(stored.items())).encode(), usedforsecurity=False).digest()
    tag = f'"{base64.b64encode(digest).decode()}"' if sobject.name in _WITH_ETAG else ""
    return _State(datetime.fromisoformat(str(stored["LastModifiedDate"])), tag)


def _given_id(request: Request) -> str:
    """The Id in the path of an update or a delete."""
    record_id = normalise(request.params["id"])
    if record_id is None:
        raise _no_id(request.params["id"])
    return record_id


def _check_existing(org: Org, request: Request, sobject: SObject, record_id: str) -> None:
    """Look at the record that a path names, also by a key, before it is changed.

    Raises:
        ApiRefusal: 404, there is no such record or it is deleted; 412, it changed since the given
            date or version.
    """
    purge_due(org.store, org.clock())
    with org.store.reading() as conn:
        existence = Lookups(conn).existence(sobject, [record_id])[record_id]
    if existence is Existence.BINNED:
        raise ApiRefusal(404, "ENTITY_IS_DELETED", "entity is deleted")
    if existence is Existence.MISSING:
        raise ApiRefusal(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    state = _state(org, sobject, record_id)
    if state is not None:
        _check_conditions(request, state)


def _check_conditions(request: Request, state: _State) -> None:
    """The conditions of a request on the version of its record.

    Raises:
        ApiRefusal: 412, one does not hold; 400, one of a change is invalid.
    """
    check_unmodified_since(request, state.modified)
    if not state.tag:
        return
    wanted, unwanted = (request.headers.get(name, "") for name in ("if-match", "if-none-match"))
    for name, header in (("If-Match", wanted), ("If-None-Match", unwanted)):
        if header and _ETAGS.fullmatch(header) is None:
            refuse_condition(request, name)
    if wanted and wanted.strip() != "*" and not state.has_tag(wanted):
        raise ApiRefusal(412, "PRECONDITION_FAILED", "The record was modified since it was read")
    is_change = request.method not in {"GET", "HEAD"}
    if is_change and unwanted and (unwanted.strip() == "*" or state.has_tag(unwanted)):
        raise ApiRefusal(412, "PRECONDITION_FAILED", "The record has the given version")


def _update(org: Org, request: Request) -> Response:
    sobject = named_sobject(org, request)
    body = record_of(org, request, sobject)
    _forbid(body, "Id")
    given = request.params["id"]
    damaged = _LIKE_AN_ID.fullmatch(given) and normalise(given) is None
    # Wrong check characters are an error of the record, found after unknown fields.
    record_id = given if damaged else _given_id(request)
    if not damaged:
        _check_existing(org, request, sobject, record_id)
    _write(org, request, "update", sobject, {**body, "Id": record_id})
    return Response(204)


def _forbid(body: Mapping[str, object], name: str) -> None:
    """Refuse a body with a field that the path already has."""
    if any(key.lower() == name.lower() for key in body):
        raise ApiRefusal(
            400,
            "INVALID_FIELD",
            f"The {name} field should not be specified in the sobject data.",
        )


def _delete(org: Org, request: Request) -> Response:
    sobject = named_sobject(org, request)
    return _delete_by_id(org, request, sobject, _given_id(request))


def _key(sobject: SObject, request: Request) -> Field:
    name = request.params["field"]
    field = sobject.field(name)
    if field is None or not is_key(field):
        raise _no_id(name)
    return field


def _matches(org: Org, sobject: SObject, key: Field, text: str) -> list[str]:
    """Ids of the records with a key."""
    if key.name == "Id":
        record_id = normalise(text)
        return [record_id] if record_id else []
    try:
        value: Stored = comparable(key, json_reader(key)(text))
    except ValueError:
        return []
    with org.store.reading() as conn:
        return Lookups(conn).fresh_by_key(sobject, key, [value]).get(value, [])


def _several(org: Org, request: Request, sobject: SObject, ids: list[str]) -> Response:
    return Response.of_json([_record_url(org, request, sobject, each) for each in ids], 300)


def _on_match(org: Org, request: Request, act: Callable[[SObject, str], Response]) -> Response:
    """Act on the one record that a key names; 300 with their URLs if there are several.

    Raises:
        ApiRefusal: 404, there is none.
    """
    sobject = named_sobject(org, request)
    ids = _matches(org, sobject, _key(sobject, request), request.params["value"])
    if not ids:
        raise not_found()
    return _several(org, request, sobject, ids) if len(ids) > 1 else act(sobject, ids[0])


def _read_by_key(org: Org, request: Request) -> Response:
    """Also the content of a file: `/sobjects/Attachment/ID/Body`."""
    sobject = named_sobject(org, request)
    blob = sobject.field(request.params["value"])
    if blob is not None and blob.type == "base64" and not sobject.field(request.params["field"]):
        return read_blob(org, request, sobject, blob)
    return _on_match(org, request, partial(_read_by_id, org, request))


def _delete_by_key(org: Org, request: Request) -> Response:
    return _on_match(org, request, partial(_delete_by_id, org, request))


def _delete_by_id(org: Org, request: Request, sobject: SObject, record_id: str) -> Response:
    _check_existing(org, request, sobject, record_id)
    _write(org, request, "delete", sobject, {"Id": record_id})
    return Response(204)


def _upsert(org: Org, request: Request) -> Response:
    sobject = named_sobject(org, request)
    key = _key(sobject, request)
    value = request.params["value"]
    body = json_object(request)
    _forbid(body, key.name)
    _forbid(body, "Id")
    with org.store.writing():
        ids = _matches(org, sobject, key, value)
        if len(ids) > 1:
            return _several(org, request, sobject, ids)
        if ids:
            _check_existing(org, request, sobject, ids[0])
            outcome = _write(org, request, "update", sobject, {**body, "Id": ids[0]})
            return _upserted(org, request, sobject, outcome, created=False)
        if request.arg("updateOnly") == "true" or key.name == "Id":
            raise not_found()
        if not value.strip():
            raise ApiRefusal.of(400, external_id_missing(key.name))
        outcome = _write(org, request, "insert", sobject, {**body, key.name: value})
        return _upserted(org, request, sobject, outcome, created=True)


def _upserted(
    org: Org, request: Request, sobject: SObject, outcome: RowOutcome, *, created: bool
) -> Response:
    """Below 46.0 a create has no `created`, and an update no body."""
    if version_of(org, request) < _CREATED_SINCE:
        return _created(org, request, sobject, outcome) if created else Response(204)
    location = {"Location": _record_url(org, request, sobject, quote(str(outcome.id)))}
    return Response.of_json(
        {"id": outcome.id, "success": True, "errors": [], "created": created},
        201 if created else 200,
        location if created else {},
    )


_SOBJECT = r"/sobjects/(?P<sobject>\w+)"
_ID = rf"{_SOBJECT}/(?P<id>(?!(?:describe|updated|deleted|Id)$)[^/]+)"
_BY_KEY = rf"{_SOBJECT}/(?P<field>\w+)/(?P<value>[^/]+)"

ROUTES = (
    Route("POST", _SOBJECT, _create, takes_files=True),
    Route("POST", rf"{_SOBJECT}/Id", _create, min_version=37.0),
    Route("GET", _ID, _read),
    Route("PATCH", _ID, _update, takes_files=True),
    Route("DELETE", _ID, _delete),
    Route("GET", _BY_KEY, _read_by_key),
    Route("PATCH", _BY_KEY, _upsert),
    Route("DELETE", _BY_KEY, _delete_by_key),
)

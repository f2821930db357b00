"""Files in requests: base64 in JSON, or a part of a multipart body; and the request that reads one.

Source: REST API guide, "Insert or Update Blob Data" and "sObject Blob Retrieve". Collections with
binary parts are not supported.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap

from msgspec.structs import replace

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.blobs import Blob, Blobs
from runner.local_org.catalog.model import Field, SObject
from runner.local_org.http.messages import Request, Response
from runner.local_org.http.multipart import MultipartError, parts_in
from runner.local_org.ids import normalise
from runner.local_org.org import Org
from runner.local_org.records.lookups import Lookups
from runner.local_org.resources.request_parsing import json_object, not_found

MOST_BYTES = {"ContentVersion": 2_048 * 1024 * 1024}
MOST_BYTES_OF_OTHERS = 500 * 1024 * 1024
_PIECE_BYTES = 256 * 1024
Row = Mapping[str, object]


def record_of(org: Org, request: Request, sobject: SObject) -> dict[str, object]:
    """The record in a request: its JSON, and its file if it is a multipart request.

    Raises:
        ApiRefusal: the body is not what its type says, or the file is too large.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        return json_object(request)
    try:
        with _mapped(request) as body:
            return _record_in(org, request, sobject, body, kind)
    except MultipartError as error:
        raise ApiRefusal(400, "INVALID_MULTIPART_REQUEST", str(error)) from None


def _record_in(
    org: Org, request: Request, sobject: SObject, body: bytes | mmap, kind: str
) -> dict[str, object]:
    record: dict[str, object] = {}
    files: dict[str, object] = {}
    for part in parts_in(body, kind):
        if not part.is_file:
            record |= json_object(replace(request, body=body[part.start : part.end]))
            continue
        field = sobject.field(part.name)
        if field is None or field.type != "base64":
            message = f"Binary data was provided for {part.name}, which is not a binary field"
            raise ApiRefusal(400, "INVALID_MULTIPART_REQUEST", message)
        if part.end - part.start > MOST_BYTES.get(sobject.name, MOST_BYTES_OF_OTHERS):
            raise ApiRefusal(400, "FILE_SIZE_LIMIT_EXCEEDED", "The file is too large")
        pieces = (
            body[at : min(at + _PIECE_BYTES, part.end)]
            for at in range(part.start, part.end, _PIECE_BYTES)
        )
        files[field.name] = org.part(Blobs).save(pieces)
    return record | files


@contextmanager
def _mapped(request: Request) -> Iterator[bytes | mmap]:
    """The body, not read into memory if it is large."""
    if request.payload is None:
        yield request.body
        return
    with mmap(request.payload.fileno(), 0, access=ACCESS_READ) as body:
        yield body


def with_blobs(org: Org, sobject: SObject, rows: Sequence[Row]) -> Sequence[Row]:
    """Rows of JSON with the contents that they have in base64 saved."""
    if not any(field.type == "base64" for field in sobject.fields):
        return rows
    return [
        {name: _saved(org, sobject.field(name), value) for name, value in row.items()}
        for row in rows
    ]


def _saved(org: Org, field: Field | None, value: object) -> object:
    if field is None or field.type != "base64" or not isinstance(value, str):
        return value
    try:
        return org.part(Blobs).save([base64.b64decode(value, validate=True)])
    except ValueError:
        return value  # the reader of the field refuses it


def read_blob(org: Org, request: Request, sobject: SObject, field: Field) -> Response:
    """The content of a field of the record in the path.

    Raises:
        ApiRefusal: 404, there is no such record, or it has no content.
    """
    record_id = normalise(request.params["field"])
    with org.store.reading() as conn:
        found = Lookups(conn).records(sobject, [record_id] if record_id else [])
    record = found.get(record_id or "")
    if record is None or record["IsDeleted"] or record[field.name] is None:
        raise not_found()
    blob = Blob.read(str(record[field.name]))
    kind = {"Content-Type": "application/octetstream"}
    return Response(200, org.part(Blobs).pieces(blob), kind)

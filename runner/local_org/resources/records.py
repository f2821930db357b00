"""`/__org/records`: loads rows of several objects at once, and gives them back. Needs no sign-in.

    GET  /__org/records         which objects have records
    GET  /__org/records/Account their records as texts: `{"columns": […], "rows": [[…]]}`
    POST /__org/records         rows to create, all or none (see `loading`): 201 with their number

A refusal has Salesforce's form and the position of the row.
"""

from __future__ import annotations

import msgspec

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.dumping import held, table
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.load_columns import LoadError
from runner.local_org.loading import LoadRow, load
from runner.local_org.org import Org
from runner.local_org.resources.admin import guarded


def _list(org: Org, _request: Request) -> Response:
    return Response.of_json(msgspec.to_builtins(held(org)))


def _table(org: Org, request: Request) -> Response:
    sobject = org.catalog.sobject(request.params["sobject"])
    if sobject is None:
        raise ApiRefusal(404, "NOT_FOUND", "The requested resource does not exist")
    return Response.of_json(msgspec.to_builtins(table(org, sobject)))


def _load(org: Org, request: Request) -> Response:
    try:
        rows = msgspec.convert(request.json(), list[LoadRow])
    except msgspec.ValidationError as error:
        raise ApiRefusal(400, "INVALID_ROW", str(error)) from None
    try:
        loaded = load(org, rows)
    except LoadError as error:
        body = {
            "errorCode": "INVALID_ROW",
            "message": str(error),
            "at": error.at,
            "in_header": error.in_header,
            "word": error.word,
            "options": error.options,
        }
        return Response.of_json([body], 400)
    return Response.of_json(msgspec.to_builtins(loaded), 201)


ROUTES = tuple(
    Route(method, path, guarded(endpoint), versioned=False, signed_in=False)
    for method, path, endpoint in (
        ("GET", "/__org/records", _list),
        ("GET", r"/__org/records/(?P<sobject>\w+)", _table),
        ("POST", "/__org/records", _load),
    )
)

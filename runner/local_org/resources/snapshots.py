"""`/__org/snapshots`: saves the org's state under names, and goes back to it. Needs no sign-in.

    GET    /__org/snapshots              what there is, the oldest first
    POST   /__org/snapshots              `{"name": …, "update": false}`: 201
    POST   /__org/snapshots/NAME/restore makes the org what it was
    DELETE /__org/snapshots/NAME

A refusal has Salesforce's form and a `hint`.
"""

from __future__ import annotations

import msgspec

from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org, now_utc
from runner.local_org.resources.admin import guarded
from runner.local_org.snapshots import Snapshot, SnapshotError, Snapshots

_NAMED = r"/__org/snapshots/(?P<name>[^/]+)"


def _list(org: Org, _request: Request) -> Response:
    return Response.of_json([_json(each) for each in org.part(Snapshots).listed()])


def _take(org: Org, request: Request) -> Response:
    body = request.json()
    asked = body if isinstance(body, dict) else {}
    try:
        taken = org.part(Snapshots).take(
            str(asked.get("name", "")), now_utc(), replace=asked.get("update") is True
        )
    except SnapshotError as error:
        return _refused(error)
    return Response.of_json(_json(taken), 201)


def _restore(org: Org, request: Request) -> Response:
    try:
        return Response.of_json(_json(org.part(Snapshots).restore(request.params["name"])))
    except SnapshotError as error:
        return _refused(error)


def _delete(org: Org, request: Request) -> Response:
    try:
        org.part(Snapshots).delete(request.params["name"])
    except SnapshotError as error:
        return _refused(error)
    return Response(204)


def _json(snapshot: Snapshot) -> object:
    return msgspec.to_builtins(snapshot)


def _refused(error: SnapshotError) -> Response:
    body = {"errorCode": "INVALID_SNAPSHOT", "message": str(error), "hint": error.hint}
    return Response.of_json([body], 400)


ROUTES = tuple(
    Route(method, path, guarded(endpoint), versioned=False, signed_in=False)
    for method, path, endpoint in (
        ("GET", "/__org/snapshots", _list),
        ("POST", "/__org/snapshots", _take),
        ("POST", rf"{_NAMED}/restore", _restore),
        ("DELETE", _NAMED, _delete),
    )
)

"""`/composite/tree/X`: creates parents with their children, all or none.

Knows the nesting and its limits. `records` has the rules of records.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from runner.local_org.api_errors import ApiError, ApiRefusal
from runner.local_org.catalog.model import SObject
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.records import RowOutcome, write
from runner.local_org.resources.blob_bodies import with_blobs
from runner.local_org.resources.request_parsing import json_object, named_sobject, write_call
from runner.local_org.resources.subrequests import (
    RolledBackError,
    mappings_of,
    rolled_back_on_failure,
)

_MOST_RECORDS = 200
_MOST_LEVELS = 5


class _Node(Struct, frozen=True):
    """One record of the tree."""

    sobject: SObject
    reference_id: str
    row: Mapping[str, object]
    parent: _Node | None
    parent_field: str | None
    level: int


def _create(org: Org, request: Request) -> Response:
    sobject = named_sobject(org, request)
    records = mappings_of(json_object(request), "records", _MOST_RECORDS)
    nodes = [node for record in records for node in _nodes(org, sobject, record, None, None)]
    if len(nodes) > _MOST_RECORDS:
        raise ApiRefusal(
            400, "LIMIT_EXCEEDED", f"Limit exceeded: at most {_MOST_RECORDS} records in a tree"
        )
    results: list[dict[str, object]] = []
    with rolled_back_on_failure(org):
        results = _created(org, request, nodes)
        if any("errors" in result for result in results):
            raise RolledBackError
    failures = [result for result in results if "errors" in result]
    if failures:
        return Response.of_json({"hasErrors": True, "results": failures}, 400)
    return Response.of_json({"hasErrors": False, "results": results}, 201)


def _nodes(
    org: Org,
    sobject: SObject,
    record: Mapping[str, object],
    parent: _Node | None,
    parent_field: str | None,
) -> Iterator[_Node]:
    """A record and the records nested in it, parents first."""
    level = parent.level + 1 if parent else 1
    if level > _MOST_LEVELS:
        raise ApiRefusal(
            400, "LIMIT_EXCEEDED", f"Limit exceeded: at most {_MOST_LEVELS} levels in a tree"
        )
    nested = {name: each for name, each in record.items() if _is_nested(each)}
    row = {name: each for name, each in record.items() if name not in nested}
    node = _Node(sobject, _reference_id(record), row, parent, parent_field, level)
    yield node
    for name, children in nested.items():
        relationship = sobject.child(name)
        child = org.catalog.sobject(relationship.child_sobject) if relationship else None
        if relationship is None or child is None:
            raise ApiRefusal(
                400, "INVALID_FIELD", f"No such relationship '{name}' on sobject {sobject.name}"
            )
        for each in mappings_of(_mapping(children), "records", _MOST_RECORDS):
            yield from _nodes(org, child, each, node, relationship.field)


def _is_nested(value: object) -> bool:
    return isinstance(value, Mapping) and "records" in value


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _reference_id(record: Mapping[str, object]) -> str:
    reference = _mapping(record.get("attributes")).get("referenceId")
    if not isinstance(reference, str):
        raise ApiRefusal(
            400, "INVALID_INPUT", "Include a reference ID in attributes for each record"
        )
    return reference


def _created(org: Org, request: Request, nodes: Sequence[_Node]) -> list[dict[str, object]]:
    ids: dict[int, str | None] = {}
    results: list[dict[str, object]] = []
    with org.store.writing() as conn:
        for node in nodes:
            parent_id = ids.get(id(node.parent)) if node.parent else None
            if node.parent is not None and parent_id is None:
                continue
            outcome = _insert(org, conn, request, node, parent_id)
            ids[id(node)] = outcome.id
            results.append(_result(node.reference_id, outcome))
    return results


def _insert(
    org: Org, conn: sqlite3.Connection, request: Request, node: _Node, parent_id: str | None
) -> RowOutcome:
    row = dict(node.row)
    if node.parent_field is not None and parent_id is not None:
        row[node.parent_field] = parent_id
    return write(
        org,
        conn,
        write_call(org, request, "insert", node.sobject, with_blobs(org, node.sobject, [row])),
    )[0]


def _result(reference_id: str, outcome: RowOutcome) -> dict[str, object]:
    if outcome.success:
        return {"referenceId": reference_id, "id": outcome.id}
    errors: tuple[ApiError, ...] = outcome.errors
    return {"referenceId": reference_id, "errors": [error.as_collection() for error in errors]}


ROUTES = (Route("POST", r"/composite/tree/(?P<sobject>\w+)", _create, min_version=34.0),)

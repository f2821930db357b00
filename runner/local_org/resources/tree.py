"""`/composite/tree/X`: creates parents with their children, all or none.

Knows the nesting and its limits. `records` has the rules of records.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from runner.local_org.api_errors import ApiError, ApiRefusal
from runner.local_org.catalog.model import SObject
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.records import RowOutcome, write
from runner.local_org.resources.blob_bodies import with_blobs
from runner.local_org.resources.part_checks import bad_reference_id, is_reference_id
from runner.local_org.resources.request_parsing import json_object, named_sobject, write_call
from runner.local_org.resources.subrequests import (
    RolledBackError,
    mappings_of,
    rolled_back_on_failure,
)

_MOST_RECORDS = 200
_MOST_LEVELS = 5
_MOST_TYPES = 5


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
    _check_types(nodes)
    results = _of_duplicates(nodes)
    if results:
        return Response.of_json({"hasErrors": True, "results": results}, 400)
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
    _check_type(sobject, record)
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


def _check_type(sobject: SObject, record: Mapping[str, object]) -> None:
    """The type of a record is that of the path, or of its relationship."""
    name = _mapping(record.get("attributes")).get("type")
    if not isinstance(name, str):
        raise ApiRefusal(
            400,
            "INVALID_TYPE",
            "Include an object type in attributes for each record to be saved.",
        )
    if name.lower() != sobject.name.lower():
        raise ApiRefusal(400, "INVALID_TYPE", f"The record must be of type {sobject.name}: {name}")


def _reference_id(record: Mapping[str, object]) -> str:
    reference = _mapping(record.get("attributes")).get("referenceId")
    if not isinstance(reference, str) or not reference:
        raise ApiRefusal(
            400, "INVALID_INPUT", "Include a reference ID in attributes for each record"
        )
    if not is_reference_id(reference):
        raise ApiRefusal(400, "INVALID_INPUT", bad_reference_id(reference))
    return reference


def _check_types(nodes: Sequence[_Node]) -> None:
    if len({node.sobject.name for node in nodes}) > _MOST_TYPES:
        raise ApiRefusal(
            400, "LIMIT_EXCEEDED", f"Limit exceeded: records of at most {_MOST_TYPES} types"
        )


def _of_duplicates(nodes: Sequence[_Node]) -> list[dict[str, object]]:
    """A result for each record whose referenceId another one has."""
    counts = Counter(node.reference_id for node in nodes)
    error = ApiError("INVALID_INPUT", "Duplicate ReferenceId provided in the request.")
    return [
        {"referenceId": node.reference_id, "errors": [error.as_collection()]}
        for node in nodes
        if counts[node.reference_id] > 1
    ]


def _created(org: Org, request: Request, nodes: Sequence[_Node]) -> list[dict[str, object]]:
    """The results, level by level and of one sObject after the other; up to those that fail."""
    ids: dict[int, str | None] = {}
    results: list[dict[str, object]] = []
    with org.store.writing() as conn:
        for group in _groups(nodes):
            for node in group:
                parent_id = ids.get(id(node.parent)) if node.parent else None
                outcome = _insert(org, conn, request, node, parent_id)
                ids[id(node)] = outcome.id
                results.append(_result(node.reference_id, outcome))
            if any("errors" in result for result in results):
                break
    return results


def _groups(nodes: Sequence[_Node]) -> Iterable[list[_Node]]:
    groups: dict[tuple[int, str], list[_Node]] = {}
    for node in sorted(nodes, key=lambda node: node.level):
        groups.setdefault((node.level, node.sobject.name), []).append(node)
    return groups.values()


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

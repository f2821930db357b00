"""`/composite/graph`: up to 75 composites in one request, each all or nothing (from 50.0).

Knows the limits of graphs and nodes. A graph runs like a composite.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.resources.composite import run_parts
from runner.local_org.resources.part_checks import (
    check_reference_ids,
    check_url,
    headers_of,
    method_of,
    node_kind,
    text_of,
)
from runner.local_org.resources.references import referred
from runner.local_org.resources.request_parsing import json_object
from runner.local_org.resources.subrequests import Answer, Part, halted, mappings_of

_MOST_GRAPHS = 75
_MOST_NODES = 500
_MOST_DEPTH = 15
_MOST_KINDS = 15
_MOST_FAILED_GRAPHS = 14
_RECORD = r"/sobjects/\w+/(?!(?:describe|updated|deleted)$)[^/]+"
_RESOURCES = re.compile(
    rf"POST /sobjects/\w+|(?:DELETE|GET|PATCH) {_RECORD}|(?:DELETE|GET|PATCH|POST) {_RECORD}/[^/]+"
)


def _graphs(org: Org, request: Request) -> Response:
    graphs = mappings_of(json_object(request), "graphs", _MOST_GRAPHS)
    version = request.version
    parts_by_graph = {text_of(graph, "graphId"): _parts(graph, version) for graph in graphs}
    if len(parts_by_graph) != len(graphs):
        raise ApiRefusal(400, "DUPLICATE_VALUE", "The graphId of each graph must be unique")
    nodes = [part for parts in parts_by_graph.values() for part in parts]
    if len(nodes) > _MOST_NODES:
        raise ApiRefusal(400, "LIMIT_EXCEEDED", f"Limit exceeded: at most {_MOST_NODES} nodes")
    if len({node_kind(part.method, part.url) for part in nodes}) > _MOST_KINDS:
        words = f"Limit exceeded: at most {_MOST_KINDS} different nodes"
        raise ApiRefusal(400, "LIMIT_EXCEEDED", words)
    shown: list[dict[str, object]] = []
    failed = 0
    for name, parts in parts_by_graph.items():
        if failed >= _MOST_FAILED_GRAPHS:
            answers = [halted("Too many graphs of this request failed.") for _ in parts]
        else:
            answers = run_parts(org, request, parts, _RESOURCES, all_or_none=True)
        good = all(answer.good for answer in answers)
        failed += not good
        shown.append(_shown(name, parts, answers, good=good))
    return Response.of_json({"graphs": shown})


def _parts(graph: Mapping[str, object], version: float | None) -> list[Part]:
    parts = [
        Part(
            method_of(each),
            check_url(text_of(each, "url")),
            each.get("body"),
            text_of(each, "referenceId"),
            headers_of(each),
        )
        for each in mappings_of(graph, "compositeRequest", _MOST_NODES)
    ]
    check_reference_ids((part.reference_id for part in parts), version)
    if _depth(parts) > _MOST_DEPTH:
        raise ApiRefusal(400, "LIMIT_EXCEEDED", f"Limit exceeded: at most {_MOST_DEPTH} levels")
    return parts


def _depth(parts: Sequence[Part]) -> int:
    """Number of nodes in the longest chain of references."""
    depths: dict[str, int] = {}
    for part in parts:
        needed = referred([part.url, part.body])
        depths[part.reference_id] = 1 + max((depths.get(name, 0) for name in needed), default=0)
    return max(depths.values(), default=0)


def _shown(
    name: str, parts: Sequence[Part], answers: Sequence[Answer], *, good: bool
) -> dict[str, object]:
    responses = [
        answer.as_composite(part.reference_id) for part, answer in zip(parts, answers, strict=True)
    ]
    return {
        "graphId": name,
        "graphResponse": {"compositeResponse": responses},
        "isSuccessful": good,
    }


ROUTES = (Route("POST", "/composite/graph", _graphs, min_version=50.0),)

"""`/composite` and `/composite/batch`: up to 25 subrequests in one request.

Knows their envelopes and limits; `subrequests` runs the parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.resources.references import referred
from runner.local_org.resources.request_parsing import json_object
from runner.local_org.resources.subrequests import (
    Answer,
    Part,
    RolledBackError,
    halted,
    mappings_of,
    rolled_back_on_failure,
    run_part,
    run_part_with_references,
    text_of,
)

_MOST_PARTS = 25
_MOST_HEAVY_PARTS = 5
_HEAVY = re.compile(r"/services/data/v[\d.]+/(query|queryAll|composite/sobjects)\b.*")
_ROLLED_BACK = (
    "The transaction was rolled back since another operation in the same transaction failed."
)
_SKIPPED = "Request aborted because an earlier request it refers to failed."
_BATCH_SKIPPED = "Batch processing halted at the caller's request"


def _composite(org: Org, request: Request) -> Response:
    body = json_object(request)
    parts = [_part(each) for each in mappings_of(body, "compositeRequest", _MOST_PARTS)]
    _check(parts)
    all_or_none = body.get("allOrNone") is True
    answers = run_parts(org, request, parts, all_or_none=all_or_none)
    shown = [
        answer.as_composite(part.reference_id) for part, answer in zip(parts, answers, strict=True)
    ]
    return Response.of_json({"compositeResponse": shown})


def _part(entry: Mapping[str, object]) -> Part:
    headers = entry.get("httpHeaders")
    return Part(
        method=text_of(entry, "method"),
        url=text_of(entry, "url"),
        body=entry.get("body"),
        reference_id=text_of(entry, "referenceId"),
        headers=headers if isinstance(headers, dict) else None,
    )


def _check(parts: Sequence[Part]) -> None:
    names = [part.reference_id for part in parts]
    if len(set(names)) != len(names):
        raise ApiRefusal(
            400, "DUPLICATE_VALUE", "The referenceId of each subrequest must be unique"
        )
    if sum(1 for part in parts if _HEAVY.fullmatch(part.url)) > _MOST_HEAVY_PARTS:
        raise ApiRefusal(
            400,
            "LIMIT_EXCEEDED",
            f"Limit exceeded: at most {_MOST_HEAVY_PARTS} query and sObject Collections"
            " subrequests in a composite request",
        )


def run_parts(
    org: Org, request: Request, parts: Sequence[Part], *, all_or_none: bool
) -> list[Answer]:
    """Run subrequests in order.

    A part that refers to a failed one is halted. With `all_or_none` the first failure rolls all
    back, and the other answers say so.
    """
    answers: list[Answer] = []
    with rolled_back_on_failure(org) if all_or_none else nullcontext():
        for part in parts:
            answer = _answer(org, request, part, parts, answers)
            answers.append(answer)
            if all_or_none and not answer.good:
                raise RolledBackError
    if all_or_none and answers and not answers[-1].good:
        rolled_back = halted(_ROLLED_BACK)
        rest = len(parts) - len(answers)
        return [*([rolled_back] * (len(answers) - 1)), answers[-1], *([rolled_back] * rest)]
    return answers


def _answer(
    org: Org, request: Request, part: Part, parts: Sequence[Part], answers: Sequence[Answer]
) -> Answer:
    done = {earlier.reference_id: each for earlier, each in zip(parts, answers, strict=False)}
    needed = referred([part.url, part.body, dict(part.headers or {})])
    if any(name in done and not done[name].good for name in needed):
        return halted(_SKIPPED)
    return run_part_with_references(
        org, request, part, {name: each.body for name, each in done.items()}
    )


def _batch(org: Org, request: Request) -> Response:
    body = json_object(request)
    entries = mappings_of(body, "batchRequests", _MOST_PARTS)
    halt = body.get("haltOnError") is True
    results: list[dict[str, object]] = []
    failed = False
    for entry in entries:
        if failed and halt:
            skipped = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": _BATCH_SKIPPED}]
            results.append({"statusCode": 412, "result": skipped})
            continue
        answer = run_part(org, request, _batch_part(entry))
        failed = failed or not answer.good
        results.append({"statusCode": answer.status, "result": answer.body})
    return Response.of_json({"hasErrors": failed, "results": results})


def _batch_part(entry: Mapping[str, object]) -> Part:
    """The URLs of a batch start at the version: `v66.0/sobjects/…`."""
    url = text_of(entry, "url")
    path = url if url.startswith("/services/data/") else f"/services/data/{url.lstrip('/')}"
    return Part(text_of(entry, "method"), path, entry.get("richInput"))


ROUTES = (
    Route("POST", "/composite", _composite, min_version=34.0),
    Route("POST", "/composite/batch", _batch, min_version=34.0),
)

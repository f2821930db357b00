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
from runner.local_org.resources.part_checks import (
    check_reference_ids,
    check_url,
    headers_of,
    is_reference_id,
    method_of,
    refused_part,
    text_of,
)
from runner.local_org.resources.references import referred
from runner.local_org.resources.request_parsing import json_object, not_found, version_of
from runner.local_org.resources.subrequests import (
    Answer,
    Part,
    RolledBackError,
    halted,
    mappings_of,
    rolled_back_on_failure,
    run_part,
    run_part_with_references,
)

_MOST_PARTS = 25
_MOST_HEAVY_PARTS = 5
_OLDEST_IN_BATCH = 34.0
_SINCE = {"tree": 34.0, "batch": 34.0, "sobjects": 42.0, "graph": 50.0}
_ANY = re.compile(r".*", re.DOTALL)
_RECORDS = re.compile(r"\w+ /(?:sobjects|query|queryAll)(?:/.*)?", re.DOTALL)
_WITH_COLLECTIONS = re.compile(rf"{_RECORDS.pattern}|\w+ /composite/sobjects(?:/.*)?", re.DOTALL)
_COLLECTIONS_SINCE = 43.0
_HEAVY = re.compile(r"/services/data/v[\d.]+/(query|queryAll|composite/sobjects)\b.*")
_ROLLED_BACK = (
    "The transaction was rolled back since another operation in the same transaction failed."
)
_SKIPPED = "Request aborted because an earlier request it refers to failed."
_BATCH_SKIPPED = "Batch processing halted at the caller's request"


def _composite(org: Org, request: Request) -> Response:
    body = json_object(request)
    parts = [_part(each) for each in mappings_of(body, "compositeRequest", _MOST_PARTS)]
    version = version_of(org, request)
    _check(parts, version)
    allowed = _RECORDS if version < _COLLECTIONS_SINCE else _WITH_COLLECTIONS
    all_or_none = body.get("allOrNone") is True
    answers = run_parts(org, request, parts, allowed, all_or_none=all_or_none)
    shown = [
        answer.as_composite(part.reference_id) for part, answer in zip(parts, answers, strict=True)
    ]
    return Response.of_json({"compositeResponse": shown})


def _part(entry: Mapping[str, object]) -> Part:
    return Part(
        method=method_of(entry),
        url=check_url(text_of(entry, "url")),
        body=entry.get("body"),
        reference_id=text_of(entry, "referenceId"),
        headers=headers_of(entry),
    )


def _check(parts: Sequence[Part], version: float) -> None:
    check_reference_ids((part.reference_id for part in parts), version)
    if sum(1 for part in parts if _HEAVY.fullmatch(part.url)) > _MOST_HEAVY_PARTS:
        raise ApiRefusal(
            400,
            "LIMIT_EXCEEDED",
            f"Limit exceeded: at most {_MOST_HEAVY_PARTS} query and sObject Collections"
            " subrequests in a composite request",
        )


def run_parts(
    org: Org,
    request: Request,
    parts: Sequence[Part],
    allowed: re.Pattern[str],
    *,
    all_or_none: bool,
) -> list[Answer]:
    """Run subrequests in order, each `allowed` as `METHOD /path`.

    A part that refers to a failed one is halted. With `all_or_none` the first failure, also of one
    record of a collection, rolls all back; the other answers say so.
    """
    answers: list[Answer] = []
    done: dict[str, Answer] = {}
    with rolled_back_on_failure(org) if all_or_none else nullcontext():
        for part in parts:
            answer = _answer(org, request, part, done, allowed)
            answers.append(answer)
            if is_reference_id(part.reference_id):
                done[part.reference_id] = answer
            if all_or_none and not answer.complete:
                raise RolledBackError
    if all_or_none and answers and not answers[-1].complete:
        rolled_back = halted(_ROLLED_BACK)
        rest = len(parts) - len(answers)
        return [*([rolled_back] * (len(answers) - 1)), answers[-1], *([rolled_back] * rest)]
    return answers


def _answer(
    org: Org, request: Request, part: Part, done: Mapping[str, Answer], allowed: re.Pattern[str]
) -> Answer:
    needed = referred([part.url, part.body, dict(part.headers or {})])
    if any(name in done and not done[name].good for name in needed):
        return halted(_SKIPPED)
    bodies = {name: each.body for name, each in done.items()}
    return run_part_with_references(org, request, part, bodies, allowed)


def _batch(org: Org, request: Request) -> Response:
    body = json_object(request)
    # All of them are read before the first is run.
    parts = [_batch_part(each) for each in mappings_of(body, "batchRequests", _MOST_PARTS)]
    halt = body.get("haltOnError") is True
    results: list[dict[str, object]] = []
    failed = False
    for part in parts:
        if failed and halt:
            skipped = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": _BATCH_SKIPPED}]
            results.append({"statusCode": 412, "result": skipped})
            continue
        answer = _batched(org, request, part)
        failed = failed or not answer.good
        results.append({"statusCode": answer.status, "result": answer.body})
    return Response.of_json({"hasErrors": failed, "results": results})


def _batch_part(entry: Mapping[str, object]) -> Part:
    """The URLs of a batch start at the version: `v66.0/sobjects/…`."""
    url = text_of(entry, "url")
    path = url if url.startswith("/services/data/") else f"/services/data/{url.lstrip('/')}"
    return Part(method_of(entry), check_url(path), entry.get("richInput"))


def _batched(org: Org, request: Request, part: Part) -> Answer:
    """The versions of a batch's parts are from 34.0 to its own."""
    versions = (_OLDEST_IN_BATCH, version_of(org, request))
    if refused_part(part.method, part.url, _ANY, versions) is None:
        return run_part(org, request, part)
    refusal = not_found().errors[0].as_rest()
    return Answer(404, [{key: refusal[key] for key in ("message", "errorCode")}], {})


def _listing(org: Org, request: Request) -> Response:
    version = version_of(org, request)
    root = f"/services/data/v{version:.1f}/composite"
    return Response.of_json(
        {name: f"{root}/{name}" for name, since in _SINCE.items() if since <= version}
    )


ROUTES = (
    Route("GET", "/composite", _listing, min_version=34.0),
    Route("POST", "/composite", _composite, min_version=34.0),
    Route("POST", "/composite/batch", _batch, min_version=34.0),
)

"""The page at `/`: what is in the org and what happens to it, for a person.

Server-rendered, works without JavaScript. Knows templates and what they show; the counts, rows and
lists are read in `pages/contents.py`.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from runner.local_org.bulk.jobs import Jobs
from runner.local_org.bulk1.jobs import ClassicJobs
from runner.local_org.catalog.model import SObject
from runner.local_org.fault_injection.active import Troubles
from runner.local_org.fault_injection.rule import OF_REQUESTS, Kind, Rule, RuleError
from runner.local_org.faults import ApiFault
from runner.local_org.http.log import RequestLog
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.pages import contents, page
from runner.local_org.resources.admin import check_origin, reset
from runner.local_org.usage import ApiUsage

_LATEST = 12
_ALL = 500
_OFFERED = (*sorted(OF_REQUESTS), Kind.LOCK_ROWS, Kind.JOB_STALLS, Kind.JOB_FAILS, Kind.JOB_ABORTS)


def _overview(org: Org, request: Request) -> Response:
    return _shown_overview(org, request)


def _shown_overview(org: Org, request: Request, problem: str = "", status: int = 200) -> Response:
    usage = org.part(ApiUsage)
    return page(
        "overview",
        status,
        org=org,
        url=request.base_url,
        sobjects=contents.counted(org),
        requests=org.part(RequestLog).latest(_LATEST),
        jobs=contents.job_lines(org.part(Jobs).recent(_LATEST), org.part(ClassicJobs), _LATEST),
        faults=[(each, each.rule.as_told()) for each in org.part(Troubles).listed()],
        kinds=_OFFERED,
        used=usage.used,
        maximum=usage.maximum,
        problem=problem,
    )


def _requests(org: Org, _request: Request) -> Response:
    return page("requests", org=org, requests=org.part(RequestLog).latest(_ALL))


def _records(org: Org, request: Request) -> Response:
    sobject = _sobject(org, request)
    number = request.arg("page", "1")
    at = max(1, int(number)) if number.isdigit() and len(number) < len("1000000") else 1
    search = request.arg("q")
    table = contents.table(org, sobject, search, at)
    return page("records", org=org, sobject=sobject, search=search, table=table, at=at)


def _record(org: Org, request: Request) -> Response:
    sobject = _sobject(org, request)
    values = contents.record(org, sobject, request.params["record_id"])
    if values is None:
        raise ApiFault(404, "NOT_FOUND", "The requested resource does not exist")
    return page("record", org=org, sobject=sobject, values=values)


def _sobject(org: Org, request: Request) -> SObject:
    sobject = org.catalog.sobject(request.params["name"])
    if sobject is None:
        raise ApiFault(404, "NOT_FOUND", "The requested resource does not exist")
    return sobject


def _reset(org: Org, request: Request) -> Response:
    check_origin(request)
    reset(org)
    return _back()


def _add_fault(org: Org, request: Request) -> Response:
    check_origin(request)
    form = parse_qs(request.body.decode())
    told: dict[str, object] = {name: values[0].strip() for name, values in form.items()}
    for name in ("times", "status"):
        text = str(told.get(name, ""))
        if text.isdigit():
            told[name] = int(text)
    try:
        org.part(Troubles).add(Rule.of({name: value for name, value in told.items() if value}))
    except RuleError as error:
        return _shown_overview(org, request, str(error), 400)
    return _back()


def _remove_fault(org: Org, request: Request) -> Response:
    check_origin(request)
    number = request.params.get("number")
    org.part(Troubles).remove(int(number) if number else None)
    return _back()


def _back() -> Response:
    return Response(303, b"", {"Location": "/"})


ROUTES = tuple(
    Route(method, path, endpoint, versioned=False, signed_in=False)
    for method, path, endpoint in (
        ("GET", "/", _overview),
        ("GET", "/requests", _requests),
        ("GET", r"/objects/(?P<name>\w+)", _records),
        ("GET", r"/objects/(?P<name>\w+)/(?P<record_id>\w+)", _record),
        ("POST", "/reset", _reset),
        ("POST", "/faults", _add_fault),
        ("POST", r"/faults/(?P<number>\d{1,9})/remove", _remove_fault),
    )
)

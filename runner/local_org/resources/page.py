"""The pages at `/`: the org's contents and activity, for a browser.

Rendered on the server; works without JavaScript. Pages of another origin cannot read them. Knows
the templates; `pages/contents.py` reads what they show.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.catalog.model import SObject
from runner.local_org.fault_injection.active import FaultRules
from runner.local_org.fault_injection.rule import (
    REQUEST_FAULTS,
    FaultKind,
    FaultRule,
    FaultRuleError,
)
from runner.local_org.http.log import RequestLog
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.pages import ICON, contents, page
from runner.local_org.pages.jobs import job_lines, job_page
from runner.local_org.resources.admin import guarded, reset
from runner.local_org.seeding import seeds_of
from runner.local_org.usage import ApiUsage

_LATEST = 12
_ALL = 500
_DIGITS = 9
_OFFERED = (
    *sorted(REQUEST_FAULTS),
    FaultKind.LOCK_ROWS,
    FaultKind.JOB_STALLS,
    FaultKind.JOB_FAILS,
    FaultKind.JOB_ABORTS,
)


def _overview(org: Org, request: Request, problem: str = "", status: int = 200) -> Response:
    usage = org.part(ApiUsage)
    return page(
        "overview",
        status,
        org=org,
        url=request.base_url,
        sobjects=contents.counted(org),
        requests=org.part(RequestLog).latest(_LATEST),
        jobs=job_lines(org, _LATEST),
        faults=[(each, each.rule.as_declared()) for each in org.part(FaultRules).listed()],
        kinds=_OFFERED,
        used=usage.used,
        maximum=usage.maximum,
        problem=problem,
    )


def _requests(org: Org, _request: Request) -> Response:
    return page("requests", org=org, requests=org.part(RequestLog).latest(_ALL))


def _records(org: Org, request: Request) -> Response:
    sobject = _sobject(org, request)
    number = request.arg("page")
    wanted = max(1, int(number[:_DIGITS])) if number.isdecimal() else 1
    search = request.arg("q")
    table = contents.table(org, sobject, search, wanted)
    return page("records", org=org, sobject=sobject, search=search, table=table)


def _record(org: Org, request: Request) -> Response:
    sobject = _sobject(org, request)
    values = contents.record(org, sobject, request.params["record_id"])
    if values is None:
        raise ApiRefusal(404, "NOT_FOUND", "The requested resource does not exist")
    return page("record", org=org, sobject=sobject, values=values)


def _jobs(org: Org, _request: Request) -> Response:
    return page("jobs", org=org, jobs=job_lines(org, _ALL))


def _job(org: Org, request: Request) -> Response:
    job = job_page(org, request.params["job_id"])
    if job is None:
        raise ApiRefusal(404, "NOT_FOUND", "The requested resource does not exist")
    return page("job", org=org, job=job)


def _sobject(org: Org, request: Request) -> SObject:
    sobject = org.catalog.sobject(request.params["name"])
    if sobject is None:
        raise ApiRefusal(404, "NOT_FOUND", "The requested resource does not exist")
    return sobject


def _ask_reset(org: Org, _request: Request) -> Response:
    records = sum(each.count for each in contents.counted(org))
    return page("reset", org=org, records=records, seeds=seeds_of(org))


def _reset(org: Org, _request: Request) -> Response:
    reset(org)
    return _back()


def _icon(_org: Org, _request: Request) -> Response:
    return Response(200, ICON, {"Content-Type": "image/svg+xml", "Cache-Control": "max-age=86400"})


def _add_fault(org: Org, request: Request) -> Response:
    form = parse_qs(request.body.decode())
    members: dict[str, object] = {name: values[0].strip() for name, values in form.items()}
    for name in ("times", "status"):
        text = str(members.get(name, ""))
        if text.isdecimal():
            members[name] = int(text)
    try:
        org.part(FaultRules).add(
            FaultRule.of({name: value for name, value in members.items() if value})
        )
    except FaultRuleError as error:
        return _overview(org, request, str(error), 400)
    return _back()


def _remove_fault(org: Org, request: Request) -> Response:
    number = request.params.get("number")
    org.part(FaultRules).remove(int(number) if number else None)
    return _back()


def _back() -> Response:
    return Response(303, b"", {"Location": "/"})


ROUTES = tuple(
    Route(method, path, guarded(endpoint), versioned=False, signed_in=False)
    for method, path, endpoint in (
        ("GET", "/", _overview),
        ("GET", "/requests", _requests),
        ("GET", r"/objects/(?P<name>\w+)", _records),
        ("GET", r"/objects/(?P<name>\w+)/(?P<record_id>\w+)", _record),
        ("GET", "/jobs", _jobs),
        ("GET", r"/jobs/(?P<job_id>\w+)", _job),
        ("GET", "/favicon.ico", _icon),
        ("GET", "/reset", _ask_reset),
        ("POST", "/reset", _reset),
        ("POST", "/faults", _add_fault),
        ("POST", r"/faults/(?P<number>\d{1,9})/remove", _remove_fault),
    )
)

"""`/__org/…`: controls the org itself, for tests. Needs no sign-in.

    GET    /__org/faults            the fault rules, how often each was met and struck
    POST   /__org/faults            one rule or a list (see `fault_injection/rule.py`);
                                    201 with their numbers
    DELETE /__org/faults[/{n}]      remove all, or one; jobs they stalled continue
    GET    /__org/requests?limit=n  the latest requests: time, method, path, status, milliseconds
    DELETE /__org/requests          remove them
    POST   /__org/reset             delete all records and jobs, load the seeds again; sign-ins
                                    remain
    GET    /__org/clock             what time it is in the org
    POST   /__org/clock             `{"ahead": seconds}`: how far the org's clock is ahead, from now
                                    on and after a restart
    POST   /__org/sessions/expire   end every session but the server's own; returns how many

Pages of another origin cannot call these: browsers send the origin.
"""

from __future__ import annotations

from datetime import timedelta
from functools import wraps
from urllib.parse import urlsplit

from msgspec.structs import asdict

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.blobs import Blobs
from runner.local_org.bootstrap import write_initial_records
from runner.local_org.bulk.jobs import Jobs
from runner.local_org.bulk1.jobs import Bulk1Jobs
from runner.local_org.clock_setting import save_ahead
from runner.local_org.fault_injection.active import ActiveRule, FaultRules
from runner.local_org.fault_injection.rule import FaultRule, FaultRuleError
from runner.local_org.http.log import RequestLog
from runner.local_org.http.messages import Endpoint, Request, Response, Route
from runner.local_org.oauth.sessions import Sessions
from runner.local_org.org import Clock, Org
from runner.local_org.seeding import SeedError, load_seeds

_FURTHEST = 1_000_000_000
"""Seconds that the clock may be ahead or behind."""
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def check_origin(request: Request) -> None:
    """Refuse requests that a page of another origin makes a browser send.

    With DNS rebinding a foreign name would be its own origin, so the name by which the server is
    reached is checked too.

    Raises:
        ApiRefusal: 403.
    """
    origin = request.headers.get("origin")
    host = urlsplit(request.base_url).hostname
    if host not in _LOOPBACK or (origin is not None and origin != request.base_url):
        raise ApiRefusal(
            403, "FORBIDDEN", f"Requests from pages of {origin or host} are not allowed"
        )


def reset(org: Org) -> None:
    """Delete all records and jobs, and load the seeds again, as if the org were new.

    Raises:
        ApiRefusal: 400, a seed cannot be loaded; nothing was deleted.
    """
    try:
        with org.store.writing():
            org.store.clear()
            write_initial_records(org.store, org.id)
            load_seeds(org)
    except SeedError as error:
        raise ApiRefusal(400, "INVALID_SEED", f"{error}. Nothing was deleted.") from error
    org.part(Blobs).clear()
    org.part(Bulk1Jobs).delete_all()
    org.part(Jobs).delete_all()


def _list_faults(org: Org, _request: Request) -> Response:
    return Response.of_json([_rule_json(each) for each in org.part(FaultRules).listed()])


def _add_faults(org: Org, request: Request) -> Response:
    body = request.json()
    try:
        rules = [FaultRule.of(each) for each in (body if isinstance(body, list) else [body])]
    except FaultRuleError as error:
        raise ApiRefusal(400, "INVALID_FAULT", str(error)) from None
    fault_rules = org.part(FaultRules)
    return Response.of_json({"ids": [fault_rules.add(rule) for rule in rules]}, 201)


def _remove_faults(org: Org, request: Request) -> Response:
    number = request.params.get("number")
    removed = org.part(FaultRules).remove(int(number) if number else None)
    return Response.of_json({"removed": removed})


def _rule_json(each: ActiveRule) -> dict[str, object]:
    return {"id": each.id, "met": each.met, "struck": each.struck, **each.rule.as_declared()}


def _list_requests(org: Org, request: Request) -> Response:
    limit = request.arg("limit", "200")
    if not limit.isdecimal():
        raise ApiRefusal(400, "INVALID_LIMIT", "limit is a whole number")
    latest = org.part(RequestLog).latest(int(limit))
    return Response.of_json([asdict(entry) for entry in latest])


def _clear_requests(org: Org, _request: Request) -> Response:
    org.part(RequestLog).clear()
    return Response(204)


def _reset(org: Org, _request: Request) -> Response:
    reset(org)
    return Response(204)


def _expire_sessions(org: Org, _request: Request) -> Response:
    return Response.of_json({"ended": org.part(Sessions).end_all()})


def _set_clock(org: Org, request: Request) -> Response:
    body = request.json()
    ahead = body.get("ahead") if isinstance(body, dict) else None
    if not isinstance(ahead, int | float) or not -_FURTHEST <= ahead <= _FURTHEST:
        message = f"The clock can be set to at most {_FURTHEST:,} seconds from now."
        raise ApiRefusal(400, "INVALID_CLOCK", message)
    if not isinstance(org.clock, Clock):
        raise ApiRefusal(400, "INVALID_CLOCK", "this org's clock is set by who started it")
    save_ahead(org.store, timedelta(seconds=ahead))
    org.clock.ahead = timedelta(seconds=ahead)
    return _clock(org, request)


def _clock(org: Org, _request: Request) -> Response:
    ahead = org.clock.ahead.total_seconds() if isinstance(org.clock, Clock) else None
    return Response.of_json({"now": org.clock().isoformat(), "ahead": ahead})


def guarded(endpoint: Endpoint) -> Endpoint:
    """An endpoint that pages of another origin cannot call."""

    @wraps(endpoint)
    def answer(org: Org, request: Request) -> Response:
        check_origin(request)
        return endpoint(org, request)

    return answer


ROUTES = tuple(
    Route(method, f"/__org/{path}", guarded(endpoint), versioned=False, signed_in=False)
    for method, path, endpoint in (
        ("GET", "faults", _list_faults),
        ("POST", "faults", _add_faults),
        ("DELETE", "faults", _remove_faults),
        ("DELETE", r"faults/(?P<number>\d{1,9})", _remove_faults),
        ("GET", "requests", _list_requests),
        ("DELETE", "requests", _clear_requests),
        ("POST", "reset", _reset),
        ("GET", "clock", _clock),
        ("POST", "clock", _set_clock),
        ("POST", "sessions/expire", _expire_sessions),
    )
)

"""What happens around the router: API request counts, injected faults, the request log.

Knows requests and responses as wholes. Knows no route and no resource.
"""

from __future__ import annotations

from time import perf_counter
from urllib.parse import urlencode

from msgspec.structs import replace

from runner.local_org.fault_injection.active import FaultRules
from runner.local_org.fault_injection.rule import FaultKind, FaultRule
from runner.local_org.http.log import LoggedRequest, RequestLog
from runner.local_org.http.messages import Request, Response, WireFault
from runner.local_org.oauth.sessions import Sessions
from runner.local_org.org import Org
from runner.local_org.router import dispatch, unexpected
from runner.local_org.usage import ApiUsage

API = ("/services/data/v", "/services/async/", "/services/Soap/")
_BULK1 = "/services/async/"
_SERVICES = "/services/"
_CONCURRENT = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
_DAILY = "TotalRequests Limit exceeded."
_EXPIRED = {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
_HTML = (
    b"<html><head><title>Service Unavailable</title></head>"
    b"<body><h1>We are down for maintenance</h1></body></html>"
)


def answer(org: Org, request: Request) -> Response:
    """Answer one request as it arrived; a defect around the router becomes a response too."""
    try:
        return _answer(org, request)
    except Exception:  # noqa: BLE001 - it would end the connection without an answer
        return unexpected(request)


def _answer(org: Org, request: Request) -> Response:
    if not request.path.startswith(_SERVICES):
        return dispatch(org, request)
    begun = perf_counter()
    rule = org.part(FaultRules).for_request(request.method, request.path)
    response = _counted(org, request) if rule is None else _with_fault(org, request, rule)
    milliseconds = round((perf_counter() - begun) * 1000, 2)  # before the time of its end
    org.part(RequestLog).add(
        LoggedRequest(
            time=org.clock().isoformat(),
            method=request.method,
            path=request.path,
            query=_shown_query(request),
            status=response.status,
            milliseconds=milliseconds,
            fault=rule.kind if rule else None,
        )
    )
    return response


def _shown_query(request: Request) -> str:
    """The query for the log; omitted for sign-ins, which may contain codes and tokens."""
    return urlencode(request.query, doseq=True) if request.path.startswith(API) else ""


def _counted(org: Org, request: Request) -> Response:
    """Count requests of a session; refuse those beyond the daily limit."""
    token = request.session_token
    if not request.path.startswith(API) or org.part(Sessions).look(token) is None:
        return dispatch(org, request)
    usage = org.part(ApiUsage)
    if usage.exhausted:
        response = _limit_exceeded(_DAILY)
    else:
        usage.count()
        response = dispatch(org, request)
        if usage.on_answer is not None:
            usage.on_answer()
    response.headers["Sforce-Limit-Info"] = f"api-usage={usage.used}/{usage.maximum}"
    return response


def _with_fault(org: Org, request: Request, rule: FaultRule) -> Response:  # noqa: PLR0911 - a table of kinds
    match rule.kind:
        case FaultKind.STATUS:
            return _status(rule)
        case FaultKind.RESET_BEFORE:
            return Response(wire=WireFault(reset=True))
        case FaultKind.CONCURRENCY_LIMIT:
            return _limit_exceeded(_CONCURRENT)
        case FaultKind.DAILY_LIMIT:
            response = _limit_exceeded(_DAILY)
            most = org.part(ApiUsage).maximum
            response.headers["Sforce-Limit-Info"] = f"api-usage={most}/{most}"
            return response
        case FaultKind.STALE_SESSION:
            org.part(Sessions).end(request.session_token, own_too=False)
            return _session_expired(org, request)
        case FaultKind.ANSWER_LOST:
            _counted(org, request)
            return Response(rule.status or 504)
    response = _counted(org, request)
    response.wire = _wire_fault(rule, response)
    return response


def _session_expired(org: Org, request: Request) -> Response:
    """What a dead session gets; Bulk API 1.0 has its own form."""
    if not request.path.startswith(_BULK1):
        return Response.of_json([_EXPIRED], 401)
    dead = {"x-sfdc-session": "expired", "authorization": "Bearer expired"}
    return dispatch(org, replace(request, headers={**request.headers, **dead}))


def _wire_fault(rule: FaultRule, response: Response) -> WireFault:
    if rule.kind is FaultKind.RESET_AFTER:
        return WireFault(reset=True)
    if rule.kind is FaultKind.SLOW:
        return WireFault(bytes_per_second=max(rule.bytes_per_second, 1.0))
    if rule.body_bytes is not None:
        return WireFault(truncate_after_bytes=rule.body_bytes)
    length = len(response.body) if isinstance(response.body, bytes) else 0
    return WireFault(truncate_after_bytes=length // 2)


def _status(rule: FaultRule) -> Response:
    status = rule.status or 503
    if rule.code:
        errors = [{"message": rule.message, "errorCode": rule.code}]
        response = Response.of_json(errors, status)
    elif rule.html:
        response = Response(status, _HTML, {"Content-Type": "text/html"})
    else:
        response = Response(status, rule.body.encode())
    response.headers.update(rule.headers)
    return response


def _limit_exceeded(message: str) -> Response:
    return Response.of_json([{"message": message, "errorCode": "REQUEST_LIMIT_EXCEEDED"}], 403)

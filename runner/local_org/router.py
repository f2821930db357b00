"""Finds the route of a request, and turns refusals into Salesforce's error bodies.

Knows versions, tokens and routes. Knows no socket and nothing of what the resources do.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from urllib.parse import unquote

from msgspec.structs import replace

from runner.local_org import exact_numbers
from runner.local_org.api_errors import ApiError, ApiRefusal
from runner.local_org.bulk1.resource import ROUTES as BULK1_ROUTES
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.oauth.sessions import Sessions
from runner.local_org.org import Org, User
from runner.local_org.pages import is_page, refusal_page
from runner.local_org.resources import ROUTES as REST_ROUTES

ROUTES: tuple[Route, ...] = (*REST_ROUTES, *BULK1_ROUTES)
_OLDEST_EVER = 7.0
_VERSIONED = re.compile(r"/services/data/v([^/]+)(/.*)?")
_VERSION = re.compile(r"[1-9]\d?\.0")
_MEDIA_TYPES = {"", "application/json", "multipart/form-data"}
_OF_REQUESTS = {
    "API_ERROR",
    "CLIENTINPUTERROR",
    "EXCEEDED_ID_LIMIT",
    "FEATURENOTENABLED",
    "GONE",
    "INVALIDENTITY",
    "INVALIDJOB",
    "INVALIDJOBSTATE",
    "INVALIDOPERATION",
    "INVALIDVERSION",
    "INVALID_FIELD",
    "INVALID_QUERY_LOCATOR",
    "INVALID_SESSION_ID",
    "INVALID_TYPE",
    "JSON_PARSER_ERROR",
    "MALFORMED_QUERY",
    "METHOD_NOT_ALLOWED",
    "NOT_FOUND",
    "NUMBER_OUTSIDE_VALID_RANGE",
    "QUERY_TOO_COMPLICATED",
    "REQUEST_LIMIT_EXCEEDED",
    "SERVER_UNAVAILABLE",
    "UNSUPPORTED_MEDIA_TYPE",
}
_DEPRECATED = (
    '299 - "This API is deprecated and will be removed by {}. Please see'
    ' https://help.salesforce.com/s/articleView?id=000389618&type=1 for details."'
)
"""What deprecated versions answer besides; those that the org serves only when asked to are."""
_REMOVED = {20.0: "Summer '22"}
_log = logging.getLogger(__name__)


def dispatch(org: Org, request: Request) -> Response:
    """Answer one request; every refusal and every defect becomes a response."""
    try:
        response = _answer(org, _overridden(request))
    except ApiRefusal as fault:
        response = _refused(request, fault)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        response = _refusal(400, "JSON_PARSER_ERROR", _parser_words(error))
    except Exception:  # noqa: BLE001 - a defect in one resource must not end the server
        return unexpected(request)
    return _pretty(response) if request.headers.get("x-prettyprint") == "1" else response


def unexpected(request: Request) -> Response:
    """Log the exception being handled, and answer it as an internal error of the org."""
    _log.exception("%s %s", request.method, request.path)
    if is_page(request):
        return refusal_page(500, "An unexpected error occurred; its details are in errors.log.")
    return _refusal(500, "UNKNOWN_EXCEPTION", _unexpected_words(request))


def _answer(org: Org, request: Request) -> Response:
    version, path = _version_of(org, request.path)
    candidates = [route for route in _routes(version) if route.match(path)]
    user = _signed_in(org, request) if version is not None and _guarded(candidates) else None
    if not candidates:
        raise ApiRefusal(404, "NOT_FOUND", "The requested resource does not exist")
    method = "GET" if request.method == "HEAD" else request.method
    route = next((route for route in candidates if route.method == method), None)
    if route is None:
        raise _wrong_method(request.method, candidates)
    _check_media_type(request, route)
    found = route.match(path)
    params = {
        name: unquote(value)
        for name, value in (found.groupdict() if found else {}).items()
        if value is not None
    }
    response = route.endpoint(org, _prepared(request, route, params, version, user))
    if version is not None and version < org.settings.min_version:
        response.headers["Warning"] = _DEPRECATED.format(_REMOVED.get(version, "Summer '25"))
    return response


def _prepared(
    request: Request, route: Route, params: dict[str, str], version: float | None, user: User | None
) -> Request:
    body, payload = request.body, request.payload
    streams = route.streams or (route.takes_files and _is_multipart(request))
    if payload is not None and not streams:
        body, payload = payload.read(), None
    return replace(
        request,
        params=params,
        version=version,
        user=user,
        body=body,
        payload=payload,
        dispatch=dispatch,
    )


def _is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def _version_of(org: Org, path: str) -> tuple[float | None, str]:
    """Split a path into version and rest; the rest of `/services/data/vNN.0` is `/`."""
    found = _VERSIONED.fullmatch(path)
    if found is None:
        return None, path
    if not _VERSION.fullmatch(found[1]):
        raise ApiRefusal(404, "NOT_FOUND", "The requested resource does not exist")
    version = float(found[1])
    if version in org.settings.served_versions:
        return version, found[2] or "/"
    if _OLDEST_EVER <= version < org.settings.min_version:
        raise ApiRefusal(410, "GONE", "The requested resource is no longer available")
    raise ApiRefusal(404, "NOT_FOUND", "The requested resource does not exist")


def _routes(version: float | None) -> Iterable[Route]:
    if version is None:
        return (route for route in ROUTES if not route.versioned)
    return (route for route in ROUTES if route.versioned and route.min_version <= version)


def _guarded(candidates: list[Route]) -> bool:
    """Whether a session is needed; an unknown path needs one before it answers 404."""
    return not candidates or any(route.signed_in for route in candidates)


def _signed_in(org: Org, request: Request) -> User:
    session = org.part(Sessions).find(request.token)
    if session is None:
        raise ApiRefusal(401, "INVALID_SESSION_ID", "Session expired or invalid")
    return session.user


def _check_media_type(request: Request, route: Route) -> None:
    """The REST API accepts JSON; uploads and forms check their own types."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if route.versioned and not route.streams and request.body and media_type not in _MEDIA_TYPES:
        raise ApiRefusal(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            f"Content-Type header specified in HTTP request is not supported: {media_type}",
        )


def _wrong_method(method: str, candidates: list[Route]) -> ApiRefusal:
    allowed = {route.method for route in candidates}
    if "GET" in allowed:
        allowed.add("HEAD")
    order = ["HEAD", "GET", "POST", "PUT", "PATCH", "DELETE"]
    listed = ",".join(sorted(allowed, key=order.index))
    return ApiRefusal(
        405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are {listed}"
    )


def _overridden(request: Request) -> Request:
    """`POST …?_HttpMethod=PATCH`, for clients that cannot send PATCH."""
    override = request.arg("_HttpMethod").upper()
    return replace(request, method=override) if override and request.method == "POST" else request


def _error_json(error: ApiError) -> dict[str, object]:
    """One error; those found before records are saved have no `fields` in recorded answers."""
    shape = error.as_rest()
    if error.code in _OF_REQUESTS and not error.fields:
        del shape["fields"]
    return shape


def _refusal(status: int, code: str, message: str) -> Response:
    return Response.of_json([{"message": message, "errorCode": code}], status)


def _parser_words(error: json.JSONDecodeError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"Invalid UTF-8 start byte at byte {error.start}"
    return f"{error.msg} at [line:{error.lineno}, column:{error.colno}]"


def _unexpected_words(request: Request) -> str:
    """The ErrorId is derived from the request, so the same defect has the same number."""
    number = sum(f"{request.method} {request.path}".encode()) * 2_654_435_761 % 10**9
    return (
        "An unexpected error occurred. Please include this ErrorId if you contact support: "
        f"{number}-{len(request.body)} (-{number % 10**6})"
    )


def _refused(request: Request, refusal: ApiRefusal) -> Response:
    if is_page(request):
        return refusal_page(refusal.status, refusal.errors[0].message)
    return Response.of_json([_error_json(error) for error in refusal.errors], refusal.status)


def _pretty(response: Response) -> Response:
    if isinstance(response.body, bytes) and response.body[:1] in {b"[", b"{"}:
        response.body = exact_numbers.dumps(exact_numbers.loads(response.body), indent=2).encode()
    return response

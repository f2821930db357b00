"""What the parts of composites, batches and graphs may ask for.

Knows the REST API guide's rules for methods, headers, referenceIds, paths and versions. Knows
nothing of how parts are run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from runner.local_org.api_errors import ApiRefusal

METHODS = frozenset({"DELETE", "GET", "PATCH", "POST", "PUT"})
_INHERITED = frozenset({"accept", "authorization", "content-type"})
_REFERENCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*")
_URL = re.compile(r"/services/data/v(\d+\.\d)(/[^?]*)(?:\?.*)?", re.DOTALL)
_STRICT_SINCE = 52.0
"""Since then a bad referenceId fails the whole request, and null can be referred to."""


def text_of(mapping: Mapping[str, object], key: str) -> str:
    """A member that must be a text.

    Raises:
        ApiRefusal: 400, it is missing or of another kind.
    """
    value = mapping.get(key)
    if not isinstance(value, str) or not value:
        raise ApiRefusal(400, "INVALID_INPUT", f"Required field is missing or not a string: {key}")
    return value


def method_of(entry: Mapping[str, object]) -> str:
    """The method of a part; its case matters.

    Raises:
        ApiRefusal: 400, it is missing or there is no such method.
    """
    method = text_of(entry, "method")
    if method not in METHODS:
        listed = ", ".join(sorted(METHODS))
        raise ApiRefusal(
            400, "JSON_PARSER_ERROR", f"Invalid method '{method}'. Valid methods are {listed}."
        )
    return method


def headers_of(entry: Mapping[str, object]) -> dict[str, str] | None:
    """The headers of a part.

    Raises:
        ApiRefusal: 400, one of them is that of the whole request.
    """
    headers = entry.get("httpHeaders")
    if not isinstance(headers, dict):
        return None
    for name in headers:
        if str(name).lower() in _INHERITED:
            raise ApiRefusal(
                400, "JSON_PARSER_ERROR", f"Header '{name}' cannot be specified in a subrequest."
            )
    return headers


def check_reference_ids(names: Iterable[str], version: float | None) -> None:
    """The referenceIds of one composite or graph.

    Raises:
        ApiRefusal: 400, one occurs twice, or has other characters than letters, numbers and `_`.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ApiRefusal(
                400, "DUPLICATE_VALUE", "The referenceId of each subrequest must be unique"
            )
        seen.add(name)
        if is_strict(version) and not is_reference_id(name):
            raise ApiRefusal(400, "JSON_PARSER_ERROR", bad_reference_id(name))


def is_strict(version: float | None) -> bool:
    """Whether a request of this version is refused for a bad referenceId."""
    return version is None or version >= _STRICT_SINCE


def is_reference_id(name: str) -> bool:
    """Whether parts can refer to this name."""
    return _REFERENCE_ID.fullmatch(name) is not None


def bad_reference_id(name: str) -> str:
    """What Salesforce says of a referenceId with other characters."""
    return (
        f"Provided referenceId ('{name}') must start with a letter or a number, and it can contain"
        " only letters, numbers and underscores ('_')."
    )


def check_url(url: str) -> str:
    """A URL as it must be sent; one that starts with a reference can be judged only later.

    Raises:
        ApiRefusal: 400, it is not below `/services/data/vXX.X/`.
    """
    if not url.startswith("@{") and _URL.fullmatch(url) is None:
        raise ApiRefusal(
            400, "JSON_PARSER_ERROR", f"The url must start with /services/data/vXX.X/: {url}"
        )
    return url


def refused_part(
    method: str, url: str, allowed: re.Pattern[str], versions: tuple[float, float]
) -> str | None:
    """Why a part cannot be run in its request; None if it can.

    `allowed` matches `METHOD /path`, without version and query.
    """
    found = _URL.fullmatch(url)
    if found is None or allowed.fullmatch(f"{method} {found[2].rstrip('/')}") is None:
        return f"The resource is not supported in this request: {method} {url}"
    oldest, newest = versions
    if not oldest <= float(found[1]) <= newest:
        return f"The API version must be from {oldest} to {newest}: {url}"
    return None


def node_kind(method: str, url: str) -> tuple[str, str, str]:
    """What makes nodes of a graph different: method, API version and sObject."""
    found = _URL.fullmatch(url)
    if found is None:
        return method, "", ""
    return method, found[1], found[2].removeprefix("/sobjects/").partition("/")[0].lower()

"""What each request of Salesforce's API is for, so that a refusal says what was expected.

Knows paths only. A server that is not Salesforce, such as an emulator, may lack any of them, and
answers with nothing but `NOT_FOUND`.
"""

from __future__ import annotations

import re

_VERSION = r"/services/data/v[\d.]+"
_JOBS = rf"{_VERSION}/jobs"
_PURPOSES = (
    (r"GET /services/data", "lists the API versions"),
    (rf"GET {_VERSION}", "lists the resources of an API version"),
    (rf"GET {_VERSION}/sobjects", "lists the objects"),
    (rf"GET {_VERSION}/sobjects/\w+/describe", "describes an object"),
    (rf"POST {_VERSION}/sobjects/\w+", "creates a record"),
    (rf"PATCH {_VERSION}/sobjects/\w+/[^/]+", "updates a record"),
    (rf"PATCH {_VERSION}/sobjects/\w+/[^/]+/.*", "upserts a record"),
    (rf"DELETE {_VERSION}/sobjects/.*", "deletes a record"),
    (rf"GET {_VERSION}/query(All)?", "runs a query"),
    (rf"GET {_VERSION}/query(All)?/.*", "returns the next page of a query"),
    (rf"GET {_VERSION}/limits", "returns the limits"),
    (rf"POST {_VERSION}/composite/sobjects", "creates records"),
    (rf"PATCH {_VERSION}/composite/sobjects", "updates records"),
    (rf"DELETE {_VERSION}/composite/sobjects", "deletes records"),
    (rf"PATCH {_VERSION}/composite/sobjects/.*", "upserts records"),
    (rf"POST {_VERSION}/composite/sobjects/.*", "reads records"),
    (rf"POST {_JOBS}/ingest", "creates a Bulk API 2.0 job"),
    (rf"POST {_JOBS}/query", "creates a Bulk API 2.0 query"),
    (rf"GET {_JOBS}/ingest", "lists Bulk API 2.0 jobs"),
    (rf"GET {_JOBS}/\w+/\w+", "returns the state of a Bulk API 2.0 job"),
    (rf"GET {_JOBS}/.*", "returns results of a Bulk API 2.0 job"),
    (rf"PUT {_JOBS}/.*", "uploads rows to a Bulk API 2.0 job"),
    (rf"PATCH {_JOBS}/.*", "closes or aborts a Bulk API 2.0 job"),
    (r"POST /services/oauth2/token", "returns an access token"),
    (r"POST /services/oauth2/revoke", "revokes a token"),
    (r"GET /services/oauth2/userinfo", "shows who is signed in"),
    (r"POST /services/Soap/u/.*", "restores deleted records"),
)


def with_purpose(request: str) -> str:
    """A request with what it is for: `GET /services/data, which lists the API versions`.

    Args:
        request: Method and path, without query.
    """
    asked = request.rstrip("/")
    purpose = next((told for pattern, told in _PURPOSES if re.fullmatch(pattern, asked)), None)
    return f"{request}, which {purpose}" if purpose else request

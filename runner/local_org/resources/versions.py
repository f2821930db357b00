"""`/services/data`: the versions of the API and their resources.

Knows the labels of versions: three releases a year since Winter '14 (29.0). Knows no records.
"""

from __future__ import annotations

from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org

_SEASONS = ("Winter", "Spring", "Summer")
_WINTER_14 = 29
_RESOURCES = (
    ("sobjects", 0.0),
    ("query", 0.0),
    ("queryAll", 0.0),
    ("limits", 24.0),
    ("composite", 34.0),
    ("jobs", 41.0),
)


def label_of(version: float) -> str:
    """A version's release, `Spring '26` for 66.0."""
    years, season = divmod(int(version) - _WINTER_14, len(_SEASONS))
    return f"{_SEASONS[season]} '{14 + years:02d}"


def _list_versions(org: Org, _request: Request) -> Response:
    return Response.of_json(
        [
            {
                "label": label_of(version),
                "url": f"/services/data/v{version}",
                "version": str(version),
            }
            for version in org.settings.served_versions
        ]
    )


def _list_resources(org: Org, request: Request) -> Response:
    version = request.version or 0.0
    root = f"/services/data/v{version}"
    user_id = request.user.id if request.user else org.user.id
    return Response.of_json(
        {name: f"{root}/{name}" for name, since in _RESOURCES if since <= version}
        | {"identity": f"{request.base_url}/id/{org.id}/{user_id}"}
    )


ROUTES = (
    Route("GET", "/services/data", _list_versions, versioned=False, signed_in=False),
    Route("GET", "/", _list_resources),
)

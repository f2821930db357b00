"""Which API versions an org serves, which one a run uses, and what each of them supports.

Source of the minimum versions: Salesforce's REST and Bulk API guides. Knows the rule that a
version written in a job is never changed, while the default may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import msgspec

from runner.errors import UnexpectedAnswerError, UsageError
from runner.job.model import DEFAULT_API_VERSION
from runner.salesforce.http.json_answers import read_json
from runner.salesforce.session import Session

NEWEST_KNOWN = "68.0"
"""The newest version that this release supports."""


class Feature(Enum):
    """What not every version supports; the value is the first that does."""

    BULK_INGEST = 41
    COLLECTIONS = 42
    COLLECTIONS_UPSERT = 46
    BULK_QUERY = 47
    BULK_QUERY_COLUMN_ORDER = 50
    """Before it a Bulk query returns its columns in alphabetical order."""
    DUPLICATE_RULE_HEADER = 52
    BULK_RESULT_PAGES = 58
    """A list of all pages of a Bulk query's result."""


class _ServedVersion(msgspec.Struct):
    version: Annotated[str, msgspec.Meta(pattern=r"^v?[0-9]{1,4}\.[0-9]$")]


def served(session: Session) -> tuple[str, ...]:
    """The versions the org serves, lowest first. Does not count as an API request.

    Raises:
        UnexpectedAnswerError: The answer lists none, or one that is not a version.
    """
    entries = read_json(session.request("GET", "/services/data"), list[_ServedVersion])
    found = {entry.version for entry in entries}
    if not found:
        raise UnexpectedAnswerError("The org lists no API versions at /services/data")
    return tuple(sorted(found, key=_number))


def choose(written: str | None, served_versions: Sequence[str]) -> str:
    """Choose the version that a run uses, as in a path: `66.0`.

    Args:
        written: The job's; None where it leaves it out.
        served_versions: What the org serves, at least one.

    Raises:
        UsageError: The org does not serve the job's version, or none that this release supports.
    """
    known = {_number(version): version for version in served_versions}
    wanted = _number(written or DEFAULT_API_VERSION)
    if wanted in known:
        return known[wanted]
    if written is not None:
        raise UsageError(
            f"The org does not serve API version {written}: it serves "
            f"{known[min(known)]} to {known[max(known)]}",
            hint="Set `api_version` to one of these, or leave it out to use the newest.",
        )
    usable = [number for number in known if number <= _number(NEWEST_KNOWN)]
    if not usable:
        raise UsageError(
            f"The org's oldest API version is {known[min(known)]}; this release supports versions "
            f"up to {NEWEST_KNOWN}",
            hint="Update the runner.",
        )
    return known[max(usable)]


def supports(version: str, feature: Feature) -> bool:
    """Whether a version supports a feature."""
    return _number(version) >= feature.value


def supports_all(version: str) -> bool:
    """Whether a version lacks nothing."""
    return all(supports(version, each) for each in Feature)


def require(version: str, feature: Feature, purpose: str) -> None:
    """Require a feature.

    Raises:
        UsageError: The version lacks it; says which one is needed.
    """
    if not supports(version, feature):
        raise UsageError(
            f"{purpose} needs API version {feature.value}.0 or newer; the connection has {version}",
            hint="Set a newer `api_version` in the connection, or leave it out.",
        )


def _number(version: str) -> float:
    return float(version.removeprefix("v"))

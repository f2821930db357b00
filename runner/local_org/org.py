"""The org: what every resource is given.

Knows its parts (catalog, store, settings, clock). Knows nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, TypeVar, cast

from msgspec import Struct, field

if TYPE_CHECKING:
    from runner.local_org.catalog.model import Catalog
    from runner.local_org.store import Store

_RETIRED_SERVED_FROM = 20.0
PartT = TypeVar("PartT")


def now_utc() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


class Clock:
    """The org's clock: the real one, which may be ahead of this machine's, or behind."""

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def __call__(self) -> datetime:
        """What time it is."""
        return now_utc() + self.ahead


class User(Struct, frozen=True):
    """A user of the org."""

    id: str
    """18-character Id of the User record."""
    username: str
    name: str
    email: str
    time_zone: str = "UTC"
    """IANA name; the time zone of date literals."""


class Settings(Struct, frozen=True):
    """How this org behaves; defaults are Salesforce's where it has one."""

    min_version: float = 31.0
    max_version: float = 68.0
    serve_retired: bool = False
    """Also serve 20.0 to 30.0, which Salesforce has retired."""
    session_seconds: float = 7200.0
    rotate_refresh_tokens: bool = False
    bulk_pace_seconds: float = 0.0
    """Minimum time that a Bulk job stays in each state."""
    query_page_size: int = 2000
    bulk_query_page_rows: int = 50_000
    daily_api_requests: int = 15_000
    hard_delete_allowed: bool = True
    seed: int = 0
    """Seed of every shuffle and probability, so that runs repeat."""

    @property
    def served_versions(self) -> tuple[float, ...]:
        """Versions that are served, ascending."""
        lowest = _RETIRED_SERVED_FROM if self.serve_retired else self.min_version
        return tuple(float(number) for number in range(int(lowest), int(self.max_version) + 1))


class Org(Struct):
    """One embedded Salesforce org."""

    id: str
    """18-character organization Id."""
    catalog: Catalog
    store: Store
    user: User
    settings: Settings = field(default_factory=Settings)
    clock: Callable[[], datetime] = field(default_factory=Clock)
    declared: Mapping[str, object] = field(default_factory=dict)
    """The org file as parsed; each part reads its own section."""
    org_file: Path | None = None
    """Its paths are relative to its folder."""
    _parts: dict[object, object] = field(default_factory=dict)
    _parts_lock: RLock = field(default_factory=RLock)

    def part(self, kind: Callable[[Org], PartT]) -> PartT:
        """The org's only `kind` (sessions, jobs…), created as `kind(org)` on first use."""
        with self._parts_lock:
            if kind not in self._parts:
                self._parts[kind] = kind(self)
            return cast("PartT", self._parts[kind])

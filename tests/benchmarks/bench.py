"""What a measurement is made of: the place, who takes part, what is to be done.

Knows nothing of any client or of clocks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.shapes import Shape
from tests.postgresql import url_of

ROOT = Path(__file__).parents[2]
CLIENTS = Path(__file__).parent / "clients"
PRODUCT = "sfrunner"
LIMIT = "curl"
TOKEN = "00D5g00000BENCH!bench"


@dataclass(frozen=True, slots=True)
class Bench:
    """Where one run of one contender happens."""

    port: int
    folder: Path
    """Prepared files: what is loaded (`source_file`), and where contenders are started."""
    out: Path
    """Empty before the run."""
    rows: int
    rest_rows: int
    upsert_rows: int
    python: str
    modules: Path
    postgresql: Path | None = None
    """The folder of the socket of a running cluster."""

    @property
    def wide_rows(self) -> int:
        """How many of the wide rows there are."""
        return max(1, self.rows * 3 // 10)

    def source_file(self, shape: Shape, *, mapped: bool = False, over_rest: bool = False) -> Path:
        """What is loaded: as users have it, or `mapped`, for clients that send rows as they are."""
        name = "mapped" if mapped and shape.source is not shape.written else "source"
        return self.folder / f"{name}-{shape.name}{'-rest' if over_rest else ''}.csv"

    @property
    def url(self) -> str:
        """The server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api(self) -> str:
        """Where its API begins."""
        return f"{self.url}/services/data/v60.0"


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who does a work."""

    name: str
    how: str
    """Which class of work it is: bytes copied or records parsed, with what besides."""
    command: Callable[[Bench], list[str]]
    there: Callable[[Bench], bool] = lambda _bench: True
    prepare: Callable[[Bench], None] = lambda _bench: None
    """Before the clock runs: sign-in, a job file."""
    fine: tuple[int, ...] = (0, 3)
    """Exit codes of work done; some rows fail, and some clients say so by their exit code."""


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to be done."""

    name: str
    title: str
    contenders: tuple[Contender, ...]
    count: Callable[[Bench], int] = lambda bench: bench.rows
    """How many rows it is about."""
    shape: Shape | None = None
    """Of the rows that are written."""
    over_rest: bool = False
    """Whether they are written over REST."""


def environment(bench: Bench) -> dict[str, str]:
    """What every contender finds in its environment."""
    home = bench.folder / "home"
    database = f"sqlite:///{bench.out / 'rows.db'}"
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BENCH_TOKEN": TOKEN,
        "BENCH_SQLITE": database,
        "BENCH_POSTGRESQL": url_of(bench.postgresql) if bench.postgresql else "",
        "XDG_STATE_HOME": str(bench.out / "state"),
        "HOME": str(home),
        "SF_ACCESS_TOKEN": TOKEN,
        "SF_DISABLE_TELEMETRY": "true",
        "SF_DISABLE_AUTOUPDATE": "true",
        "SF_SKIP_NEW_VERSION_CHECK": "true",
        "SF_USE_GENERIC_UNIX_KEYCHAIN": "true",
        "SF_ORG_MAX_QUERY_LIMIT": "100000000",
        "SF_ORG_API_VERSION": "60.0",
    }

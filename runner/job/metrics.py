"""Where a run's metrics go, and the notation of that.

Plain values. Knows nothing of how they are written or sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from runner.credentials import SecretReference
from runner.job.build_endpoints import reference
from runner.job.notation import path_from


class Metrics(Struct, frozen=True):
    """Where metrics go; at least one place."""

    textfile: Path | None = None
    """Folder of node_exporter's textfile collector."""
    pushgateway: SecretReference | None = None
    """Where the URL of a Pushgateway is."""


def metrics(values: Mapping[str, Any], folder: Path) -> Metrics:
    """Build it from values that are valid by the schema; paths are relative to `folder`."""
    textfile, gateway = values.get("textfile"), values.get("pushgateway")
    return Metrics(
        path_from(textfile, folder) if textfile else None, reference(gateway) if gateway else None
    )

"""Names of runs: short, readable, in the order of time.

Pure. `20261123-130501-7f3a` is a run that began on 23 November 2026 at 13:05:01 UTC.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def new_run_id(began: datetime) -> str:
    """Name a run; two that begin in the same second differ by their last four digits."""
    return f"{began.astimezone(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"

"""Standard input as a file. Knows nothing of what it holds."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from runner.errors import SourceError

_COPY_BYTES = 1 << 20


def save_standard_input(to: Path) -> Path:
    """Write standard input to a file, so that it can be read twice.

    Raises:
        SourceError: It is a terminal, or was read before.
    """
    if sys.__stdin__ is None or sys.stdin.closed:
        raise SourceError(
            "Standard input was already read, or there is none.",
            hint="Only one task can read it; save its rows to a file and name that.",
        )
    if sys.stdin.isatty():
        raise SourceError(
            "Standard input is a terminal, not rows.",
            hint="Pipe rows in: `cat accounts.csv | runner run job.yaml`.",
        )
    with to.open("wb") as out:
        shutil.copyfileobj(sys.stdin.buffer, out, _COPY_BYTES)
    sys.stdin.close()
    return to

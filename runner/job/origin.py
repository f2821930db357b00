"""The text that values come from, so that a problem of one can point at its line.

Knows lines and positions. Knows nothing of what the values mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field

from runner.diagnostics import Diagnostic, Location, Position, Severity

AT_KEY = "\0key"
"""In a path after a key: the place of the key. No key of a job file has this name."""


class Origin(Struct, frozen=True):
    """The text of a job, so that a later problem can point at its line."""

    file: Path
    lines: tuple[str, ...] = ()
    positions: Mapping[Location, Position] = field(default_factory=dict)
    """Position of each value; that of its key is at `(*path, AT_KEY)`."""

    def diagnose(  # noqa: PLR0913 - a diagnostic has as many parts
        self,
        path: Location,
        code: str,
        message: str,
        *,
        help: str | None = None,  # noqa: A002 - the word users see
        at_key: bool = False,
        severity: Severity = Severity.ERROR,
    ) -> Diagnostic:
        """A diagnostic that points at a value, or at the nearest one around it."""
        position = self._locate((*path, AT_KEY) if at_key else path)
        line = (
            self.lines[position.line - 1] if position and position.line <= len(self.lines) else None
        )
        return Diagnostic(code, message, self.file, position, line, help, severity, path)

    def _locate(self, path: Location) -> Position | None:
        while path not in self.positions and path:
            path = path[:-1]
        return self.positions.get(path)

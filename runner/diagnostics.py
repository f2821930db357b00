"""A problem in a job file, with its position and what to write instead.

Plain values. Knows nothing of YAML, schemas or terminals.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from msgspec import Struct

Location = tuple[str | int, ...]
"""The path of a value in a document: keys and indexes from the top."""


class Severity(StrEnum):
    """Whether a problem stops the job."""

    ERROR = "error"
    WARNING = "warning"


class Position(Struct, frozen=True, order=True):
    """A range of text on one line; lines and columns count from 1."""

    line: int
    column: int
    end_column: int
    """First column after the range."""


class Diagnostic(Struct, frozen=True):
    """One problem."""

    code: str
    """Never changes, for example `job/unknown-key`."""
    message: str
    file: Path
    position: Position | None = None
    line_text: str | None = None
    help: str | None = None
    severity: Severity = Severity.ERROR
    path: Location = ()

    @property
    def sort_key(self) -> tuple[str, int, int, str]:
        """By file, then position."""
        at = self.position
        return (str(self.file), at.line if at else 0, at.column if at else 0, self.message)

"""What a task may choose: closed sets of words in a job file.

Knows nothing of what follows from a choice.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class OnError(StrEnum):
    """What happens to later tasks when a task fails."""

    STOP = "stop"
    CONTINUE = "continue"


class Blank(StrEnum):
    """What an empty source value does to a field."""

    KEEP = "keep"
    CLEAR = "clear"


class Headers(StrEnum):
    """What the names of a source's columns are."""

    NAMES = "names"
    """API names and relationship paths."""
    LABELS = "labels"
    """Labels of fields, as reports and people write them."""


class UnknownColumns(StrEnum):
    """What happens to columns that are not fields of the object."""

    ERROR = "error"
    IGNORE = "ignore"


class Duplicates(StrEnum):
    """Which of several rows of the same key is sent."""

    FAIL = "fail"
    """The first; the others fail."""
    FIRST = "first"
    LAST = "last"


class Match(StrEnum):
    """Which rows of an upsert are sent."""

    UPDATE_ONLY = "update_only"
    """Those whose record exists."""
    CREATE_ONLY = "create_only"
    """Those whose record does not."""


class Concurrency(StrEnum):
    """Whether a task sends several requests at once."""

    PARALLEL = "parallel"
    SERIAL = "serial"


class MaxFailures(Struct, frozen=True):
    """How many rows may fail before the task counts as failed; exactly one member is set."""

    rows: int | None = None
    percent: float | None = None

    def allows(self, failed: int, read: int) -> bool:
        """Whether this many failures still count as PARTIAL."""
        if self.rows is not None:
            return failed <= self.rows
        return read == 0 or failed * 100 <= (self.percent or 0.0) * read


class WriteOptions(Struct, frozen=True):
    """Options of a write that are sent as headers."""

    assignment_rule: str | bool | None = None
    """True: the active rule; False: none; or a rule's Id."""
    duplicate_rule_allow_save: bool | None = None

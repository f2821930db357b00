"""Verdicts of job tests: plain values.

Knows nothing of how a test is run or shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from runner.diagnostics import Diagnostic


class Status(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    """It could not be run or compared: the test or its job is wrong."""


class Difference(Struct, frozen=True):
    """What is not as a test expects."""

    what: str
    """Which expectation: `tasks.accounts.created`."""
    file: Path
    line: int | None
    """Of the expectation, from 1."""
    expected: str
    actual: str
    lines: tuple[str, ...] = ()
    """The difference line by line: `- ` expected, `+ ` actual, or more about what happened."""


class Reach(Struct, frozen=True):
    """Something that a job can do, and whether a test has met it."""

    task: str
    """Empty for the whole job."""
    what: str
    """`runs`, `field Name`, `a row fails`."""
    met: bool


class Verdict(Struct, frozen=True):
    """How one test ended, or why a file has none."""

    file: Path
    name: str
    """Empty for a test file that cannot be read."""
    status: Status
    line: int | None = None
    """Of the test, from 1."""
    seconds: float = 0.0
    differences: tuple[Difference, ...] = ()
    problems: tuple[Diagnostic, ...] = ()
    """Of a broken test."""
    picture: Mapping[str, object] | None = None
    """What the runs did, of a test with a snapshot."""
    job: Path | None = None
    """None for a test that is broken."""
    reach: tuple[Reach, ...] = ()
    """Coverage of the job, if requested."""
    message: str | None = None
    """Why a test is broken, if no diagnostic says it."""
    hint: str | None = None

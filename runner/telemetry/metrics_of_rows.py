"""Which counts of a task are metrics."""

from __future__ import annotations

OUTCOMES = (
    "created",
    "updated",
    "deleted",
    "undeleted",
    "merged",
    "written",
    "unchanged",
    "skipped",
    "failed",
    "unprocessed",
    "in_doubt",
)
"""Counts in which each row is once; all are there, so that no series ends."""

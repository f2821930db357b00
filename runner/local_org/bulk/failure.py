"""A Bulk job that cannot go on.

Knows the words that a failed job bears.
"""

from __future__ import annotations


class JobFailure(Exception):  # noqa: N818 - it is the job's end, not a defect
    """The job ends as Failed; the text becomes its `errorMessage`."""

    @classmethod
    def invalid_batch(cls, words: str) -> JobFailure:
        """The content cannot be read as what the job says it is."""
        return cls(f"InvalidBatch : {words}")

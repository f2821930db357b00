"""A Bulk job that has failed.

Knows the message of a failed job.
"""

from __future__ import annotations


class JobFailure(Exception):  # noqa: N818 - it is the job's end, not a defect
    """The job ends as Failed, with the text as its `errorMessage`."""

    @classmethod
    def invalid_batch(cls, words: str) -> JobFailure:
        """The content is not what the job declares."""
        return cls(f"InvalidBatch : {words}")

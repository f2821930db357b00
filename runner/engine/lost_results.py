"""Results of Bulk queries that the org no longer has.

Knows how the org says so. Knows nothing of what is done then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runner.errors import OrgError, TransientError, UnexpectedAnswerError
from runner.salesforce.bulk.job import JobInfo


class LostResultError(OrgError):
    """The org no longer has the result of a query job."""


@contextmanager
def lost_results_named(job: JobInfo) -> Iterator[None]:
    """Name the job whose results are gone: deleted in the org, or older than seven days."""
    try:
        yield
    except (TransientError, UnexpectedAnswerError):
        raise
    except OrgError as error:
        raise LostResultError(
            f"The org no longer has the result of query job {job.id} ({error.message})",
            status=error.status,
            code=error.code,
            hint=error.hint,
        ) from error

"""Downloads the records of a Bulk query whose columns are known.

Knows query jobs. Knows nothing of what the records are for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.engine.context import Context
from runner.errors import UnexpectedAnswerError
from runner.job.model import WriteTask
from runner.salesforce.bulk import query_jobs
from runner.salesforce.bulk.job import failure_of
from runner.tables.staging.parts import read_header


def bulk_query(
    task: WriteTask, context: Context, soql: str, names: Sequence[str], file: Path
) -> None:
    """Download the result of a Bulk query.

    Args:
        task: The write that needs it.
        context: Of the run.
        soql: The query.
        names: The columns that it selects.
        file: Where to; CSV with a header.

    Raises:
        OrgError: The org refused the query.
        UnexpectedAnswerError: The result has other columns.
    """
    session, deadline = context.session, context.deadline(task)
    job = query_jobs.create_job(session, soql)
    pace = deadline.poll_pace(context.first_poll_seconds)
    with deadline.named_in_errors():
        ended = query_jobs.poll(session, job.id, pace, lambda _job: None)
    failure = failure_of(ended)
    if failure is not None:
        raise failure
    query_jobs.download(session, job.id, file, expected=ended.processed)
    context.disk.measure()
    header = read_header(file)
    if [each.lower() for each in header] not in ([each.lower() for each in names], []):
        raise UnexpectedAnswerError(
            f"The result of query job {job.id} has the columns {', '.join(header)} instead of "
            f"{', '.join(names)}"
        )

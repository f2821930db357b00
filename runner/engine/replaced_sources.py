"""Which tasks of an unfinished run have read files that hold something else by now.

A nightly export replaces its file, whether or not the last run has finished. Knows the plans of
tasks in the ledger. Knows nothing of how a run is executed.
"""

from __future__ import annotations

from pathlib import Path

from runner.engine.task_ledger import recorded_source
from runner.errors import SourceError
from runner.job.endpoints import STANDARD_STREAM, FileSource
from runner.job.model import Job, WriteTask
from runner.state.run_records import RunRecord
from runner.tables.staging.source_digest import is_unchanged


def replaced_sources(job: Job, run: RunRecord, folder: Path) -> tuple[str, ...]:
    """Names of the tasks whose source files have changed since the run read them.

    Only files on this machine count: a URL, a database and standard input may always give others.

    Args:
        job: The job of the run.
        run: The run.
        folder: For temporary files.
    """
    return tuple(
        task.name
        for task in job.tasks
        if isinstance(task, WriteTask) and _is_replaced(task, run, folder)
    )


def _is_replaced(task: WriteTask, run: RunRecord, folder: Path) -> bool:
    source, record = task.source, run.task(task.name)
    if not isinstance(source, FileSource) or source.path == STANDARD_STREAM or source.url:
        return False
    if record is None or record.plan is None:
        return False
    try:
        return not is_unchanged(source, recorded_source(record.plan), folder)
    except SourceError:
        return True

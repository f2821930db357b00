"""Runs a write: rows in, one result a row, result files.

Knows the order: stage, map, choose the API, send, account; and which API carries which write. A
query starts over REST and changes to Bulk when it sees how many rows there are (`query`). Knows
nothing of requests or SQL.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from runner.engine.api_choice import api_for_write, rows_of_a_batch
from runner.engine.before_images import BeforeImages, save_what_was_written
from runner.engine.columns import ColumnPlan
from runner.engine.context import JUDGED, PARTS, SNAPSHOT, STAGING, Context
from runner.engine.file_bodies import places_of_files
from runner.engine.kept_rows import kept_rows
from runner.engine.levels import LevelSender, leave_out_circles, send_in_levels
from runner.engine.managed import Noted, managed_change, noted_of
from runner.engine.merge import settle_merges
from runner.engine.mirror import (
    leave_out_unmanaged,
    refuse_empty,
    refuse_rows_outside,
)
from runner.engine.rails import Effect
from runner.engine.record_lookup import MoreRecords, look_up_records
from runner.engine.reference_lookup import look_up_references
from runner.engine.sending import PreparedWrite, own_error
from runner.engine.source_rows import ReadRows, read_rows
from runner.engine.task_end import TaskEnd, outcome_of_write
from runner.engine.task_end import stopped_by as stopped_by_error
from runner.engine.task_ledger import WritePlan, mapping_digest
from runner.errors import (
    AbortedError,
    ExitCode,
    RailError,
    RunnerError,
    StateError,
    TransportError,
    UnexpectedAnswerError,
)
from runner.events import Noticed
from runner.files import atomic_write, copy_content, unsynced, unwritable
from runner.job.model import Api, Verb, WriteTask
from runner.outcome import TaskOutcome, TaskStatus
from runner.tables.plans.changed_since import CHANGED_SINCE_FILE, write_changed_since
from runner.tables.results.pieces import IN_DOUBT_FILE, SKIPPED_FILE, UNPROCESSED_FILE
from runner.tables.results.row_results import RowResults
from runner.tables.sources.csv import REFERENCE_COLUMN
from runner.tables.sources.written import save_written
from runner.tables.staging.comparison import UNCHANGED_FILE, Comparison
from runner.tables.staging.duplicates import settle_duplicates
from runner.tables.staging.local_files import stage_files
from runner.tables.staging.merges import losers_to_send
from runner.tables.staging.rows import StagedRows
from runner.tables.staging.snapshot import save_snapshot, staged_files
from runner.wording import command_for

_OVER_BULK = (
    "the rows fill no field that is unique in the org, so they go over Bulk API 2.0, where a lost "
    "answer leaves none of them in doubt; `api: rest` takes fewer calls"
)
_MAY_PASS = frozenset({ExitCode.TEMPORARY, ExitCode.SIGN_IN})
"""Errors with these exit codes may be gone when the run is resumed."""


def run_write(task: WriteTask, context: Context, noted: Noted | None = None) -> TaskEnd:
    """Run a write from its beginning, or from where an earlier process left it.

    Args:
        task: The write.
        context: Of the run.
        noted: What becomes of records of a mirror; None: what the task itself says.

    Raises:
        RunnerError: It could not begin; nothing was sent by this process.
    """
    folder, ledger = context.task_folder(task), context.task_ledger(task)
    kept = kept_rows(task, context, ledger)
    snapshot = kept.snapshot
    read = context.ahead.take(task, context) if context.ahead is not None else None
    if read is None:
        shutil.rmtree(folder / STAGING, ignore_errors=True)  # of a process that died
        read = read_rows(task, context, folder / STAGING, snapshot)
    staging, plan = read.staging, read.plan
    try:
        comparison: Comparison | None = None
        if snapshot is None:
            rails = context.rails
            compares = rails is not None and rails.compares(task)
            comparison = stage(task, context, read, compares=compares)
            if rails is not None:
                with _rows_named(staging):
                    effect = partial(_effect, task, staging, comparison)
                    rails.check(task, context, effect, effect_of)
        rows = staging.rows_total - staging.rejected_total
        creates = _creates(task, plan, staging)
        findable = bool(plan.unique) or not creates
        blobs = plan.has_blobs
        api = (
            api_for_write(task, rows, context.version, findable=findable, blobs=blobs)
            if rows
            else None
        )
        usual = api and api_for_write(task, rows, context.version, blobs=blobs)
        if not findable and api is not usual:
            context.sink(Noticed(_OVER_BULK, task.name))
        files = staged_files(staging) if snapshot is None else None
        rows_sha256 = files.sha256 if files is not None else snapshot.sha256 if snapshot else ""
        intent = _intent(task, api, plan, staging, rows_sha256)
        ledger.check(intent, _start_over(task, context), kept.lost)
        if files is not None:  # a resume sends these rows, whatever the source has by then
            passed = partial(_save_unchanged, task, comparison, staging, folder / SNAPSHOT)
            save_snapshot(staging, folder / SNAPSHOT, files, passed)
        ledger.begin(intent)
        results = RowResults(staging, verb=task.verb)
        if api is None:
            return TaskEnd(_account(task, plan, staging, results, None))
        changes = task.undo and task.verb in {Verb.UPDATE, Verb.UPSERT}
        before = BeforeImages(task, context, plan, staging) if changes else None
        write = PreparedWrite(task, context, plan, ledger, staging, results, before)
        return _carried_out(write, api, noted or noted_of(task))
    finally:
        staging.discard()


@contextmanager
def _rows_named(staging: StagedRows) -> Iterator[None]:
    """Say how many rows there are where a limit stops the task."""
    try:
        yield
    except RailError as error:
        error.rows = staging.rows_total
        raise


def _carried_out(write: PreparedWrite, api: Api, noted: Noted | None) -> TaskEnd:
    """Send the rows, and save what later runs need to know of them."""
    task, context, changes = write.task, write.context, write.before_images is not None
    lookups = context.lookups
    names_rows = REFERENCE_COLUMN in write.staging.source_columns  # which the next may refer to
    if context.ahead is not None and api is Api.BULK and not names_rows:
        context.ahead.begin(task, context)
    with lookups.writing(task.sobject, task.verb) if lookups is not None else nullcontext():
        end = _sent(write, api)
    counts = end.outcome.counts
    if counts.created or (changes and counts.succeeded):
        try:
            with unsynced() if end.outcome.status is TaskStatus.ABORTED else nullcontext():
                save_what_was_written(
                    task, context, write.plan, write.staging, has_before_images=changes
                )
        except (StateError, OSError) as error:
            return _unsaved(end, own_error(error))
    if noted is None or not counts.succeeded:
        return end
    return replace(end, managed=managed_change(task, context, write.results, noted))


def _save_unchanged(
    task: WriteTask, comparison: Comparison | None, staging: StagedRows, folder: Path
) -> list[Path]:
    """Save the rows that other tasks get although they are not sent."""
    if not task.passes_unchanged or comparison is None:
        return []
    comparison.save_unchanged(staging, folder / UNCHANGED_FILE)
    return [folder / UNCHANGED_FILE]


def _creates(task: WriteTask, plan: ColumnPlan, staging: StagedRows) -> bool:
    """Whether rows are created that sent twice would be created twice."""
    by_id = task.verb is Verb.UPSERT and plan.key == "Id"
    return task.verb is Verb.CREATE or (by_id and staging.has_blank("Id"))


def effect_of(task: WriteTask, context: Context) -> Effect:
    """What a task would do that has not begun; its rows are read, and nothing is sent.

    Raises:
        RunnerError: They cannot be read.
    """
    compares = context.rails is not None and context.rails.compares(task)
    folder = context.task_folder(task) / JUDGED
    shutil.rmtree(folder, ignore_errors=True)  # of a process that died
    rows = read_rows(task, context, folder, is_kept=False)
    try:
        return _effect(task, rows.staging, stage(task, context, rows, compares=compares))
    finally:
        rows.staging.discard()


def _effect(task: WriteTask, staging: StagedRows, comparison: Comparison | None) -> Effect:
    """What staged rows would do, as far as it is known without their records or with them."""
    rows, sent = staging.rows_total, staging.rows_total - staging.rejected_total
    if comparison is not None:
        tally = comparison.tally(staging)
        creates = tally.creates if task.verb is Verb.UPSERT else 0
        return Effect(rows, creates, tally.updates, clears=tally.clears)
    if task.verb is Verb.CREATE:
        return Effect(rows, creates=sent)
    if task.verb is Verb.MERGE:
        return Effect(rows, deletes=losers_to_send(staging))
    return Effect(rows, deletes=sent) if task.verb is Verb.DELETE else Effect(rows)


def stage(
    task: WriteTask,
    context: Context,
    rows: ReadRows,
    *,
    compares: bool = False,
    more: MoreRecords | None = None,
) -> Comparison | None:
    """Decide which rows are sent, and how.

    Args:
        task: The write.
        context: Of the run.
        rows: As they were read.
        compares: As for `look_up_records`.
        more: As for `look_up_records`.

    Returns:
        The rows beside what their records hold, if that was read.

    Raises:
        RunnerError: The org cannot be asked, or the rows are not those that the task expects.
    """
    staging, plan = rows.staging, rows.plan
    save_written(staging.written, context.task_folder(task))
    if task.mirror is not None:
        refuse_empty(task.name, staging.rows_total)
    leave_out_unmanaged(task, context, staging)
    for note in (*staging.notes, *plan.notes):
        context.sink(Noticed(note, task.name))
    settle_duplicates(staging, task.duplicates)
    look_up_references(task, context, plan, staging, more)
    leave_out_circles(task, plan, context.describes, staging)
    if task.merge is not None:
        settle_merges(task, context, staging)
    comparison = look_up_records(task, context, plan, staging, compares=compares, more=more)
    if task.mirror is not None:
        refuse_rows_outside(task, context, staging)
    if plan.has_files:
        stage_files(staging, places_of_files(task, context.job))
    return comparison


def _sent(write: PreparedWrite, api: Api) -> TaskEnd:
    """Send the rows; a resume can still change the end if an error that may pass stopped it."""
    try:
        senders, stopped_by = send_in_levels(write, lambda level: _sender(level, api))
        if stopped_by is not None and not all(each.is_complete for each in senders):
            return _as_recorded(write, api, stopped_by)
        outcome = _account(write.task, write.plan, write.staging, write.results, stopped_by)
    except (StateError, OSError) as error:
        return _as_recorded(write, api, own_error(error))
    outcome = replace(outcome, api=api.value)
    job_ids = [job for each in senders for job in each.job_ids]
    if job_ids:
        outcome = replace(outcome, bulk_job_ids=tuple(job_ids))
    may_change = (
        any(each.has_open_rows for each in senders)
        or outcome.status is TaskStatus.ABORTED
        or outcome.exit_code in _MAY_PASS
        or isinstance(stopped_by, StateError | TransportError | UnexpectedAnswerError)
    )
    return TaskEnd(outcome, final=not may_change)


def _unsaved(end: TaskEnd, error: RunnerError) -> TaskEnd:
    """The outcome of a write whose data for an undo is incomplete; a resume saves it again."""
    has_reason = end.outcome.status in {TaskStatus.FAILED, TaskStatus.ABORTED}
    outcome = end.outcome if has_reason else stopped_by_error(error, end.outcome)
    return replace(end, outcome=outcome, final=False)


def _as_recorded(write: PreparedWrite, api: Api, error: RunnerError) -> TaskEnd:
    """The end of a write whose results cannot be joined to its rows: the ledger has the counts."""
    task, context = write.task, write.context
    record = context.ledger.run(context.run_id).task(task.name)
    if record is None or task.verb is Verb.UNDELETE:
        raise error
    from runner.engine.ledger_counts import counts_of  # noqa: PLC0415 - almost never

    counts = counts_of(record.parts, write.staging, task.verb, context.task_folder(task) / PARTS)
    outcome = stopped_by_error(error, replace(context.known_outcome(task), counts=counts))
    job_ids = tuple(dict.fromkeys(each.bulk_job_id for each in record.parts if each.bulk_job_id))
    return TaskEnd(replace(outcome, api=api.value, bulk_job_ids=job_ids), final=False)


def _sender(write: PreparedWrite, api: Api) -> LevelSender:
    if write.task.verb is Verb.UNDELETE:
        from runner.engine.undelete import UndeleteWrite  # noqa: PLC0415 - as those below

        return UndeleteWrite(write)
    if api is Api.REST:
        from runner.engine.rest import RestWrite  # noqa: PLC0415 - others do not need it

        return RestWrite(write)
    from runner.engine.bulk import BulkWrite  # noqa: PLC0415 - others do not need it

    return BulkWrite(write)


def _intent(
    task: WriteTask, api: Api | None, plan: ColumnPlan, staging: StagedRows, rows_sha256: str
) -> WritePlan:
    return WritePlan(
        api=api.value if api else "",
        key=plan.key,
        source_sha256=staging.source_sha256,
        rows=staging.rows_total,
        mapping_sha256=mapping_digest(plan.columns),
        batch_rows=rows_of_a_batch(task, has_files=plan.has_files),
        hard=task.hard,
        rows_sha256=rows_sha256,
    )


def _start_over(task: WriteTask, context: Context) -> str:
    """How to start over with a source that has changed; rows that were sent are sent again."""
    job = context.job
    again = f"`{command_for(job.file, 'run', '--anew', target=job.connection.target)}`"
    if task.verb is Verb.CREATE or (task.verb is Verb.UPSERT and (task.key or "").lower() == "id"):
        return (
            f"Or `runner resume {context.run_id} --abandon`, which sends nothing and lists the "
            f"rows that were sent: take them out of the source, then {again}."
        )
    return f"Or start over with what is there now: {again}; sending a row twice changes nothing."


def _account(
    task: WriteTask,
    plan: ColumnPlan,
    staging: StagedRows,
    results: RowResults,
    stopped_by: RunnerError | None,
) -> TaskOutcome:
    folder = staging.folder.parent
    passed = folder / SNAPSHOT / UNCHANGED_FILE
    aborted = isinstance(stopped_by, AbortedError)  # somebody waits for the end
    with unsynced() if aborted else nullcontext():
        passed_file = passed if passed.exists() and not aborted else None
        counts = results.write_files(folder, passed_file, known_only=aborted)
        changed = write_changed_since(staging.database, folder / SKIPPED_FILE)
        if task.results is not None:
            _copy_results(folder, task.results)
    outcome = outcome_of_write(task, counts, stopped_by)
    if changed and outcome.status is TaskStatus.DONE:
        outcome = replace(outcome, status=TaskStatus.PARTIAL, exit_code=ExitCode.PARTIAL)
    is_left = outcome.status is not TaskStatus.DONE or counts.skipped
    return replace(
        outcome,
        results=folder,
        top_errors=results.top_errors() if is_left else (),
        notes=(*staging.notes, *plan.notes),
    )


def _copy_results(folder: Path, to: Path) -> None:
    for file in folder.glob("*.csv"):
        with atomic_write(to / file.name) as beside:
            copy_content(file, beside)
    for name in (IN_DOUBT_FILE, SKIPPED_FILE, UNPROCESSED_FILE, CHANGED_SINCE_FILE):
        if not (folder / name).exists():
            try:
                (to / name).unlink(missing_ok=True)  # of an earlier run
            except OSError as error:
                raise unwritable(to / name, error) from error

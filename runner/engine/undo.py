"""Undoes a run: plans the steps, and runs each step as a task of a separate run.

Knows which tasks can be undone, in which order, and what to ask the org for that. Knows nothing of
the rules by which records are judged, nor of how rows are sent.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from runner.engine.context import COMPARING, Context
from runner.engine.managed import Noted
from runner.engine.task_end import TaskEnd
from runner.engine.write import run_write
from runner.errors import ExitCode, OrgError, StateError
from runner.job.choices import OnError
from runner.job.endpoints import FileSource
from runner.job.mirrors import mirror_of
from runner.job.model import FieldMapping, Job, Verb, WriteTask
from runner.outcome import Counts, TaskOutcome, TaskStatus
from runner.parallel import parallel_map
from runner.salesforce.describe import describe
from runner.salesforce.rest.retrieve import find_by_key, find_deleted, read_by_id
from runner.salesforce.session import Session
from runner.salesforce.versions import Feature, require
from runner.state.managed import Event
from runner.state.run_records import RunRecord, TaskRecord
from runner.tables.database import Database
from runner.tables.sources.csv import PLAIN_CSV
from runner.tables.sql import name
from runner.tables.staging.canonical_values import open_database
from runner.tables.undo.compare import Tally, TaskComparison
from runner.tables.undo.rules import ACTS, REASON_TEXTS, Act

NOT_UNDONE = "not_undone.csv"
"""The records of a step that were left alone, and why."""
_TO_UNDO = "to_undo.csv"
_DOCUMENT = ("ContentDocumentId", "VersionNumber", "IsLatest")
_NO_FIELD = "INVALID_FIELD"
"""Code of a query for `IsDeleted` of an object that has no recycle bin."""
_VERBS = {Act.RESTORE: Verb.UPDATE, Act.DELETE: Verb.DELETE, Act.UNDELETE: Verb.UNDELETE}


class UndoTask(WriteTask, frozen=True, kw_only=True):
    """One step of an undo: one act on the records of one task."""

    act: Act
    done_by: TaskRecord
    """The task that is undone."""


class Step(Struct, frozen=True):
    """What one step would do, by what the org holds now."""

    task: UndoTask
    tally: Tally


class UndoPlan(Struct, frozen=True):
    """What an undo would do."""

    run_id: str
    """The run to be undone."""
    steps: tuple[Step, ...]
    """In the order to run them; steps without records are left out."""
    unaccounted: tuple[str, ...] = ()
    """Tasks that wrote, and were abandoned before all their results were known."""
    merged: tuple[tuple[str, int], ...] = ()
    """Tasks that merged records, which nothing can undo, and of how many rows."""

    @property
    def undo_total(self) -> int:
        """Records that would be put back."""
        return sum(step.tally.undo for step in self.steps)

    @property
    def is_partial(self) -> bool:
        """Whether something cannot be put back."""
        left = any(step.tally.left for step in self.steps)
        return left or bool(self.unaccounted or self.merged)


def plan_undo(run: RunRecord, job: Job, session: Session, work: Path) -> UndoPlan:
    """Find out what undoing a run takes; nothing is changed.

    Args:
        run: Finished; with its tasks.
        job: As it is now; says how tasks of the same names are sent.
        session: The run's org.
        work: A temporary folder; deleted afterwards.

    Raises:
        OrgError: The org refused to return the records.
        StateError: What the run left cannot be read.
        UsageError: The API version is too old.
    """
    require(session.api_version or "", Feature.COLLECTIONS, "`runner undo`")
    steps: list[Step] = []
    unaccounted = list(_unaccounted(run))
    in_turn = sorted(run.tasks, key=lambda each: each.number)
    with _database(work) as database:
        for place, done in reversed(list(enumerate(in_turn))):
            if done.outcome is None or done.outcome.results is None or not _is_write(done):
                continue
            shared = any(each.sobject == done.sobject for each in in_turn[:place])
            undoing = _opened(done, database, work, projects=shared)
            if _lists_less(done, undoing):
                unaccounted.append(done.name)
            _judge(undoing, done, session)
            for act in undoing.acts:
                tally = undoing.tally(act)
                if tally.total:
                    steps.append(Step(_task(done, act, job, len(steps)), tally))
    return UndoPlan(run.run_id, tuple(steps), tuple(unaccounted), tuple(_merged(run)))


def run_undo_step(task: UndoTask, context: Context) -> TaskEnd:
    """Run one step, by what the records hold at this moment.

    Raises:
        RunnerError: It could not begin; nothing was sent.
    """
    folder = context.task_folder(task)
    work = folder / COMPARING
    with _database(work) as database:
        undoing = _opened(task.done_by, database, work, act=task.act)
        _judge(undoing, task.done_by, context.session)
        tally = undoing.tally(task.act)
        fields = undoing.write_rows(folder / _TO_UNDO)
        if tally.left:
            undoing.write_left(task.act, folder / NOT_UNDONE)
    if not tally.undo:
        return TaskEnd(_with_the_rest(_idle(task, folder), tally))
    mapping = tuple(FieldMapping(each, name(each)) for each in fields)
    source = FileSource(folder / _TO_UNDO, PLAIN_CSV)
    end = run_write(replace(task, source=source, fields=mapping), context, _noted(task))
    return replace(end, outcome=_with_the_rest(end.outcome, tally), final=True)


def _noted(task: UndoTask) -> Noted | None:
    """What happens to the records of a mirror, if the task is part of one."""
    if task.act is Act.DELETE:
        return Noted(task.done_by.name, Event.UNDONE)
    if task.act is Act.UNDELETE:
        return Noted(mirror_of(task.done_by.name), Event.RESTORED)
    return None


@contextmanager
def _database(work: Path) -> Iterator[Database]:
    shutil.rmtree(work, ignore_errors=True)
    private = 0o700
    try:
        work.mkdir(parents=True, mode=private)
    except OSError as error:
        raise StateError(f"{work} cannot be created: {error.strerror}.") from error
    database = open_database(work)
    try:
        yield database
    finally:
        database.close()
        shutil.rmtree(work, ignore_errors=True)


def _is_write(done: TaskRecord) -> bool:
    return done.verb in {verb.value for verb in ACTS}


def _unaccounted(run: RunRecord) -> Iterator[str]:
    return (
        each.name
        for each in run.tasks
        if _is_write(each) and each.parts and (each.outcome is None or each.outcome.results is None)
    )


def _merged(run: RunRecord) -> Iterator[tuple[str, int]]:
    for each in run.tasks:
        counts = each.outcome.counts if each.outcome and each.verb == Verb.MERGE.value else None
        if counts is not None and (counts.merged or counts.in_doubt):
            yield each.name, counts.merged + counts.in_doubt


def _opened(
    done: TaskRecord,
    database: Database,
    work: Path,
    *,
    act: Act | None = None,
    projects: bool = False,
) -> TaskComparison:
    folder = done.outcome.results if done.outcome else None
    if folder is None or not (folder / "succeeded.csv").exists():
        raise StateError(
            f"The row results of task {done.name!r} are gone: no {folder}/succeeded.csv.",
            hint="`runner history --prune` deletes old runs.",
        )
    comparison = TaskComparison(
        database,
        work,
        folder,
        Verb(done.verb),
        hard=_was_hard(done),
        act=act,
        projects=projects,
    )
    _check_listed(done, comparison, folder)
    return comparison


def _check_listed(done: TaskRecord, undoing: TaskComparison, folder: Path) -> None:
    """Refuse an undo of a part of a task because its row results were cut short or changed."""
    counts = _counts(done)
    written, in_doubt = undoing.rows_listed()
    listed, expected = written + in_doubt, counts.succeeded + counts.in_doubt
    if listed in {expected, expected + counts.unchanged}:  # which later tasks may have been given
        return
    if written == counts.succeeded and _lists_less(done, undoing):
        return
    raise StateError(
        f"The row results of task {done.name!r} are not as the run wrote them: succeeded.csv and "
        f"in_doubt.csv in {folder} list {listed:,} rows instead of {expected:,}.",
        hint="Somebody has changed them. Put them back, then run the undo again.",
    )


def _lists_less(done: TaskRecord, undoing: TaskComparison) -> bool:
    """Whether rows in doubt are in no file: a run that a signal ended only counts them."""
    aborted = done.outcome is not None and done.outcome.status is TaskStatus.ABORTED
    return aborted and undoing.rows_listed()[1] < _counts(done).in_doubt


def _counts(done: TaskRecord) -> Counts:
    return done.outcome.counts if done.outcome else Counts()


def _was_hard(done: TaskRecord) -> bool:
    return bool(json.loads(done.plan or "{}").get("hard"))


def _judge(undoing: TaskComparison, done: TaskRecord, session: Session) -> None:
    for group in undoing.groups:
        undoing.open_group(group)
        _learn(undoing, done, session)
        undoing.decide()


def _learn(undoing: TaskComparison, done: TaskRecord, session: Session) -> None:
    """Ask the org for what is needed to judge a group of records."""
    fields = undoing.index.fields
    for act in undoing.acts:
        if act is Act.UNDELETE:
            for gone in parallel_map(
                lambda ids: list(find_deleted(session, done.sobject, ids)), undoing.ids(act)
            ):
                undoing.add_deleted(gone)
        elif act is Act.DELETE or undoing.index.has_before_images:
            of_versions = _DOCUMENT if _deletes_documents(done, act) else ()
            wanted = (*fields, *of_versions)
            read = partial(_current, session, done.sobject, wanted)
            try:
                for found, unknown in parallel_map(read, undoing.ids(act)):
                    undoing.add_current(found)
                    undoing.add_unknown(unknown)
                    if of_versions:
                        undoing.add_documents(map(_document, found))
            except OrgError:
                if act is not Act.DELETE or describe(session, done.sobject).deletable:
                    raise
                undoing.keep_created()  # platform events are not read either
    for place, column, keys in undoing.parents():
        quoted = not column.parent_key_is_number
        parent, key = column.parent or "", column.parent_key or ""
        undoing.add_parents(place, find_by_key(session, parent, key, keys, quoted=quoted))


def _current(
    session: Session, sobject: str, fields: Sequence[str], ids: Sequence[str]
) -> tuple[Sequence[Mapping[str, str | None]], Sequence[str]]:
    """What records hold now, and the Ids that the org has no record of, deleted ones included."""
    found = read_by_id(session, sobject, ids, fields)
    there = {str(each["Id"])[:15] for each in found}
    missing = [each for each in ids if each[:15] not in there]
    return found, _unknown(session, sobject, missing)


def _unknown(session: Session, sobject: str, ids: Sequence[str]) -> Sequence[str]:
    """Those of the Ids that no record has, deleted ones included; none where that is not known."""
    if not ids:
        return ()
    try:
        known = {each[:15] for each, _ in find_deleted(session, sobject, ids)}
    except OrgError as error:
        if error.code != _NO_FIELD:
            raise
        return ()  # records of this object are deleted for good
    return [each for each in ids if each[:15] not in known]


def _deletes_documents(done: TaskRecord, act: Act) -> bool:
    """Whether records are deleted with the documents that they are versions of."""
    return act is Act.DELETE and done.sobject.lower() == "contentversion"


def _document(version: Mapping[str, str | None]) -> tuple[str, str, bool]:
    is_only = version["VersionNumber"] == "1" and version["IsLatest"] == "true"
    return str(version["Id"]), str(version["ContentDocumentId"]), is_only


def _task(done: TaskRecord, act: Act, job: Job, index: int) -> UndoTask:
    task = UndoTask(
        # No task of a job has a full stop in its name, so that none is called like this one.
        name=f"{done.name}.{act}",
        verb=_VERBS[act],
        sobject="ContentDocument" if _deletes_documents(done, act) else done.sobject,
        index=index,
        needs=(),
        on_error=OnError.CONTINUE,
        source=FileSource(Path(_TO_UNDO), PLAIN_CSV),
        act=act,
        done_by=done,
    )
    declared = job.task(done.name)
    if not isinstance(declared, WriteTask):
        return task
    return replace(
        task,
        api=declared.api,
        bulk_threshold=declared.bulk_threshold,
        concurrency=declared.concurrency,
        retry=declared.retry,
    )


def _idle(task: UndoTask, folder: Path) -> TaskOutcome:
    """The end of a step that had nothing to send."""
    return TaskOutcome(
        name=task.name,
        verb=task.verb.value,
        sobject=task.sobject,
        status=TaskStatus.DONE,
        results=folder,
    )


def _with_the_rest(outcome: TaskOutcome, tally: Tally) -> TaskOutcome:
    """An outcome that accounts for the records that were not sent, too."""
    counts = replace(
        outcome.counts,
        read=tally.total,
        unchanged=tally.nothing,
        skipped=tally.left_total,
    )
    reasons = tuple((why.value, REASON_TEXTS[why], count, 0) for why, count in tally.left)
    hint = outcome.hint
    if outcome.exit_code.is_by_signal or outcome.exit_code is ExitCode.TEMPORARY:
        hint = "Run `runner undo` again to undo the rest."
    outcome = replace(outcome, counts=counts, hint=hint, top_errors=outcome.top_errors + reasons)
    if tally.left and outcome.status is TaskStatus.DONE:
        return replace(outcome, status=TaskStatus.PARTIAL, exit_code=ExitCode.PARTIAL)
    return outcome

"""Plans the tasks of a job: what a run would do, without writing anything to the org.

Knows the order of the tasks and what each leaves for the others. Knows nothing of SQL, nor of how
a plan is shown or kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from runner import events
from runner.engine.columns import ColumnPlan
from runner.engine.context import PLANNED, STAGING, Context
from runner.engine.levels import sizes_of_levels
from runner.engine.merge import NO_WAY_BACK
from runner.engine.mirror import UNCERTAIN, missing_file
from runner.engine.plan_cost import cost_of_query, with_cost
from runner.engine.plan_rules import rules_of
from runner.engine.planned_sources import (
    PlannedSources,
    local_sources,
    place_in_words,
    source_in_words,
)
from runner.engine.query import count_query, run_query
from runner.engine.record_lookup import TakesPlanned, look_up_parents
from runner.engine.run import chosen
from runner.engine.source_rows import ReadRows, read_rows
from runner.engine.write import stage
from runner.errors import JobError, RunnerError, SourceError
from runner.events import Event
from runner.job.endpoints import MissingSource, tasks_of
from runner.job.model import COMPARED_VERBS, AnyTask, QueryTask, Verb, WriteTask
from runner.job.order import in_order, left_out
from runner.plan import Change, FieldChanges, TaskPlan
from runner.tables.plans.changed_since import MOMENTS
from runner.tables.plans.parents import ParentKeys
from runner.tables.plans.planned_rows import PlannedRows, Write
from runner.tables.staging.comparison import UNCHANGED_FILE, Comparison
from runner.tables.staging.key_hashes import key_of
from runner.tables.staging.merges import losers_to_send
from runner.tables.staging.rows import StagedRows
from runner.tables.staging.snapshot import save_snapshot, staged_files
from runner.tables.staging.source_digest import digest_of_rows

_FROM_WRITES = (
    "Its rows come from other writes of this plan, so Ids of records to be created are not known "
    "yet; an apply reads these rows during the run."
)
_FROM_QUERIES = (
    "Its files are those that a query of this job brings; an apply reads them during the run."
)

_LOOKED_UP_EARLY = (
    "It looks up records that earlier tasks write; an apply looks them up again during the run."
)


class PlannedTask(Struct, frozen=True):
    """A task's plan, and whether its rows were kept."""

    plan: TaskPlan
    is_kept: bool = False
    """Whether the task's folder has the rows to send; otherwise they are read during the run."""
    sources: Mapping[str, str] = {}
    """Digest of the rows of each file that it reads, by the name of `local_sources`."""


class Planner(Struct):
    """Plans one job's tasks, one after another."""

    context: Context
    """Its folder is temporary, and so is its ledger."""
    most_rows: int
    """Rows of each kind that a task's plan shows."""
    sources: PlannedSources
    keeps_rows: bool = False
    """Whether the rows to send are kept, to be applied later."""
    is_followed: bool = False
    """Whether another job is planned after this one."""

    def plan(self, only: Collection[str] = ()) -> Iterator[PlannedTask]:
        """Plan the tasks in the order in which they would run.

        Raises:
            RunnerError: A task cannot be planned.
        """
        tasks = in_order(chosen(self.context.job.tasks, only))
        without = left_out(tasks)
        for task in tasks:
            if task.enabled and task.name not in without:
                yield self._planned(task)
                self.sources.add_places(task)
        by_name = {task.name: task for task in self.context.job.tasks}
        for task in tasks:
            other = by_name.get(task.on_failure or "")
            if other is not None and task.enabled and other.enabled:
                yield PlannedTask(_only_if_failed(other, task.name))

    def _planned(self, task: AnyTask) -> PlannedTask:
        notes: list[str] = []

        def sink(event: Event) -> None:
            if isinstance(event, events.Noticed):
                notes.append(event.message)
            else:
                self.context.sink(event)

        digests = self._digests(task) if self.keeps_rows else {}
        own = self.context.of(task)
        session = own.session.scoped(task.retry, own.deadline(task).at)
        context = replace(own, session=session, sink=sink)
        try:
            if isinstance(task, QueryTask):
                found = PlannedTask(self._query(task, context))
            else:
                found = self._write(task, context)
        except JobError:
            raise
        except RunnerError as error:
            error.message = f"{task.name}: {error.message}"
            raise
        plan = replace(found.plan, notes=(*notes, *found.plan.notes))
        return replace(found, plan=plan, sources={**digests, **found.sources})

    def _digests(self, task: AnyTask) -> dict[str, str]:
        """Of files whose rows other rows are made of; read before those, so that none is older."""
        own = task.source if isinstance(task, WriteTask) else None
        return {
            name: digest_of_rows(source, self.context.folder)
            for name, source in local_sources(task)
            if source is not own and source.path not in self.sources.files
        }

    def _query(self, task: QueryTask, context: Context) -> TaskPlan:
        plan = TaskPlan(task.name, task.verb.value, task.sobject, place_in_words(task))
        unknown = self.sources.unknown_lists(task)
        if unknown:
            return replace(plan, unknown=unknown)
        early = (self.sources.read_too_early(task), self.sources.changed_before(task))
        said = [each for each in early if each is not None]
        plan = replace(plan, unknown=(*self.sources.early_rows(task), *said))
        context.record_start(task, task.index)
        reads = self.sources.redirected_query(task, context.task_folder(task))
        if reads is None:
            rows, api = count_query(self.sources.redirected_lists(task), context)
            calls, jobs = cost_of_query(rows, api)
            return replace(plan, read=rows, api=api.value, api_calls=calls, bulk_jobs=jobs)
        outcome = run_query(reads, context).outcome
        self.sources.add_targets(task, reads)
        return replace(
            plan,
            read=outcome.counts.read,
            api=outcome.api,
            api_calls=context.session.api_calls,
            bulk_jobs=len(outcome.bulk_job_ids),
        )

    def _write(self, task: WriteTask, context: Context) -> PlannedTask:
        plan = TaskPlan(
            task.name,
            task.verb.value,
            task.sobject,
            source_in_words(task.source, context.job),
            key=task.key if task.verb is not Verb.CREATE else None,
        )
        unknown, is_open = self.sources.unknown_rows(task)
        if unknown:
            self.sources.add_unknown(task, is_open=is_open)
            return PlannedTask(replace(plan, unknown=unknown, has_unknown_rows=is_open))
        if (
            isinstance(task.source, MissingSource)
            and not missing_file(context, task.source).exists()
        ):
            return PlannedTask(replace(plan, unknown=(f"{UNCERTAIN.format(task.source.task)}.",)))
        folder = context.task_folder(task)
        shutil.rmtree(folder / STAGING, ignore_errors=True)
        try:
            return self._planned_rows(task, context, plan)
        except SourceError:
            stale = self.sources.read_too_early(task)
            if stale is None:
                raise
            self.sources.add_unknown(task, is_open=True)
            return PlannedTask(replace(plan, unknown=(stale,), has_unknown_rows=True))

    def _planned_rows(self, task: WriteTask, context: Context, plan: TaskPlan) -> PlannedTask:
        wanted = self.sources.redirected_write(task)
        if task.verb in COMPARED_VERBS:
            scope = task.scope if task.mirror or task.in_scope else None
            wanted = replace(wanted, only_changes=True, scope=scope)
        read = read_rows(wanted, context, context.task_folder(task) / STAGING, is_kept=False)
        try:
            return self._planned_write(task, wanted, context, read, plan)
        finally:
            read.staging.discard()

    def _planned_write(
        self, task: WriteTask, wanted: WriteTask, context: Context, read: ReadRows, plan: TaskPlan
    ) -> PlannedTask:
        staging, columns = read.staging, read.plan
        comparison = stage(wanted, context, read, compares=True, more=self._add_new_records)
        own_calls = context.session.api_calls
        rows = self._judged(wanted, context, staging, columns, comparison)
        folder = context.task_folder(task)
        counts = rows.counts
        early = self._early(task, columns)
        looked_up = {place.sobject for each in columns.references for place in each.places}
        looks_up_early = self.sources.writes_any(looked_up)
        self.sources.add_write(task, counts, _with_lookups(columns, rows.fields))
        # What a query of the plan writes is not there yet.
        is_own = wanted.source == task.source
        is_live = bool(early) or self.sources.depends_on_writes(task) or rows.has_placeholders
        during_the_run = {
            _FROM_WRITES: is_live,
            _LOOKED_UP_EARLY: looks_up_early,
            _FROM_QUERIES: columns.has_files and not (is_own and not tasks_of(task.source)),
        }
        plan = replace(
            plan,
            key=columns.key or plan.key,
            columns=tuple(each.label for each in columns.columns),
            read=staging.rows_total,
            counts=counts,
            losers=losers_to_send(staging) if task.merge is not None else 0,
            fields=rows.fields,
            rows=rows.first(self.most_rows),
            refusals=rows.refusals,
            notes=tuple(_notes(task, staging, counts)),
            unknown=early or tuple(why for why, is_so in during_the_run.items() if is_so),
            has_unknown_rows=bool(early),
        )
        unchanged = None
        if self.sources.is_read(task):
            if comparison is not None and task.verb in COMPARED_VERBS and not task.only_changes:
                unchanged = folder / UNCHANGED_FILE
                comparison.save_unchanged(staging, unchanged)
            rows.write_files(folder, unchanged)
        levels = sizes_of_levels(task, columns, context.describes, staging)
        if not (task.only_changes or task.merge):  # it leaves them out
            levels[0] += staging.unchanged_total
        plan = with_cost(plan, task, context.version, columns, levels)
        asks = _finds(columns) or bool(columns.references)
        if task.only_changes or task.match or task.merge or columns.on_create or asks:
            plan = replace(plan, api_calls=plan.api_calls + own_calls)
        self._keep_new_keys(task, staging, rows, counts, folder)
        digests = {
            name: staging.source_sha256
            for name, source in local_sources(task)
            if source is task.source and is_own
        }
        # Whether records are there to be merged is asked again by an apply, as a run does.
        if not self.keeps_rows or any(during_the_run.values()) or task.merge is not None:
            return PlannedTask(plan, sources=digests)
        if not task.all_or_none:  # where such a row takes others with it
            rows.leave_out_refused()

        def add() -> list[Path]:
            rows.save_moments(folder / PLANNED / MOMENTS)
            others = [unchanged.replace(folder / PLANNED / UNCHANGED_FILE)] if unchanged else []
            return [folder / PLANNED / MOMENTS, *others]

        save_snapshot(staging, folder / PLANNED, staged_files(staging), add)
        return PlannedTask(plan, is_kept=True, sources=digests)

    def _early(self, task: WriteTask, columns: ColumnPlan) -> tuple[str, ...]:
        """Why a write may do something else during a run than it would now."""
        stale = self.sources.read_too_early(task)
        early = (*self.sources.early_rows(task), *([stale] if stale else []))
        if task.verb not in COMPARED_VERBS:
            return early
        described = self.context.describes.of(task.sobject)
        parents = {name for each in described.fields.values() for name in each.reference_to}
        filled = [each.label for each in columns.columns]
        found = self.sources.compared_too_early(task, {*filled, *columns.lookups.values()}, parents)
        return (*early, *([found] if found else []))

    def _judged(
        self,
        task: WriteTask,
        context: Context,
        staging: StagedRows,
        columns: ColumnPlan,
        comparison: Comparison | None,
    ) -> PlannedRows:
        described = context.describes.of(task.sobject)
        rules = rules_of(task, columns, staging, context.describes)
        if staging.rows_total > staging.rejected_total:
            for rule in rules:
                if rule.parent is not None and rule.cell is not None:
                    keys = ParentKeys(staging, rule.cell, rule.parent)
                    place = (rule.parent.sobject.lower(), rule.parent.key.lower())
                    keys.add_planned(self.sources.left.new_keys.get(place, ()))
                    if rule.parent.sobject == described.name:
                        keys.add_own(rule.parent.key)
                    look_up_parents(task, context, rule.parent.sobject, rule.parent.key, keys)
        write = Write(
            task.verb,
            task.sobject,
            key_of(staging.mappings),
            described.key_prefix,
            rules,
            self.sources.left.new_records,
        )
        self.sources.left.new_records += staging.rows_total
        rows = PlannedRows(staging, write, comparison)
        rows.judge()
        return rows

    def _add_new_records(self, lookup: TakesPlanned, sobject: str, keys: Sequence[str]) -> None:
        """Have a lookup find the records that earlier tasks of the plan create."""
        for file in self.sources.left.new_keys.get((sobject.lower(), _joined(keys)), ()):
            lookup.add_planned(file)

    def _keep_new_keys(
        self,
        task: WriteTask,
        staging: StagedRows,
        rows: PlannedRows,
        counts: Mapping[Change, int],
        folder: Path,
    ) -> None:
        """Keep the keys of new records for later tasks, if there are any."""
        is_last = task.index == self.context.job.tasks[-1].index and not self.is_followed
        if is_last or not counts.get(Change.CREATE):
            return
        described = self.context.describes.of(task.sobject)
        wanted = {
            _joined(place.by): place.by
            for other in self.context.job.tasks
            if isinstance(other, WriteTask)
            for each in other.fields or ()
            for place in (each.lookup.places if each.lookup else ())
            if place.sobject.lower() == task.sobject.lower()
        }
        for mapping in staging.mappings:
            found = described.field(mapping.column.field)
            if found is not None and found.identifies and found.name != "Id":
                wanted.setdefault(_joined([found.name]), (found.name,))
        for names in (*wanted.values(), ("Id",)):
            file = folder / f"new_{'-'.join(names)}.csv"
            if rows.save_new_keys(names, file):
                place = (task.sobject.lower(), _joined(names))
                self.sources.left.new_keys.setdefault(place, []).append(file)


def _only_if_failed(task: AnyTask, other: str) -> TaskPlan:
    said = f"It runs only if `{other}` fails."
    return TaskPlan(task.name, task.verb.value, task.sobject, unknown=(said,))


def _notes(task: WriteTask, staging: StagedRows, counts: Mapping[Change, int]) -> Iterator[str]:
    unchanged = counts.get(Change.UNCHANGED, 0)
    if task.merge is not None:
        if counts.get(Change.MERGE):
            yield NO_WAY_BACK
        if unchanged:
            yield f"The unchanged rows ({unchanged:,}) are already merged."
    elif unchanged and not task.only_changes:
        yield (
            f"A run also sends the unchanged rows ({unchanged:,}); `only_changes: true` leaves "
            "them out."
        )
    refused = counts.get(Change.REFUSED, 0)
    if refused and task.all_or_none:
        yield "`all_or_none`: the other rows of a request fail with a refused row."
    most = task.max_failures
    if refused and most is not None and not most.allows(refused, staging.rows_total):
        yield "The refused rows are more than `max_failures` allows: the task would fail."


def _with_lookups(columns: ColumnPlan, changed: Iterable[FieldChanges]) -> set[str]:
    """Fields that change, and the references behind relationships."""
    names = {each.field for each in changed}
    return names | {columns.lookups[each] for each in names if each in columns.lookups}


def _joined(names: Sequence[str]) -> str:
    """Several fields as one name."""
    return ",".join(names).lower()


def _finds(columns: ColumnPlan) -> bool:
    return any(each.found_by for each in columns.columns)

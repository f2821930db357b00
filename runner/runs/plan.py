"""Plans jobs: what a run of each would do. The org, the ledger and all files stay as they are.

Knows where the rows are meanwhile: in a folder of the state folder that is gone at the end. Takes
no job's lock, so that runs go on. Knows nothing of how a plan is shown.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

from msgspec import Struct

from runner.engine.connect import ConnectedOrg, connect
from runner.engine.context import LOOKUPS, Context, SourceOrgs
from runner.engine.known_lookups import KnownLookups
from runner.engine.org_check import org_problems, too_old
from runner.engine.plan import PlannedTask, Planner
from runner.engine.plan_rails import trips_of
from runner.engine.planned_sources import Left, PlannedSources, files_read
from runner.engine.task_conflicts import Place
from runner.errors import AbortedError, JobError, RunnerError, TransientError
from runner.files import private_folder
from runner.job.model import Environment, WriteTask
from runner.job.partial_job import files_written_by
from runner.job.source_query import SourceQuery
from runner.plan import RunPlan
from runner.runs.prepare import PreparedRun, RunOptions
from runner.runs.selection import SelectedRun, is_of
from runner.runs.source_orgs import Connecting, TargetOrg, source_orgs, tasks_to_run
from runner.runs.wiring import first_poll_seconds, open_session
from runner.salesforce.describe import Describes
from runner.salesforce.limits import API_REQUESTS, limits_of
from runner.salesforce.session import Session
from runner.state.ledger import Ledger
from runner.state.locks import file_lock, is_free
from runner.state.managed import Event, ManagedChange, MirrorKey
from runner.state.paths import StateFolder
from runner.state.run_records import new_run_id
from runner.state.store import open_ledger
from runner.state.watermarks import Extracted
from runner.tables.disk import Disk

_LOCK = "lock"


class MadePlan(Struct, frozen=True):
    """A plan, and the folder of the rows that were kept for it."""

    prepared: PreparedRun
    plan: RunPlan
    tasks: tuple[PlannedTask, ...]
    folder: Path


@contextmanager
def made_plans(
    prepared: Sequence[PreparedRun],
    options: RunOptions,
    *,
    most_rows: int,
    keeps_rows: bool = False,
    starts_over: bool = False,
) -> Iterator[list[MadePlan]]:
    """Plan jobs; what they keep is gone when the block ends.

    Args:
        prepared: The jobs, in the order in which they would run.
        options: How.
        most_rows: Rows of each kind that a task's plan shows.
        keeps_rows: Whether the rows to send are kept, to be saved.
        starts_over: Whether the run would abandon an unfinished one instead of resuming it.

    Raises:
        RunnerError: A job cannot be planned.
    """
    written: set[Path] = set()
    read = {file for each in prepared for task in each.job.tasks for file in files_read(task)}
    files: dict[Path, Path] = {}
    places: dict[Place, str] = {}
    left: dict[str | None, Left] = {}
    with _scratch(options.settings.state.create()) as scratch:
        made = []
        with _errors_of_a_plan(options.ends_at):
            for number, each in enumerate(prepared, start=1):
                sources = PlannedSources(each.job.tasks, read, files, places)
                folder = scratch / str(number)
                follows = number < len(prepared)
                planning = _Planning(
                    each, options, folder, sources, frozenset(written), left, follows, starts_over
                )
                made.append(planning.made(most_rows, keeps_rows=keeps_rows))
                written |= files_written_by(each.job)
        yield made


class _Planning(Struct, frozen=True):
    """One job that is planned."""

    prepared: PreparedRun
    options: RunOptions
    folder: Path
    sources: PlannedSources
    written_before: frozenset[Path]
    """Files that the jobs before it would write."""
    left: dict[str | None, Left]
    """What the jobs before it would leave, by the Id of their org."""
    is_followed: bool
    """Whether another job is planned after it."""
    starts_over: bool
    """Whether an unfinished run is abandoned."""

    def made(self, most_rows: int, *, keeps_rows: bool) -> MadePlan:
        """Make the plan."""
        job, created, options = self.prepared.job, datetime.now(UTC), self.options
        self.folder.mkdir()
        policy, ends_at = job.tasks[0].retry, options.ends_at
        with (
            ExitStack() as stack,
            Ledger(self.folder / "ledger.sqlite") as ledger,
            open_session(
                job.connection, job.file, options.settings, options.sink, policy, ends_at
            ) as session,
        ):
            org = connect(job.connection, session, options.sink)
            self._know_earlier_runs(ledger, org)
            others = stack.enter_context(
                self._other_orgs(TargetOrg(org.identity.org_id, session.instance_url))
            )
            context = self._context(created, ledger, session, org, others)
            self._check(context)
            before = session.api_calls
            self.sources.left = self.left.setdefault(org.identity.org_id, Left())
            planner = Planner(context, most_rows, self.sources, keeps_rows, self.is_followed)
            tasks = tuple(planner.plan(self.prepared.request.only))
            limit = limits_of(session).get(API_REQUESTS)
            plans = tuple(each.plan for each in tasks)
            elsewhere = {task.name for task in job.tasks if isinstance(task, SourceQuery)}
            api_calls = before + sum(each.api_calls for each in plans if each.name not in elsewhere)
            plan = RunPlan(
                job.name,
                job.file,
                created,
                plans,
                org.identity.org_id,
                session.instance_url,
                org.identity.username,
                org.version,
                api_calls,
                limit.max - limit.remaining if limit else None,
                limit.max if limit else None,
                trips=trips_of(context, plans, api_calls, limit),
                notes=tuple(
                    _notes(self.prepared, options.settings.state, starts_over=self.starts_over)
                ),
            )
        return MadePlan(self.prepared, plan, tasks, self.folder)

    def _other_orgs(self, target: TargetOrg) -> AbstractContextManager[SourceOrgs]:
        job, options = self.prepared.job, self.options
        how = Connecting(job, options.settings, options.sink, options.ends_at)
        tasks = tasks_to_run(job, self.prepared.request.only)
        return source_orgs(how, tasks, target)

    def _know_earlier_runs(self, ledger: Ledger, org: ConnectedOrg) -> None:
        """Let the plan's own ledger have what a run would find: watermarks, records of mirrors."""
        state = self.options.settings.state
        if state.is_new:
            return
        job, delivered = self.prepared.job, self.folder / "delivered.csv"
        created = self.folder / "created.txt"
        with open_ledger(state) as real:
            for task in job.tasks:
                if isinstance(task, WriteTask) and task.mirror and task.mirror.needs_list:
                    mirror = MirrorKey(job.file, task.name, org.identity.org_id or "")
                    real.managed.write_ids(mirror, created)
                    ledger.managed.note(ManagedChange(mirror, Event.CREATED, created))
                found = real.watermarks.find(job.file, task.name, org.identity.org_id or "")
                if found is not None:
                    real.watermarks.write_delivered(found, delivered)
                    ledger.watermarks.move(Extracted(found, delivered))

    def _check(self, context: Context) -> None:
        """Find what the org would certainly refuse, as a run does."""
        tasks = tasks_to_run(context.job, self.prepared.request.only)
        problems = org_problems(
            context.job, tasks, lambda task: context.of(task).describes, self.written_before
        )
        problems += too_old(context, tasks)
        if problems:
            raise JobError(problems)

    def _context(
        self,
        created: datetime,
        ledger: Ledger,
        session: Session,
        org: ConnectedOrg,
        others: SourceOrgs,
    ) -> Context:
        job, options = self.prepared.job, self.options
        selected = SelectedRun(
            new_run_id(created), job, self.prepared.request, self.prepared.params
        )
        selected.record(ledger, self.folder)
        local = job.connection.environment is Environment.LOCAL
        return Context(
            job=job,
            run_id=selected.run_id,
            folder=self.folder,
            session=session,
            describes=Describes(session),
            version=org.version,
            ledger=ledger,
            sink=options.sink,
            clock=time.monotonic,
            params=selected.params,
            first_poll_seconds=first_poll_seconds(local=local),
            user_id=org.identity.user_id,
            org_id=org.identity.org_id or "",
            full=selected.request.full,
            since=selected.request.begins,
            ends_at=options.ends_at,
            disk=Disk(self.folder, options.max_disk_bytes or job.max_disk_bytes),
            source_orgs=others,
            lookups=KnownLookups(self.folder / LOOKUPS),
        )


def _notes(prepared: PreparedRun, state: StateFolder, *, starts_over: bool) -> Iterator[str]:
    """What a run would do first."""
    if state.is_new:
        return
    with open_ledger(state) as ledger:
        recorded = ledger.unfinished(prepared.job.file)
    unfinished = [run for run in recorded if is_of(run, prepared.job)]
    if unfinished and starts_over:
        yield f"Run {unfinished[0].run_id} of this job is unfinished: the run abandons it."
    elif unfinished:
        yield (
            f"Run {unfinished[0].run_id} of this job is unfinished: a run resumes it first, and "
            "this plan does not know what it still sends."
        )


@contextmanager
def _errors_of_a_plan(ends_at: float | None) -> Iterator[None]:
    """Say of an error what to do next where there is no run to resume."""
    again = "Nothing was written. Make the plan again."
    try:
        yield
    except AbortedError as error:
        error.message, error.hint = "The plan was interrupted.", again
        raise
    except TransientError as error:
        if ends_at is None or time.monotonic() < ends_at:
            raise
        raise TransientError("The plan took longer than its `--timeout`.", hint=again) from error
    except RunnerError as error:
        if "runner resume" in (error.hint or ""):
            error.hint = again
        raise


@contextmanager
def _scratch(state: StateFolder) -> Iterator[Path]:
    """A folder for one command; those of dead processes are deleted."""
    root = state.root / "plans"
    # Another process must not take a folder for that of a dead one before its lock is held.
    coming_and_going = partial(file_lock, state.locks / "plans", shared=False)
    with ExitStack() as held:
        with coming_and_going():
            for other in root.glob("*"):
                if is_free(other / _LOCK, shared=False):
                    shutil.rmtree(other, ignore_errors=True)
            folder = Path(mkdtemp(dir=private_folder(root)))
            held.enter_context(file_lock(folder / _LOCK, shared=False))
        try:
            yield folder
        finally:
            with coming_and_going():
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):
                    root.rmdir()  # unless others plan, too

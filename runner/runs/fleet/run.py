"""Runs jobs on a fleet: gives orders, hears of events, collects how each job ended.

Knows when to start no more, and how to stop. Knows nothing of how a job is executed or shown.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from msgspec import Struct

from runner import events
from runner.errors import AbortedError, ExitCode, RunnerError, TransientError
from runner.events import Sink
from runner.job.model import Job
from runner.outcome import RunOutcome
from runner.runs.execute import abandon_unfinished, has_timed_out
from runner.runs.fleet.checks import (
    check_jobs,
    check_workers,
    question_for,
    read_reports,
    sent_path,
    state_text,
)
from runner.runs.fleet.cluster import Cluster, LostJobError, cluster_of
from runner.runs.fleet.messages import Answer, Order, Places
from runner.runs.fleet.schedule import OrgFact, Schedule
from runner.runs.prepare import PreparedRun, RunOptions
from runner.state.paths import StateFolder, project_folder
from runner.state.run_records import RunState
from runner.state.store import open_ledger

LEASE_OF_THE_DEAD_SECONDS = 75.0
"""How long a job waits for a lock that its dead worker may have: it runs out within a minute."""
MANY_ROWS = 1_000_000
"""Of a source: fewer are staged in a second or two, by the worker that runs the job."""
FEW_THREADS = 4
"""A worker that stages a source alone uses as many cores of its machine."""
_LOOK_SECONDS = 1.0
_NO_WORKERS_SECONDS = 60.0
_MOST_TRIES = 4
End = RunOutcome | RunnerError


class WorkerDefectError(RunnerError):
    """A mistake of the runner, on a worker; has the report."""

    exit_code = ExitCode.DEFECT
    report: str = ""


class Fleet(Struct, frozen=True):
    """Where jobs run, and which of them."""

    where: str
    """The address of a scheduler, or `dask`."""
    per_org: int = 1
    """How many jobs of one org may run at once."""
    fail_fast: bool = False
    start_over: bool = False
    excel_safe: bool = False
    least_rows: int = MANY_ROWS
    """Of a source that several workers stage."""
    few_threads: int = FEW_THREADS
    """Workers of one machine do not stage a source together if they have no more threads, or it no
    more cores."""


class FleetEnds(Struct):
    """How jobs ended, in their order, and those that did not start."""

    ends: list[End]
    not_started: list[Path]
    aborted: AbortedError | None = None


def run_on_fleet(
    jobs: Sequence[PreparedRun],
    options: RunOptions,
    fleet: Fleet,
    sink_of: Callable[[Job], Sink],
) -> FleetEnds:
    """Run jobs on the workers of a cluster, each as `execute.run` does on this machine.

    Args:
        jobs: Read and checked.
        options: How.
        fleet: Where.
        sink_of: Gives the sink of a job's events.

    Raises:
        RunnerError: Nothing could be started; nothing was sent.
    """
    check_jobs(each.job for each in jobs)
    own, state = f"sfrunner-{uuid4().hex}", options.settings.state
    places = Places(project_folder(), state.root)
    shared = state.shared.url if state.shared is not None else None

    def say(text: str) -> None:
        options.sink(events.Warned(text))

    with cluster_of(fleet.where, len(jobs), own, say, shared) as cluster:
        asked = question_for(jobs, state, Places(places.project))
        check_workers(
            read_reports(cluster.ask(places.encoded(asked, safe=False)), places),
            state,
            cluster.name,
        )
        cluster.prepare()
        if fleet.start_over:
            # Here, once: a worker that takes over from a dead one must not start over.
            for each in jobs:
                abandon_unfinished(each, options)
        return _Driver(cluster, jobs, options, fleet, places, own, sink_of).run()


class _Driver:
    def __init__(  # noqa: PLR0913, PLR0917 - what a fleet is made of
        self,
        cluster: Cluster,
        jobs: Sequence[PreparedRun],
        options: RunOptions,
        fleet: Fleet,
        places: Places,
        name: str,
        sink_of: Callable[[Job], Sink],
    ) -> None:
        self._cluster = cluster
        self._jobs = jobs
        self._options = options
        self._fleet = fleet
        self._places = places
        self._name = name
        self._schedule = Schedule(
            [each.job for each in jobs], fleet.per_org, options.settings.token
        )
        self._sinks = [sink_of(each.job) for each in jobs]
        self._tries = [0] * len(jobs)
        self._attempts: list[set[str]] = [set() for _ in jobs]
        self._run_ids: dict[int, str] = {}
        """The runs that workers have begun."""
        self._wait_for_the_dead: set[int] = set()
        self._waiting: set[int] = set()
        """Jobs that other commands have kept from starting."""
        self._under_way: set[int] = set()
        self._ends: dict[int, End] = {}
        self._is_last = False
        self._stopping: AbortedError | None = None
        self._workers_seen = time.monotonic()
        self._is_cut_off = False

    def run(self) -> FleetEnds:
        try:
            while self._under_way or (self._schedule.waiting and not self._is_last):
                self._start_what_may()
                self._look()
        except AbortedError as error:
            self._stopping = error
            while self._under_way:
                # Again and again: a worker that takes over from a dead one has not heard of it.
                self._cluster.stop(error.exit_code)
                self._look()
        return FleetEnds(
            [self._ends[number] for number in sorted(self._ends)],
            [self._jobs[number].job.file for number in self._schedule.waiting],
            self._stopping,
        )

    def _start_what_may(self) -> None:
        room = self._cluster.threads - len(self._under_way)
        while room > 0 and not self._is_last:
            number = self._schedule.take(self._under_way, self._others_let)
            if number is None:
                return
            self._start(number)
            room -= 1

    def _others_let(self, number: int) -> bool:
        """Whether other commands leave a place at the orgs of a job; says once if they do not."""
        options, job = self._options, self._jobs[number].job
        names = {_org_name(fact) for fact in self._schedule.orgs(number)}
        if self._cluster.take_places(number, names, self._fleet.per_org):
            return True
        if self._cluster.is_given_up:
            return False
        if options.ends_at is not None and time.monotonic() >= options.ends_at:
            return True  # the worker says so
        if number not in self._waiting:
            self._waiting.add(number)
            if _is_running(job, options.settings.state):
                return True  # the worker refuses it as this machine would, or waits for its lock
            self._sinks[number](
                events.Warned(
                    "Another command is running a job of this org; this job waits for it. "
                    f"`--per-org {self._fleet.per_org + 1}` would start it now."
                )
            )
        return False

    def _start(self, number: int) -> None:
        self._under_way.add(number)
        self._tries[number] += 1
        self._cluster.start(number, self._order(number))

    def _look(self) -> None:
        """Hear what has happened; waits for something to happen, but not for long."""
        self._pass_on(_LOOK_SECONDS)
        for number, answer in self._cluster.ended():
            self._pass_on(0)  # what it said before its end
            self._settle(number, answer)
        self._check_workers()

    def _pass_on(self, seconds: float) -> None:
        for said in self._cluster.said(seconds):
            number, attempt, text = json.loads(said)
            if number in self._under_way:
                self._attempts[number].add(attempt)
                if text is None:  # it begins
                    continue
                event = self._places.event(text)
                if isinstance(event, events.RunStarted):
                    self._run_ids[number] = event.run_id
                self._sinks[number](event)

    def _settle(self, number: int, answer: str | LostJobError) -> None:
        end = answer if isinstance(answer, LostJobError) else self._end_of(answer)
        code = end.exit_code if isinstance(end, RunnerError) else end.worst_exit_code
        # Its worker was shut down, and nobody asked to stop the job; or it was only next on workers
        # that died of another one.
        goes_on = code.is_by_signal or (
            isinstance(end, LostJobError)
            and end.by_deaths
            and len(self._attempts[number]) < _MOST_TRIES
        )
        if self._stopping is None and code is ExitCode.LOCKED and self._may_be_of_the_dead(number):
            self._wait_for_the_dead.add(number)
            goes_on = True
        if goes_on and self._stopping is None and self._tries[number] < _MOST_TRIES:
            self._start(number)
            return
        self._under_way.discard(number)
        self._cluster.leave_places(number)
        if isinstance(end, LostJobError) and number in self._run_ids:
            end.name_run(self._run_ids[number])
        if isinstance(end, RunnerError):
            end.job_file = self._jobs[number].job.file
        self._ends[number] = end
        timed_out = not isinstance(end, RunnerError) and has_timed_out(end)
        if timed_out or (self._fleet.fail_fast and not code.ended_well):
            self._is_last = True

    def _may_be_of_the_dead(self, number: int) -> bool:
        """Whether a job's lock may be that of a worker of ours that has died on another machine."""
        return (
            self._options.settings.state.shared is not None
            and len(self._attempts[number]) > 1
            and number not in self._wait_for_the_dead
        )

    def _end_of(self, text: str) -> End:
        answer = self._places.decoded(Answer, text)
        if answer.outcome is not None:
            return answer.outcome
        if answer.problem is not None:
            return answer.problem.error
        lines = (answer.crash or "").strip().splitlines()
        error = WorkerDefectError(
            f"internal error on a worker: {lines[-1] if lines else 'no answer'}"
        )
        error.report = answer.crash or ""
        return error

    def _check_workers(self) -> None:
        """Give up once there have been no workers for a while."""
        now = time.monotonic()
        self._say_if_cut_off()
        if self._cluster.is_given_up:  # jobs under way end as lost
            self._is_last = True
        elif self._cluster.threads:
            self._workers_seen = now
        elif now - self._workers_seen > _NO_WORKERS_SECONDS:
            self._is_last = True
            for number in self._under_way:
                error = TransientError(
                    f"{self._cluster.name} has had no workers for {_NO_WORKERS_SECONDS:g} s.",
                    hint="Start workers, then run the job again: an unfinished run is resumed.",
                )
                error.job_file = self._jobs[number].job.file
                self._ends[number] = error
            self._under_way.clear()

    def _say_if_cut_off(self) -> None:
        was, self._is_cut_off = self._is_cut_off, self._cluster.is_cut_off
        if self._is_cut_off and not was:
            said = f"{self._cluster.name} does not answer; trying again for a while."
            for number in sorted({*self._under_way, *self._schedule.waiting})[:1]:
                self._sinks[number](events.Warned(said))  # it concerns all

    @property
    def _threads_to_stage(self) -> int:
        threads = self._cluster.threads
        is_one_machine = self._options.settings.state.shared is None
        at_once = min(threads, os.cpu_count() or 1)
        return 1 if is_one_machine and at_once <= self._fleet.few_threads else threads

    def _order(self, number: int) -> str:
        wanted, options, settings = self._jobs[number], self._options, self._options.settings
        places = Places(self._places.project)
        left = None if options.ends_at is None else options.ends_at - time.monotonic()
        wait = options.wait_lock_seconds
        if number in self._wait_for_the_dead:
            wait = max(wait, LEASE_OF_THE_DEAD_SECONDS)
        order = Order(
            fleet=self._name,
            number=number,
            job_file=sent_path(wanted.job.file, places),
            sha256=wanted.job_sha256,
            request=wanted.request.text(),
            state=state_text(settings.state),
            state_of=_chosen_in(settings.state, places),
            hosts=tuple(sorted(settings.permissions.hosts)),
            folders=tuple(map(places.text, settings.permissions.folders)),
            token=settings.token,
            wait_lock_seconds=wait,
            ends_at=None if left is None else time.time() + left,
            max_disk_bytes=options.max_disk_bytes,
            parallel=options.parallel,
            allowed=tuple(sorted(options.allowed)),
            confirmed=tuple(sorted(options.confirmed)),
            excel_safe=self._fleet.excel_safe,
            threads=self._threads_to_stage,
            least_rows=self._fleet.least_rows,
        )
        return places.encoded(order, safe=False)


def _org_name(fact: OrgFact) -> str:
    """A name of an org that commands of other machines give it, too."""
    text = "\0".join(fact).replace(str(project_folder()), "")
    return sha256(text.encode()).hexdigest()[:16]


def _is_running(job: Job, state: StateFolder) -> bool:
    with open_ledger(state) as ledger:
        last = ledger.last_run_of(job.file, job.connection.target)
    return last is not None and last.state is RunState.RUNNING


def _chosen_in(state: StateFolder, places: Places) -> str | None:
    file = state.project_file
    return places.text(file) if file is not None and state.is_chosen_by_project else None

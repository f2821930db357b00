"""`runner run`: run jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec.structs import replace

from runner.cli.declare import Option
from runner.cli.job_files import JobFiles, Tags, job_files
from runner.cli.options import (
    AllowRail,
    Confirm,
    FindingsOption,
    FindingsOutput,
    MaxDisk,
    NoInput,
    On,
    OnlyTasks,
    Parallel,
    Params,
    Quiet,
    StateDir,
    Target,
    Timeout,
    Verbose,
    WaitLock,
    moment,
)
from runner.cli.settings import AllowHost, AllowOutside
from runner.errors import AbortedError, RunnerError, UsageError

if TYPE_CHECKING:
    from runner.cli.plan import PlanOutput
    from runner.cli.run_output import End, Ends
    from runner.runs.prepare import RunOptions

EXAMPLES = """\
runner run jobs/accounts.yaml
runner run jobs/ --tag nightly --quiet
runner run jobs/accounts.yaml --target prod --param day=2026-01-31
runner run jobs/ --on tcp://scheduler:8786
"""


def run(
    jobs: JobFiles,
    tag: Tags = None,
    target: Target = None,
    task: OnlyTasks = None,
    param: Params = None,
    start_over: Annotated[
        bool,
        Option(
            "--anew",
            help="Abandon the job's unfinished run and start over; rows it already sent may be "
            "sent twice.",
        ),
    ] = False,
    full: Annotated[
        bool,
        Option("--full", help="Extract all records of incremental queries, not only changed ones."),
    ] = False,
    since: Annotated[
        str | None,
        Option(
            "--since",
            help="Begin incremental queries at this day or time, e.g. 2026-01-31.",
            metavar="TIME",
            show_default=False,
        ),
    ] = None,
    reconcile: Annotated[
        bool,
        Option(
            "--reconcile",
            help="Compare the targets of incremental queries with the org, and repair them.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        Option("--dry-run", help="Write nothing; show the plan of the run."),
    ] = False,
    fail_fast: Annotated[
        bool,
        Option("--fail-fast", help="Do not start further jobs after one that failed."),
    ] = False,
    timeout: Timeout = None,
    wait_lock: WaitLock = None,
    max_disk: MaxDisk = None,
    parallel: Parallel = 4,
    allow: AllowRail = None,
    confirm: Confirm = None,
    on: On = None,
    per_org: Annotated[
        int | None,
        Option(
            "--per-org",
            min=1,
            help="With --on: how many jobs of one org run at once. Default: 1, in their order.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    output: FindingsOption = FindingsOutput.TEXT,
    state_dir: StateDir = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    _no_input: NoInput = False,  # a run never prompts; scripts may pass it to every verb
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
    excel_safe: Annotated[
        bool,
        Option(
            "--excel-safe",
            envvar="SFRUNNER_EXCEL_SAFE",
            help="Also write each result file as `*.excel.csv` with formulas disabled.",
        ),
    ] = False,
) -> None:
    """Run jobs one after another and account for every row.

    All jobs are checked before the first one starts. If an earlier run of a job did not finish, it
    is resumed; if it had other params or tasks, the new run starts after it.
    """
    from runner.cli.run_output import run_options, run_output
    from runner.runs import execute
    from runner.state.run_records import RunRequest

    if full and since:
        raise UsageError("--full and --since contradict each other.", hint="Use one of them.")
    if per_org is not None and on is None:
        raise UsageError("--per-org needs --on.", hint="Without it, jobs run one after another.")
    request = RunRequest(
        only=tuple(task or ()),
        params=tuple(param or ()),
        full=full,
        since=moment(since, "--since") if since else None,
        target=target,
        reconcile=reconcile,
    )
    files = job_files(jobs, tag)
    options_of = partial(
        run_options,
        state_dir=state_dir,
        allow_host=allow_host,
        allow_outside=allow_outside,
        timeout=timeout,
        wait_lock=wait_lock,
        max_disk=max_disk,
        parallel=parallel,
        allow=allow,
        confirm=confirm,
    )
    if dry_run and on is not None:
        raise UsageError(
            "--dry-run and --on contradict each other.", hint="A plan is made on this machine."
        )
    if dry_run:
        from runner.cli.plan import print_plans

        print_plans(
            files,
            request,
            options_of,
            output=_output_of_a_plan(output),
            verbose=verbose,
            quiet=quiet,
            starts_over=start_over,
        )
        return
    if on is not None:
        from runner.cli.run_on_fleet import run_on_fleet
        from runner.runs.fleet.run import Fleet

        fleet = Fleet(on, per_org or 1, fail_fast, start_over, excel_safe)
        run_on_fleet(files, request, options_of, fleet, output=output, verbose=verbose, quiet=quiet)
        return
    with run_output(output, verbose=verbose, quiet=quiet) as (sink, outcomes):
        options = options_of(sink)
        prepared = execute.prepare_runs(files, request, options)
        with _naming_jobs_not_started(files, outcomes, options) as noting:
            for job in prepared:
                with _noting_why_not(job.job.file, outcomes, among=len(prepared)):
                    outcome = execute.run(job, noting, start_over=start_over)
                    outcomes.append(outcome)
                    if excel_safe:
                        from runner.tables.results.excel_safe import copies_of_run

                        copies_of_run(outcome)
                if _is_last(outcomes[-1], fail_fast=fail_fast):
                    break
                if AbortedError.of_signal is not None:  # it came when the run was over
                    raise AbortedError(AbortedError.of_signal)


def _output_of_a_plan(output: FindingsOutput) -> PlanOutput:
    """How `--dry-run` prints.

    Raises:
        UsageError: A plan has no such form.
    """
    from runner.cli.plan import PlanOutput

    if output not in {FindingsOutput.TEXT, FindingsOutput.JSON, FindingsOutput.MARKDOWN}:
        raise UsageError(
            f"--dry-run prints a plan, which has no form `{output}`.",
            hint="Use `-o text`, `-o json` or `-o markdown`; `runner plan` also has `-o html`.",
        )
    return PlanOutput(output)


def _is_last(end: End, *, fail_fast: bool) -> bool:
    """Whether no further job starts after one that ended so."""
    from runner.cli.run_output import code_of
    from runner.runs.execute import has_timed_out

    code = code_of(end)
    timed_out = not isinstance(end, RunnerError) and has_timed_out(end)
    return timed_out or code.is_by_signal or (fail_fast and not code.ended_well)


@contextmanager
def _noting_why_not(job_file: Path, ends: Ends, *, among: int) -> Iterator[None]:
    """Let the other jobs start if one of several cannot; a signal ends all."""
    try:
        yield
    except AbortedError:
        raise
    except RunnerError as error:
        if among == 1:
            raise
        error.job_file = job_file
        ends.append(error)


@contextmanager
def _naming_jobs_not_started(
    jobs: Sequence[Path], ends: Ends, options: RunOptions
) -> Iterator[RunOptions]:
    """Name the jobs that a signal, the timeout or an error kept from starting.

    Yields:
        The options to run with: their sink also notes which jobs have begun.
    """
    from runner.cli.run_output import name_not_started, not_started
    from runner.events import Event, TaskStarted

    begun = 0

    def note(event: Event) -> None:
        nonlocal begun
        if isinstance(event, TaskStarted):
            begun = len(ends) + 1
        options.sink(event)

    def left() -> Sequence[Path]:
        return jobs[max(begun, len(ends)) :]

    try:
        yield replace(options, sink=note)
    except RunnerError as error:
        if len(jobs) > 1:
            error.not_started = not_started(left())
        raise
    name_not_started(ends, left())

"""`runner apply`: do what a plan says, and nothing else."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.declare import Argument, Option
from runner.cli.options import (
    AllowRail,
    Confirm,
    MaxDisk,
    NoInput,
    OnlyTasks,
    Output,
    OutputOption,
    Parallel,
    Params,
    Quiet,
    StateDir,
    Target,
    Timeout,
    Verbose,
    WaitLock,
)
from runner.cli.plan import Mask, Rows
from runner.cli.settings import AllowHost, AllowOutside
from runner.cli.terminal import Exit, echo
from runner.wording import counted

if TYPE_CHECKING:
    from runner.plan import RunPlan
    from runner.runs.plan import MadePlan

EXAMPLES = """\
runner apply accounts.plan
runner apply jobs/accounts.yaml --yes
"""


def apply(
    context: typer.Context,
    plan: Annotated[
        Path,
        Argument(
            help="A file of `runner plan --save`, or a job file.",
            metavar="FILE",
            show_default=False,
        ),
    ],
    yes: Annotated[
        bool, Option("--yes", "-y", help="Do not ask for confirmation of a job's plan.")
    ] = False,
    max_age: Annotated[
        str,
        Option(
            "--max-age",
            envvar="SFRUNNER_MAX_AGE",
            help="Refuse a saved plan that is older.",
            metavar="TIME",
        ),
    ] = "24h",
    task: OnlyTasks = None,
    param: Params = None,
    target: Target = None,
    rows: Rows = 10,
    mask: Mask = None,
    timeout: Timeout = None,
    wait_lock: WaitLock = None,
    max_disk: MaxDisk = None,
    parallel: Parallel = 4,
    allow: AllowRail = None,
    confirm: Confirm = None,
    output: OutputOption = Output.TEXT,
    state_dir: StateDir = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    no_input: NoInput = False,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Do what a plan says, and nothing else.

    A saved plan is refused if the org, the job file or a source has changed. For a job, the plan is
    made, shown, and applied after confirmation. A record that has changed since the plan was made
    is left alone. An applied plan is a run: it can be resumed, retried and undone.
    """
    from runner.cli.options import seconds
    from runner.cli.run_output import progress, run_options, run_output
    from runner.cli.signals import signals_stop_the_run
    from runner.runs.apply import apply as apply_plan
    from runner.runs.apply import check_limits
    from runner.runs.plan import made_plans
    from runner.runs.prepare import prepare
    from runner.state.run_records import RunRequest
    from runner.wording import command_for

    max_age_seconds = seconds(max_age, "--max-age")
    options_for = partial(
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
    is_text = output is Output.TEXT
    with ExitStack() as stack:
        if _is_saved_plan(plan):
            _refuse_options_of_a_job(context)
            file = plan
        else:
            request = RunRequest(only=tuple(task or ()), params=tuple(param or ()), target=target)
            bars = progress(is_text, verbose=verbose, quiet=quiet)
            with signals_stop_the_run("nothing was sent"), bars as sink:
                options = options_for(sink)
                prepared = prepare([plan], request, options)
                planning = made_plans(prepared, options, most_rows=rows, keeps_rows=True)
                (made,) = stack.enter_context(planning)
            _show(made.plan, mask or [], is_text=is_text)
            check_limits(made.plan.trips, made.prepared.job, options.allowed)
            if not yes:
                again = command_for(plan, "apply", target=made.prepared.job.connection.target)
                _confirm(made.plan, again, may_ask=is_text and not no_input)
            file = _saved(made)
        with run_output(output, verbose=verbose, quiet=quiet) as (sink, outcomes):
            options = options_for(sink)
            outcomes.append(apply_plan(file, options, max_age_seconds=max_age_seconds))


def _is_saved_plan(file: Path) -> bool:
    """Whether a file is a plan, not a job; a job's name ends in `.yaml` or `.yml`."""
    from runner.errors import UsageError
    from runner.runs.saved_plan import is_job_file

    if is_job_file(file):
        return False
    if not file.is_file():
        raise UsageError(f"{file} is not a file.", hint="Name a saved plan, or a job file.")
    return True


def _refuse_options_of_a_job(context: typer.Context) -> None:
    """Refuse options that belong to a plan of a job; their variables may be set for other verbs.

    Raises:
        UsageError: One of them is given.
    """
    from runner.errors import UsageError

    for name in ("task", "param", "target"):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(
                f"--{name} cannot change a saved plan.", hint=f"Use --{name} with `runner plan`."
            )


def _show(plan: RunPlan, mask: list[str], *, is_text: bool) -> None:
    """Show a plan; end here if it changes nothing."""
    from runner.cli.plan import PlanOutput, check_masks, show_plans
    from runner.plan import detailed_exit_code
    from runner.report.plan.masking import masked

    check_masks([plan], mask)
    if is_text or not plan.has_changes:
        show_plans([masked(plan, mask)], PlanOutput.TEXT if is_text else PlanOutput.JSON)
    if not plan.has_changes:
        raise Exit(detailed_exit_code([plan]))
    if is_text:
        echo()


def _confirm(plan: RunPlan, command: str, *, may_ask: bool) -> None:
    from runner.cli.confirmation import confirm
    from runner.suggest import in_words

    records = sum(task.writes for task in plan.tasks)
    changes = counted(records, "change")
    unknown = [task.name for task in plan.tasks if task.has_unknown_rows]
    if unknown:
        changes += f" and those of {in_words(unknown, 'and')} that are not known yet"
    confirm(
        f"Apply {changes}?",
        nothing="Nothing was written",
        what=f"the plan has {changes}",
        command=command,
        may_ask=may_ask,
    )


def _saved(made: MadePlan) -> Path:
    from runner.runs.saved_plan import save_plan

    file = made.folder / "plan"
    save_plan(made, file)
    return file

"""`runner plan`: show what a run would do."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Option
from runner.cli.job_files import JobFiles, Tags, job_files
from runner.cli.options import (
    MaxDisk,
    NoInput,
    OnlyTasks,
    Params,
    Quiet,
    StateDir,
    Target,
    Timeout,
    Verbose,
)
from runner.cli.settings import AllowHost, AllowOutside
from runner.cli.terminal import Exit, echo

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.events import Sink
    from runner.plan import RunPlan
    from runner.runs.prepare import RunOptions
    from runner.state.run_records import RunRequest


class PlanOutput(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


MOST_ROWS = 10
"""Rows of each kind that are shown of a task."""
Rows = Annotated[
    int,
    Option("--rows", min=0, help="How many rows of each kind to show of a task.", metavar="N"),
]
Mask = Annotated[
    list[str] | None,
    Option(
        "--mask",
        envvar="SFRUNNER_MASK",
        help="Show *** for the values of this field; repeatable.",
        metavar="FIELD",
    ),
]

EXAMPLES = """\
runner plan jobs/accounts.yaml
runner plan jobs/accounts.yaml --save accounts.plan
runner plan jobs/ -o markdown --mask Email
"""


def plan(
    jobs: JobFiles,
    tag: Tags = None,
    target: Target = None,
    task: OnlyTasks = None,
    param: Params = None,
    rows: Rows = MOST_ROWS,
    mask: Mask = None,
    save: Annotated[
        Path | None,
        Option(
            "--save",
            help="Also write the plan and its rows to this file, for `runner apply`.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    detailed_exitcode: Annotated[
        bool,
        Option(
            "--detailed-exitcode",
            help="Exit 8 if there are changes, 3 if rows would be refused, 0 if neither.",
        ),
    ] = False,
    timeout: Timeout = None,
    max_disk: MaxDisk = None,
    output: Annotated[
        PlanOutput,
        Option(
            "--output",
            "-o",
            envvar="SFRUNNER_OUTPUT",
            help="Print text, one JSON document, Markdown for a pull request, or an HTML page.",
        ),
    ] = PlanOutput.TEXT,
    state_dir: StateDir = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    _no_input: NoInput = False,  # a plan never prompts; scripts may pass it to every verb
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Show what a run of the jobs would do, without writing anything.

    Every source is read and every row compared with its record. Shows which records would be
    created, updated with which values, or deleted, which rows would be refused, and what the run
    would cost.
    """
    from runner.cli.run_output import run_options
    from runner.errors import UsageError
    from runner.state.run_records import RunRequest

    files = job_files(jobs, tag)
    if save is not None and len(files) > 1:
        raise UsageError("--save keeps the plan of one job.", hint="Plan each job alone.")
    if save is not None:
        from runner.runs.saved_plan import check_place

        check_place(save)
    request = RunRequest(only=tuple(task or ()), params=tuple(param or ()), target=target)
    options_of = partial(
        run_options,
        state_dir=state_dir,
        allow_host=allow_host,
        allow_outside=allow_outside,
        timeout=timeout,
        wait_lock=None,
        max_disk=max_disk,
    )
    print_plans(
        files,
        request,
        options_of,
        output=output,
        verbose=verbose,
        quiet=quiet,
        most_rows=rows,
        mask=mask or [],
        save=save,
        detailed_exitcode=detailed_exitcode,
    )


def print_plans(
    files: Sequence[Path],
    request: RunRequest,
    options_of: Callable[[Sink], RunOptions],
    *,
    output: PlanOutput,
    verbose: int,
    quiet: bool,
    most_rows: int = MOST_ROWS,
    mask: Sequence[str] = (),
    save: Path | None = None,
    detailed_exitcode: bool = False,
    starts_over: bool = False,
) -> None:
    """Plan jobs, print the plans, and exit with their code.

    Args:
        files: The jobs.
        request: What is asked of the run.
        options_of: Gives the options, with the sink for progress; a limit of the job that they
            allow to be exceeded does not stop the run.
        output: How to print.
        verbose: Whether every step is printed, too.
        quiet: Whether no progress is printed.
        most_rows: How many rows of each kind of a task are printed.
        mask: Fields whose values are not shown.
        save: The file to save the plan in.
        detailed_exitcode: Whether the exit code says what would change.
        starts_over: Whether the run would abandon an unfinished one.

    Raises:
        RunnerError: A job cannot be planned.
    """
    from runner.cli.ci import tell_ci_plans
    from runner.cli.run_output import progress
    from runner.cli.signals import signals_stop_the_run
    from runner.errors import ExitCode
    from runner.plan import detailed_exit_code, without_trips
    from runner.report.plan.masking import masked
    from runner.runs.plan import made_plans
    from runner.runs.prepare import prepare

    with (
        signals_stop_the_run("nothing was sent"),
        progress(output is PlanOutput.TEXT, verbose=verbose, quiet=quiet) as sink,
    ):
        options = options_of(sink)
        prepared = prepare(files, request, options)
        with made_plans(
            prepared,
            options,
            most_rows=most_rows,
            keeps_rows=save is not None,
            starts_over=starts_over,
        ) as made:
            plans = [without_trips(each.plan, options.allowed) for each in made]
            check_masks(plans, mask)
            if save is not None:
                from runner.runs.saved_plan import save_plan

                save_plan(made[0], save)
    shown = [masked(each, mask) for each in plans]
    show_plans(shown, output)
    code = detailed_exit_code(plans) if detailed_exitcode else ExitCode.DONE
    tell_ci_plans(shown, output, code)
    if code is not ExitCode.DONE:
        raise Exit(code)


def check_masks(plans: Sequence[RunPlan], fields: Sequence[str]) -> None:
    """Refuse a name that masks nothing: its values would be shown.

    Raises:
        UsageError: No task fills such a field.
    """
    from runner.errors import UsageError
    from runner.report.plan.masking import unknown_fields
    from runner.suggest import did_you_mean

    unknown = unknown_fields(plans, fields)
    if unknown:
        known = sorted({name for plan in plans for task in plan.tasks for name in task.columns})
        raise UsageError(
            f"--mask {unknown[0]}: no task of the plan fills this field.",
            hint=did_you_mean(unknown[0], known, f"The fields are {', '.join(known)}."),
        )


def show_plans(plans: Sequence[RunPlan], output: PlanOutput) -> None:
    """Print plans."""
    if output is PlanOutput.TEXT:
        from runner.report.console import console_for
        from runner.report.plan.text import plan_text

        console_for(sys.stdout).print(plan_text(plans), soft_wrap=True)
    elif output is PlanOutput.JSON:
        from runner.report.plan.document import plan_document

        documents = [plan_document(each) for each in plans]
        found = documents[0] if len(documents) == 1 else documents
        echo(json.dumps(found, ensure_ascii=False))
    elif output is PlanOutput.MARKDOWN:
        from runner.report.plan.markdown import plan_markdown

        echo(plan_markdown(plans), nl=False)
    else:
        from runner.report.plan.page import plan_html

        echo(plan_html(plans))

"""`runner validate`: find every mistake in job files, offline."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli.findings_output import FindingsOption, FindingsOutput, print_findings
from runner.cli.job_files import JobFiles, Tags, job_files
from runner.cli.options import Quiet
from runner.cli.settings import AllowHost, AllowOutside, permissions, user_state
from runner.diagnostics import Severity
from runner.errors import ExitCode


def validate(
    jobs: JobFiles,
    tag: Tags = None,
    output: FindingsOption = FindingsOutput.TEXT,
    expand: Annotated[
        bool,
        typer.Option(
            "--expand", help="Print the tasks of valid jobs, one for each `for_each` item."
        ),
    ] = False,
    quiet: Quiet = False,
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Find every mistake in job files, offline."""
    from runner.job.load import expanded_tasks
    from runner.runs.wiring import check_job

    permitted = permissions(allow_host, allow_outside, user_state())
    files = job_files(jobs, tag)
    found = [problem for file in files for problem in check_job(file, permitted, thorough=True)[1]]
    good = "" if quiet or found else "\n".join(f"{each}: valid" for each in files)
    if expand and not any(each.severity is Severity.ERROR for each in found):
        good = "\n".join(f"# {each}\n{expanded_tasks(each)}" for each in files).rstrip("\n")
    print_findings(found, output, good=good)
    if any(each.severity is Severity.ERROR for each in found):
        raise typer.Exit(ExitCode.INVALID)

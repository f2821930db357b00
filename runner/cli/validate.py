"""`runner validate`: find every mistake in job files, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runner.cli.findings_output import print_findings
from runner.cli.job_files import JobFiles, Tags, job_files
from runner.cli.options import FindingsOption, FindingsOutput, Quiet, Target
from runner.cli.settings import AllowHost, AllowOutside, permissions, user_state
from runner.diagnostics import Diagnostic, Severity
from runner.errors import ExitCode

if TYPE_CHECKING:
    from runner.job.permissions import Permissions

EXAMPLES = """\
runner validate jobs/
runner validate jobs/accounts.yaml --expand
runner validate jobs/ -o github
"""


def validate(
    jobs: JobFiles,
    tag: Tags = None,
    target: Target = None,
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
    """Find every mistake in job files, offline.

    With an org.lock.json beside a job or above it, also what the org would refuse.
    """
    from runner.cli.ci import tell_ci_findings
    from runner.job.load import expanded_tasks

    permitted = permissions(allow_host, allow_outside, user_state())
    files = job_files(jobs, tag)
    found = _problems(files, permitted, target)
    good = "" if quiet or found else "\n".join(f"{each}: valid" for each in files)
    if expand and not any(each.severity is Severity.ERROR for each in found):
        good = "\n".join(f"# {each}\n{expanded_tasks(each)}" for each in files).rstrip("\n")
    print_findings(found, output, jobs=files, good=good)
    invalid = any(each.severity is Severity.ERROR for each in found)
    code = ExitCode.INVALID if invalid else ExitCode.DONE
    tell_ci_findings("validate", found, files, output, code)
    if code:
        raise typer.Exit(code)


def _problems(files: list[Path], permitted: Permissions, target: str | None) -> list[Diagnostic]:
    """The problems of jobs for a target, or for each that they have, every one once."""
    from runner.job.connections import target_names

    found = [
        problem
        for file in files
        for each in ([target] if target else target_names(file) or [None])
        for problem in _of_target(file, permitted, each)
    ]
    return list(dict.fromkeys(found))


def _of_target(file: Path, permitted: Permissions, target: str | None) -> list[Diagnostic]:
    from runner.job.lock_file import find_lock
    from runner.runs.wiring import check_job

    job, problems = check_job(file, permitted, target=target, thorough=True)
    lock = find_lock(file) if job else None
    if job is None or lock is None:
        return list(problems)
    from runner.runs.lock_check import lock_problems

    return [*problems, *lock_problems(job, lock)]

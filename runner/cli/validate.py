"""`runner validate`: find every mistake in job files, offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Option
from runner.cli.findings_output import print_findings
from runner.cli.job_files import JobFiles, Tags, job_files
from runner.cli.options import FindingsOption, FindingsOutput, Quiet, Target, in_ci
from runner.cli.settings import AllowHost, AllowOutside, permissions, user_state
from runner.cli.terminal import Exit, echo
from runner.diagnostics import Diagnostic, Severity
from runner.errors import ExitCode
from runner.wording import command_for

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
        Option("--expand", help="Print the tasks of valid jobs, one for each `for_each` item."),
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
    found, without_lock = _problems(files, permitted, target, named=jobs)
    files = [each for each in files if each in jobs or each.exists()]
    found = [*_problems_of_project(), *found]
    good = "" if quiet or found else "\n".join(f"{each}: valid" for each in files)
    if expand and not any(each.severity is Severity.ERROR for each in found):
        good = "\n".join(f"# {each}\n{expanded_tasks(each)}" for each in files).rstrip("\n")
    print_findings(found, output, verb="validate", jobs=files, good=good)
    invalid = any(each.severity is Severity.ERROR for each in found)
    code = ExitCode.INVALID if invalid else ExitCode.DONE
    if without_lock and output is FindingsOutput.TEXT and not quiet and not in_ci():
        one = command_for(without_lock[0], "org pull", target=None)
        command = one if len(without_lock) == 1 else "runner org pull JOB…"
        echo(
            "note: objects and fields were not compared with those of the org. Run "
            f"`{command}` once; then validate compares them offline.",
            err=True,
        )
    tell_ci_findings("validate", found, files, output, code)
    if code:
        raise Exit(code)


def _problems_of_project() -> tuple[Diagnostic, ...]:
    """The problems of the project's file, if there is one: it says where the state of jobs is."""
    from runner.state.paths import project_file

    file = project_file()
    if file is None:
        return ()
    from runner.state.project_file import problems_of_project

    return problems_of_project(file)


def _problems(
    files: list[Path], permitted: Permissions, target: str | None, named: Sequence[Path]
) -> tuple[list[Diagnostic], list[Path]]:
    """The problems of jobs for a target, or for each that they have, every one once.

    Also the jobs of real orgs that have no lock to be compared with. Files that were found in a
    folder and are gone by now have no problem, those that were named have.
    """
    from runner.job.connections import target_names
    from runner.job.lock_file import find_lock
    from runner.job.model import Environment
    from runner.runs.wiring import check_job

    found: list[Diagnostic] = []
    without_lock: list[Path] = []
    for file in files:
        for each in [target] if target else target_names(file) or [None]:
            job, problems = check_job(file, permitted, target=each, thorough=True)
            if job is None and file not in named and not file.exists():
                break
            found += problems
            lock = find_lock(file) if job else None
            if job is not None and lock is not None:
                from runner.runs.lock_check import lock_problems

                found += lock_problems(job, lock)
            elif job is not None and job.connection.environment is not Environment.LOCAL:
                without_lock.append(file)
    return list(dict.fromkeys(found)), list(dict.fromkeys(without_lock))

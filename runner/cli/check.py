"""`runner check`: find what the org would refuse, without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from runner.cli.declare import Option
from runner.cli.findings_output import print_findings
from runner.cli.job_files import JobFiles, Tags, job_files
from runner.cli.options import FindingsOption, FindingsOutput, NoInput, Quiet, StateDir, Target
from runner.cli.settings import AllowHost, AllowOutside, user_settings
from runner.cli.terminal import Exit, echo
from runner.wording import counted

if TYPE_CHECKING:
    from runner.runs.check import CheckedJob

EXAMPLES = """\
runner check jobs/accounts.yaml
runner check jobs/ --target prod -o sarif
runner check jobs/ --target prod --locked
runner check jobs/accounts.yaml --notify
"""


def check(
    jobs: JobFiles,
    tag: Tags = None,
    target: Target = None,
    locked: Annotated[
        bool,
        Option(
            "--locked", help="Fail if the org differs from org.lock.json where the jobs use it."
        ),
    ] = False,
    notify: Annotated[
        bool,
        Option("--notify", help="Also send a test message to all recipients of the jobs."),
    ] = False,
    output: FindingsOption = FindingsOutput.TEXT,
    state_dir: StateDir = None,
    quiet: Quiet = False,
    _no_input: NoInput = False,  # a check never prompts; scripts may pass it to every verb
    allow_host: AllowHost = None,
    allow_outside: AllowOutside = None,
) -> None:
    """Check jobs against their orgs, without writing anything.

    Checks the token, the org, the API version, the user's permissions, every object, field and
    relationship, the keys, and the org's remaining limits.
    """
    from runner.cli.ci import tell_ci_findings
    from runner.errors import ExitCode
    from runner.runs import check as checks

    settings = user_settings(state_dir, allow_host, allow_outside)
    files = job_files(jobs, tag)
    checked = list(checks.check(files, settings, target, locked=locked))
    found = [problem for each in checked for problem in each.problems]
    good = (
        ""
        if quiet
        else "\n".join(_ready(each) for each in checked if each.exit_code is ExitCode.DONE)
    )
    more = {"jobs": [_document(each) for each in checked]}
    print_findings(found, output, verb="check", jobs=files, good=good, more=more)
    code = checks.worst(checked)
    tell_ci_findings("check", found, files, output, code)
    if notify and not _all_reached(files, target) and code is ExitCode.DONE:
        code = ExitCode.FAILED
    if code is not ExitCode.DONE:
        raise Exit(code)


def _all_reached(files: Sequence[Path], target: str | None) -> bool:
    """Send a test message to all whom jobs notify; whether that worked."""
    from runner.job.watched_files import watched_file
    from runner.notify.trial import send_test
    from runner.report.sinks import printable

    failures: list[str] = []
    for file in files:
        job = watched_file(file, target)
        reached = send_test(file, job, failures.append)
        for each in reached:
            echo(printable(f"{file}: test message sent to {each}"), err=True)
        if not job.notify:
            echo(printable(f"{file}: nobody is notified"), err=True)
    for each in failures:
        echo(printable(f"warning: {each}"), err=True)
    return not failures


def _ready(checked: CheckedJob) -> str:
    from runner.report.sinks import printable

    lines = [f"{checked.file}: ready"]
    if checked.org is not None:
        identity = checked.org.identity
        lines.append(f"  org {identity.org_id} as {identity.username}, API {checked.org.version}")
    number = checked.forecast.api_calls
    calls = f"  at least {counted(number, 'API call')} for the tasks"
    if checked.uncounted:
        calls += f", without the rows of {', '.join(checked.uncounted)}"
    if checked.api_requests is not None:
        left = checked.api_requests
        calls += f"; the org has {left.remaining:,} of {left.max:,} left"
    return printable("\n".join([*lines, calls]))


def _document(checked: CheckedJob) -> dict[str, object]:
    org, left = checked.org, checked.api_requests
    return {
        "file": str(checked.file),
        "exit_code": int(checked.exit_code),
        "org_id": org.identity.org_id if org else None,
        "username": org.identity.username if org else None,
        "instance_url": checked.instance_url,
        "api_version": org.version if org else None,
        "forecast": {
            "api_calls": checked.forecast.api_calls,
            "bulk_jobs": checked.forecast.bulk_jobs,
            "uncounted_tasks": list(checked.uncounted),
        },
        "api_requests": {"max": left.max, "remaining": left.remaining} if left else None,
    }

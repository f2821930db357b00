"""`runner schema`: print a JSON Schema."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from runner.cli.declare import Argument, Option
from runner.cli.terminal import echo
from runner.wording import command_for


class SchemaName(StrEnum):
    """The files that have a schema."""

    EVENT = "event"
    JOB = "job"
    NOTIFICATION = "notification"
    ORG = "org"
    PLAN = "plan"
    PROJECT = "project"
    RUN = "run"
    TEST = "test"
    TEST_RESULTS = "test-results"
    TOKEN = "token"  # noqa: S105 - a schema's name


EXAMPLES = """\
runner schema job > job.schema.json
runner schema --for jobs/accounts.yaml --out jobs/job.schema.json
"""


def schema(
    name: Annotated[
        SchemaName,
        Argument(
            help="Which schema: job, event, notification, org, plan, project, run, test, "
            "test-results or token.",
            metavar="[NAME]",
        ),
    ] = SchemaName.JOB,
    job: Annotated[
        Path | None,
        Option(
            "--for",
            help="Add the objects and fields of this job's org.lock.json to the job schema.",
            metavar="JOB",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        Option(
            "--out", help="File to write instead of stdout.", metavar="FILE", show_default=False
        ),
    ] = None,
) -> None:
    """Print the JSON Schema of files and documents.

    Editors use it to complete and check files. With `--for`, it also has the org's objects, fields
    and picklist values, as `runner org pull` has read them.
    """
    from runner.job.schema.files import schema_text

    text = schema_text(name.value) if job is None else _of_org(name, job)
    if out is None:
        echo(text, nl=False)
        return
    from runner.files import atomic_text

    atomic_text(out, text)


def _of_org(name: SchemaName, job: Path) -> str:
    from runner.errors import UsageError
    from runner.job.lock_file import LOCK_NAME, find_lock
    from runner.runs.job_schema import job_schema
    from runner.salesforce.org_lock import read_lock

    if name is not SchemaName.JOB:
        raise UsageError(
            f"Only the schema of jobs knows an org, not that of {name.value}.",
            hint=f"Remove `--for`, or `{name.value}`.",
        )
    if not job.is_file():
        raise UsageError(f"{job} is not a file.", hint="Name a job file after `--for`.")
    lock = find_lock(job)
    if lock is None:
        raise UsageError(
            f"There is no {LOCK_NAME} beside {job} or above it.",
            hint=f"Write it with `{command_for(job, 'org pull', target=None)}`.",
        )
    return job_schema(read_lock(lock))

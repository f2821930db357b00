"""`runner init`: write a starter job and its test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from runner.cli.declare import Argument
from runner.cli.terminal import echo
from runner.errors import UsageError
from runner.wording import command_for

EXAMPLES = """\
runner init jobs/accounts.yaml
"""


def init(
    file: Annotated[Path, Argument(help="The file to write.", metavar="FILE")] = Path("job.yaml"),
) -> None:
    """Write a starter job, its test and their schemas.

    A missing folder is created. Nothing is overwritten. With an org.lock.json beside the job or
    above it, the job's schema knows the org's objects and fields.
    """
    from runner.job.lock_file import find_lock
    from runner.job.schema.files import schema_text
    from runner.job.template import TEST, job_template

    _check_name(file)
    if file.exists():
        raise UsageError(f"{file} already exists.", hint="Choose another file name.")
    test = file.with_name(f"{file.stem}.test{file.suffix}")
    texts = {file: job_template(file.stem), test: TEST}
    texts |= {file.parent / f"{name}.schema.json": schema_text(name) for name in ("job", "test")}
    lock = find_lock(file)
    if lock is not None:
        from runner.runs.job_schema import job_schema
        from runner.salesforce.org_lock import read_lock

        texts[file.parent / "job.schema.json"] = job_schema(read_lock(lock))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            if not path.exists():
                path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}.") from error
    echo(f"Wrote {file}, {test.name} and their schemas for completion in editors.")
    check, try_it = (command_for(file, verb, target=None) for verb in ("validate", "test"))
    echo(f"Next: edit {file}, then `{check}` and `{try_it}`.")


def _check_name(file: Path) -> None:
    """Refuse a name that no folder of jobs would be searched for, or that a test has.

    Raises:
        UsageError: It is one.
    """
    from runner.job.job_tests import SUFFIXES

    if file.name.endswith(SUFFIXES):
        job = file.with_name(file.name.replace(".test.", "."))
        raise UsageError(
            f"{file} would be a test, and its job is {job}.",
            hint=f"`{command_for(job, 'init', target=None)}` writes both.",
        )
    if file.suffix.lower() not in {".yaml", ".yml"} and not file.exists():
        raise UsageError(
            f"{file} does not end in .yaml, so it would not be found as a job of its folder.",
            hint=f"`{command_for(f'{file}.yaml', 'init', target=None)}`",
        )

"""`runner init`: write a starter job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runner.errors import UsageError

EXAMPLES = """\
runner init jobs/accounts.yaml
"""


def init(
    file: Annotated[Path, typer.Argument(help="The file to write.", metavar="FILE")] = Path(
        "job.yaml"
    ),
) -> None:
    """Write a starter job, and its schema for the editor.

    A missing folder is created. Nothing is overwritten.
    """
    from runner.job.schema.files import schema_text
    from runner.job.template import job_template

    schema = file.parent / "job.schema.json"
    if file.exists():
        raise UsageError(f"{file} already exists.", hint="Choose another file name.")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(job_template(file.stem), encoding="utf-8")
        if not schema.exists():
            schema.write_text(schema_text("job"), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}.") from error
    typer.echo(f"Wrote {file} and {schema.name}, the schema for completion in editors.")
    typer.echo(f"Next: edit {file}, then `runner validate {file}`.")

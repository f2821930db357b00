"""`runner init`: write a job to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from runner.errors import UsageError


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.", metavar="FILE")] = Path(
        "job.yaml"
    ),
) -> None:
    """Write a commented job to start from, and the schema beside it for the editor."""
    from runner.job.schema.files import schema_text
    from runner.job.template import starter_job

    schema = file.parent / "job.schema.json"
    if file.exists():
        raise UsageError(f"{file} exists already.", hint="Name another file.")
    try:
        file.write_text(starter_job(file.stem), encoding="utf-8")
        if not schema.exists():
            schema.write_text(schema_text("job"), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}.") from error
    typer.echo(f"Wrote {file} and {schema.name}, which gives editors completion.")
    typer.echo(f"Next: edit {file}, then `runner validate {file}`.")

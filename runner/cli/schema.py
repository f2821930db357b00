"""`runner schema`: print a JSON Schema."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class SchemaName(StrEnum):
    """The files that have a schema."""

    EVENT = "event"
    JOB = "job"
    NOTIFICATION = "notification"
    ORG = "org"
    PLAN = "plan"
    RUN = "run"
    TEST = "test"
    TOKEN = "token"  # noqa: S105 - a schema's name


EXAMPLES = """\
runner schema job > job.schema.json
"""


def schema(
    name: Annotated[
        SchemaName, typer.Argument(help="Which schema.", metavar="[NAME]")
    ] = SchemaName.JOB,
) -> None:
    """Print the JSON Schema of files and documents."""
    from runner.job.schema.files import schema_text

    typer.echo(schema_text(name.value), nl=False)

"""Texts that a job writes into restricted picklists that lack them.

Knows expressions that are nothing but a text. Knows nothing of values in sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic
from runner.errors import OrgError, TransientError
from runner.job.model import Job, WriteTask
from runner.salesforce.describe import Describes
from runner.salesforce.described import ColumnError, FieldDescribe
from runner.suggest import did_you_mean, in_words

_TEXT = re.compile(r"\s*'(?P<text>(?:[^']|'')*)'\s*")


def constant_problems(job: Job, task: WriteTask, describes: Describes) -> Iterator[Diagnostic]:
    """Constants of `fields` that are not among the values of a restricted picklist.

    Raises:
        TransientError: The org could not be asked.
    """
    for mapping in task.fields or ():
        found = _TEXT.fullmatch(mapping.expression) if mapping.lookup is None else None
        field = _field(task.sobject, mapping.field, describes) if found else None
        if found is None or field is None or not field.choices:
            continue
        text, choices = found["text"].replace("''", "'"), field.choices
        known = {each.lower() for each in choices}
        values = text.split(";") if field.type == "multipicklist" else [text]
        for value in (each for each in values if each.strip() and each.lower() not in known):
            yield job.origin.diagnose(
                ("tasks", task.index, "fields", mapping.field),
                "org/wrong-value",
                f"{value!r} is not a value of the picklist {mapping.field}",
                help=did_you_mean(value, choices, f"It has {in_words(choices, 'and')}."),
            )


def _field(sobject: str, column: str, describes: Describes) -> FieldDescribe | None:
    """The object's own field of a column, if there is one."""
    try:
        resolved = describes.resolve(sobject, column)
    except TransientError:
        raise
    except (OrgError, ColumnError):
        return None
    return None if resolved.parent_field else resolved.field

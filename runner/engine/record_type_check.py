"""Record types that a job names and that their object does not have.

Knows names that are constants. Knows nothing of names in sources, nor of any other lookup.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from runner.diagnostics import Diagnostic
from runner.engine.org_check import known_header
from runner.errors import OrgError, SourceError
from runner.job.lookups import is_word
from runner.job.model import FieldMapping, Job, WriteTask
from runner.salesforce.describe import Describes
from runner.suggest import did_you_mean, in_words
from runner.tables.staging.constants import constant_text

_OBJECT = "RecordType"
_NAME = "DeveloperName"


def record_type_problems(
    job: Job, task: WriteTask, describes: Describes, written: Collection[Path]
) -> Iterator[Diagnostic]:
    """Names of record types in `fields` that no active record type of the task's object has.

    Args:
        job: For the positions.
        task: The write.
        describes: The org's describes.
        written: Files that do not exist before the job runs.
    """
    named = [each for each in task.fields or () if _names_record_type(each)]
    known = _known(task.sobject, describes) if named else None
    if known is None:
        return
    header = _header(task, written)
    for mapping in named:
        name = _constant(mapping, header)
        if name is None or name.lower() in {each.lower() for each in known}:
            continue
        otherwise = f"It has {in_words(known, 'and')}." if known else "It has none."
        yield job.origin.diagnose(
            ("tasks", task.index, *mapping.expressions[0][0]),
            "org/wrong-value",
            f"{task.sobject} has no active record type {name}",
            help=did_you_mean(name, known, otherwise),
        )


def _names_record_type(mapping: FieldMapping) -> bool:
    lookup = mapping.lookup
    return lookup is not None and any(
        place.sobject.lower() == _OBJECT.lower()
        and [each.lower() for each in place.by] == [_NAME.lower()]
        for place in lookup.places
    )


def _known(sobject: str, describes: Describes) -> tuple[str, ...] | None:
    try:
        return describes.of(sobject).record_types
    except OrgError:
        return None  # which is a problem already


def _header(task: WriteTask, written: Collection[Path]) -> Sequence[str] | None:
    try:
        return known_header(task, written)
    except SourceError:
        return None  # which is a problem already


def _constant(mapping: FieldMapping, header: Sequence[str] | None) -> str | None:
    """The name, unless it is in a column, or may be."""
    value = mapping.expression
    text = constant_text(value)
    if text is not None:
        return text.strip() or None
    if mapping.lookup is None or not mapping.lookup.allows_words or not is_word(value):
        return None
    if header is None or value.strip().lower() in {each.lower() for each in header}:
        return None
    return value.strip()

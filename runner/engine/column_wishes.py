"""Which fields a job or a header wishes to fill, before the org is asked whether it has them.

Knows `fields`, headers and labels. Knows nothing of what a verb may write.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Location
from runner.job.checks.columns import not_in_source
from runner.job.choices import Headers
from runner.job.lookups import Lookup, is_word
from runner.job.mirrors import owner_of
from runner.job.model import FieldMapping, Job, Verb, WriteTask
from runner.salesforce.described import AmbiguousColumnError, ColumnError, ObjectDescribe
from runner.tables.sources.csv import own_columns
from runner.tables.sql import literal
from runner.tables.sql import name as quoted
from runner.tables.staging.expressions import parse

_ID = "Id"
_OF_IDS = frozenset({Verb.DELETE, Verb.UNDELETE})
"""Verbs that use only the Id of a row."""


class Wish(Struct, frozen=True):
    """One field as the job or the header names it."""

    name: str
    expression: str | None
    location: Location
    """Where the job names it, for a problem to point at."""
    is_file: bool = False
    """Whether the expression gives paths of files."""
    mapping: FieldMapping | None = None
    """As the job declares it."""

    @property
    def lookup(self) -> Lookup | None:
        """How the records are found whose Ids fill the field."""
        return self.mapping.lookup if self.mapping else None

    @property
    def expressions(self) -> tuple[tuple[Location, str], ...]:
        """Every expression, and where it is."""
        if self.mapping is None or self.lookup is None:
            return ((self.location, self.expression),) if self.expression is not None else ()
        here = self.location[:2]
        return tuple(((*here, *place), text) for place, text in self.mapping.expressions)


def wishes_of(
    job: Job, task: WriteTask, header: Sequence[str] | None, described: ObjectDescribe
) -> tuple[list[Wish], list[Diagnostic]]:
    """The fields to fill, and problems of labels in the header."""
    here: Location = ("tasks", task.index)
    problems: list[Diagnostic] = []
    if task.fields is not None:
        wishes = [
            Wish(each.field, each.expression, (*here, "fields", each.field), each.is_file, each)
            for each in task.fields
        ]
    else:
        wishes = [Wish(name, None, (*here, "from")) for name in own_columns(tuple(header or ()))]
    if task.fields is None and task.headers is Headers.LABELS:
        labels, wishes = wishes, []
        for wish in labels:
            try:
                wishes.append(_labelled(wish, described))
            except ColumnError as error:
                code = "org/unknown-field"
                problems.append(wish_problem(job, wish, code, error.message, error.hint))
    if task.mirror is not None and task.mirror.owner_field is not None:
        owner = literal(owner_of(job, task.name))
        wishes.append(Wish(task.mirror.owner_field, owner, (*here, "owner_field")))
    if task.verb in _OF_IDS:
        # A delete uses only the key; rows from a query have more columns.
        return [wish for wish in wishes if wish.name.lower() == required_column(task)], []
    return wishes, problems


def label_hint(task: WriteTask, wish: Wish, described: ObjectDescribe) -> str | None:
    """What to write if a column of the header is called by a label."""
    if task.fields is not None or task.headers is Headers.LABELS:
        return None
    with suppress(AmbiguousColumnError):
        field = described.labelled(wish.name)
        if field is None:
            return None
        return f"It is the label of {field.name}: add `headers: labels` to the task."
    return "It is the label of several fields: map the column with `fields`."


def _labelled(wish: Wish, described: ObjectDescribe) -> Wish:
    """The field that a column names by its label, or else by its API name."""
    field = described.labelled(wish.name)
    return wish if field is None else replace(wish, name=field.name, expression=quoted(wish.name))


def unfilled(job: Job, wishes: Sequence[Wish], header: Sequence[str] | None) -> list[Diagnostic]:
    """Problems of expressions over columns that the source does not have."""
    return [
        problem
        for wish in wishes
        if header is not None
        for location, expression in wish.expressions
        if not (wish.lookup and wish.lookup.allows_words and is_word(expression))
        for problem in not_in_source(job.origin, location, parse(expression).columns, header)
    ]


def required_column(task: WriteTask) -> str | None:
    """The column that identifies each row's record, in lower case."""
    return None if task.verb in {Verb.CREATE, Verb.MERGE} else (task.key or _ID).lower()


def wish_problem(job: Job, wish: Wish, code: str, message: str, hint: str | None) -> Diagnostic:
    """A problem of a wish, at the place where the job names it."""
    return job.origin.diagnose(
        wish.location, code, message, help=hint, at_key=wish.location[-1] == wish.name
    )

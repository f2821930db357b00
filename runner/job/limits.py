"""Limits of a job: what a run must not do, however valid its rows are.

One table says which limit counts what, of which verbs, and what has to be known to judge it. Knows
nothing of how it is found out.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from runner.job.model import Verb, WriteTask
from runner.job.rails import Amount, Rail


class Needs(StrEnum):
    """What has to be known to judge a limit."""

    SOURCE = "the rows of the source"
    ROWS = "the rows to send"
    RECORDS = "the records that the rows would change"
    USAGE = "the org's count of API calls"


class RailRule(Struct, frozen=True):
    """What one limit means."""

    counts: str
    """What is counted, in words."""
    code: str
    """Of the problem when it is exceeded."""
    verbs: Mapping[Verb, Needs]
    """The verbs that it applies to, and what is needed to check a task; empty: the whole run."""
    of_job: bool = True
    """Whether it may be at the top of a job."""
    of_task: bool = True


_WRITES = (Verb.CREATE, Verb.UPDATE, Verb.UPSERT, Verb.DELETE, Verb.MERGE)
RAILS: Mapping[Rail, RailRule] = {
    Rail.MIN_ROWS: RailRule(
        "rows that a source must have",
        "rail/min-rows",
        dict.fromkeys(_WRITES, Needs.SOURCE),
    ),
    Rail.MAX_CREATES: RailRule(
        "records created",
        "rail/max-creates",
        {Verb.CREATE: Needs.ROWS, Verb.UPSERT: Needs.RECORDS},
    ),
    Rail.MAX_UPDATES: RailRule(
        "records changed; unchanged ones do not count",
        "rail/max-updates",
        {Verb.UPDATE: Needs.RECORDS, Verb.UPSERT: Needs.RECORDS},
    ),
    Rail.MAX_DELETES: RailRule(
        "records deleted, also by merges",
        "rail/max-deletes",
        {Verb.DELETE: Needs.ROWS, Verb.MERGE: Needs.ROWS},
    ),
    Rail.MAX_CLEARS: RailRule(
        "field values cleared",
        "rail/max-clears",
        {Verb.UPDATE: Needs.RECORDS, Verb.UPSERT: Needs.RECORDS},
    ),
    Rail.RESERVE_API_CALLS: RailRule(
        "API calls of the org's daily limit that are left for others",
        "rail/reserve-api-calls",
        dict.fromkeys(_WRITES, Needs.USAGE),
        of_task=False,
    ),
}
"""Every limit, in the order in which they are judged."""


def exceeds(amount: Amount, number: int, records: int) -> bool:
    """Whether a number is more than a limit allows.

    Args:
        amount: The limit.
        number: What a run would do.
        records: The records that a share is of.
    """
    if amount.number is not None:
        return number > amount.number
    return number * 100 > (amount.percent or 0.0) * records


def applies(rail: Rail, verb: Verb) -> bool:
    """Whether a limit says something about tasks of a verb."""
    return verb in RAILS[rail].verbs


def verbs_of(task: WriteTask) -> tuple[Verb, ...]:
    """What a task does with records; a mirror does two things."""
    if task.mirror is None:
        return (task.verb,)
    return (task.verb, Verb.DELETE if task.mirror.sets is None else Verb.UPDATE)

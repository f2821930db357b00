"""What a write over REST is and what became of its records: the values only.

Knows nothing of how they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.errors import RunnerError
from runner.job.model import Verb, WriteOptions

Record = Mapping[str, Any]
"""Field or relationship path to JSON value: `Name`, `Account.ERP_Id__c`, `Contact:Who.Ext__c`."""


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """What all records of a write have in common."""

    operation: Verb
    """Any but QUERY."""
    sobject: str
    key: str | None = None
    """External Id field of an upsert."""
    all_or_none: bool = False
    """For each request on its own, 200 records at most."""
    options: WriteOptions = field(default_factory=WriteOptions)
    lookups: Mapping[str, str] = field(default_factory=dict)
    """Relationship column to its reference field, which is emptied where a value is None."""


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What became of one record."""

    id: str | None
    success: bool
    created: bool | None
    """True for created, False for updated or deleted, None where unknown or refused."""
    code: str | None = None
    message: str | None = None
    fields: tuple[str, ...] = ()


class BrokenOffError(RunnerError):
    """A write that ended before all its records had.

    Attributes:
        results: One a record, in the records' order; None where the record was not carried out,
            or nobody knows.
        in_doubt: Positions of the records of which nobody knows.
        cause: Why it ended.
    """

    def __init__(
        self,
        cause: RunnerError,
        results: Sequence[RecordResult | None],
        in_doubt: Sequence[int] = (),
    ) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.exit_code = cause.exit_code
        self.cause = cause
        self.results = tuple(results)
        self.in_doubt = tuple(in_doubt)

"""A write over REST and the results of its records, as values.

Knows nothing of how they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from runner.errors import RunnerError
from runner.job.choices import WriteOptions
from runner.job.model import Verb
from runner.salesforce.rest.multipart import file_of

Record = Mapping[str, Any]
"""Field or relationship path to JSON value: `Name`, `Account.ERP_Id__c`, `Contact:Who.Ext__c`."""


class WriteRequest(Struct, frozen=True):
    """What all records of a write have in common."""

    operation: Verb
    """Any but QUERY."""
    sobject: str
    key: str | None = None
    """External Id field of an upsert."""
    all_or_none: bool = False
    """Within each request, of at most 200 records."""
    options: WriteOptions = field(default_factory=WriteOptions)
    lookups: Mapping[str, str] = field(default_factory=dict)
    """Relationship column to its reference field, which is cleared where a value is None."""
    fill: tuple[str, ...] = ()
    """Fields that the master of a merge takes from its losers where its own are blank."""
    has_files: bool = False
    """Whether records have files as values (`LocalFile`); each is then a request of its own."""

    @property
    def may_create(self) -> bool:
        """Whether sending any record twice would create it twice."""
        if self.operation is not Verb.UPSERT:
            return self.operation is Verb.CREATE
        return self.key == "Id" or self.has_files

    def creates(self, record: Record) -> bool:
        """Whether sending this record twice would create it twice."""
        if self.operation is not Verb.UPSERT or not self.may_create:
            return self.may_create
        # In an upsert by an external Id, a file is sent to create a record only.
        return not record.get("Id") if self.key == "Id" else file_of(record) is not None


class RecordResult(Struct, frozen=True):
    """The result of one record."""

    id: str | None
    success: bool
    created: bool | None
    """True: created; False: updated or deleted; None: unknown or refused."""
    code: str | None = None
    message: str | None = None
    fields: tuple[str, ...] = ()
    may_be_own: bool = False
    """Whether a delete found the record gone, or an undelete found it back, after an earlier try
    whose answer was lost: that try may have done it, or somebody else."""


class BrokenOffError(RunnerError):
    """A write that ended before all its records were done.

    Attributes:
        results: One per record, in the records' order; None where the record was not written, or
            nobody knows.
        in_doubt: Positions of the records whose fate is unknown.
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

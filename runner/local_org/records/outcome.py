"""The outcome of one row of a write.

Knows Id, success and errors. Knows nothing of how they are sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from runner.local_org.api_errors import ApiError

_ROLLED_BACK = ApiError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone"
    " header",
)


class RowOutcome(Struct, frozen=True):
    """The outcome of one row; `created` says whether an upsert inserted it, if it succeeded."""

    id: str | None
    success: bool
    created: bool
    errors: tuple[ApiError, ...] = ()

    @property
    def named(self) -> bool:
        """Whether its result has an Id: it succeeded, or was undone on a record that exists."""
        return self.success or (self.id is not None and self.errors == (_ROLLED_BACK,))


def refused(*errors: ApiError, record_id: str | None = None) -> RowOutcome:
    """A failed row; with `record_id` if the row named its record."""
    return RowOutcome(record_id, success=False, created=False, errors=errors)


def rolled_back(outcomes: Sequence[RowOutcome]) -> list[RowOutcome]:
    """Outcomes of an all-or-none call in which a row failed: none succeeded.

    A row that would have created a record still says `created`, as at Salesforce; only records that
    exist keep their Ids.
    """
    return [
        RowOutcome(
            None if outcome.created else outcome.id,
            success=False,
            created=outcome.created,
            errors=(_ROLLED_BACK,),
        )
        if outcome.success
        else outcome
        for outcome in outcomes
    ]

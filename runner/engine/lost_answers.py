"""Finds out what became of records whose answer was lost, and sends again what may be sent twice.

Updates, deletes and upserts are sent again; a create is looked for by a unique field first, and a
merge by the master that its losers name. Knows lost answers. Knows nothing of batches, threads or
the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from runner.engine.columns import ColumnPlan
from runner.errors import OrgError
from runner.job.binds import literal
from runner.job.merges import MASTER
from runner.job.model import Verb
from runner.salesforce.rest.merge import losers_of, same_id
from runner.salesforce.rest.query import fits_url, found_records
from runner.salesforce.rest.write import BrokenOffError, Record, RecordResult, WriteRequest
from runner.salesforce.rest.write import write_batch as write_once
from runner.salesforce.session import Session
from runner.tables.field_types import TRIMMED_BY_THE_ORG

_NOT_WRITABLE = "INVALID_FIELD_FOR_INSERT_UPDATE"
MASTER_ID = "MasterRecordId"
"""Field of a merged record: into which one."""
_AT_ONCE = 100
"""Values of one query; fewer where they are long."""


class LostAnswers:
    """Resolves the lost answers of one write. Threads may share it."""

    def __init__(
        self,
        session: Session,
        write: WriteRequest,
        plan: ColumnPlan,
        user_id: str,
        *,
        updates_only: bool = False,
    ) -> None:
        self._session = session
        self._updates_only = updates_only
        """Whether every record is known to have existed before."""
        self._write = write
        self._unique = plan.unique
        self._on_create = plan.on_create
        self._user_id = user_id

    def can_find(self, record: Record) -> bool:
        """Whether this record can be found in the org, or may be sent twice."""
        return not self._write.creates(record) or self._field_of(record) is not None

    def write_again(self, records: Sequence[Record], since: datetime) -> list[RecordResult]:
        """Write records that may have been written already; `can_find` is true for all of them.

        Args:
            records: What was sent.
            since: When it was sent first, in this machine's time.

        Raises:
            BrokenOffError: It ended early again.
        """
        if self._write.operation in {Verb.CREATE, Verb.MERGE}:
            return self._write_missing(records, since)
        results = self._write_missing(records, since)
        results = list(self._without_on_create(results, records))
        if self._write.operation is Verb.DELETE:
            return self._done_first(results, records, since)
        if self._write.operation is Verb.UPSERT:
            return self._created_first(results, since)
        return results

    def find_own(
        self, results: Sequence[RecordResult], records: Sequence[Record], since: datetime
    ) -> list[RecordResult]:
        """Find out what an earlier request whose answer was lost has created, deleted or restored.

        An upserted row that is refused because its record exists by now is sent again without the
        fields that are for new records only.

        If the org cannot be asked, results stay as they are: upserted rows got through, and a
        record whose delete or restore nobody can account for stays refused.
        """
        results = self._without_on_create(results, records)
        with suppress(OrgError):
            if any(each.success and each.created is None for each in results):
                return self._created_first(results, since)
            if any(each.may_be_own for each in results):
                return self._done_first(results, records, since, lambda each: each.may_be_own)
        return list(results)

    def _without_on_create(
        self, results: Sequence[RecordResult], records: Sequence[Record]
    ) -> Sequence[RecordResult]:
        exist = [
            at
            for at, each in enumerate(results)
            if each.code == _NOT_WRITABLE and not self._on_create.isdisjoint(records[at])
        ]
        if not exist:
            return results
        rest = [
            {name: value for name, value in records[at].items() if name not in self._on_create}
            for at in exist
        ]
        with suppress(BrokenOffError):  # then they stay refused
            # Whether this user has just created them is found out by their dates.
            sent = [
                replace(each, created=None if each.success else each.created)
                for each in write_once(self._session, self._write, rest)
            ]
            found = dict(zip(exist, sent, strict=True))
            return [found.get(at, each) for at, each in enumerate(results)]
        return results

    def _write_missing(self, records: Sequence[Record], since: datetime) -> list[RecordResult]:
        """Write all but what was created or merged; the org refuses what was after all."""
        merges = self._write.operation is Verb.MERGE
        new = [at for at, record in enumerate(records) if merges or self._write.creates(record)]
        find = self._merged if merges else self._found
        results = find(records, new, since)
        missing = [at for at in range(len(records)) if at not in results]
        if missing:
            try:
                sent = write_once(self._session, self._write, [records[at] for at in missing])
            except BrokenOffError as error:
                raise _widened(error, missing, results, len(records)) from error
            results |= dict(zip(missing, sent, strict=True))
        twins = [
            at
            for at in new
            if results[at].code == "DUPLICATE_VALUE" or (merges and not results[at].success)
        ]
        # The first request may have taken effect between looking and sending again.
        results |= find(records, twins, since)
        return [results[at] for at in range(len(records))]

    def _found(
        self, records: Sequence[Record], positions: Iterable[int], since: datetime
    ) -> dict[int, RecordResult]:
        """Those of the records that this user has created since then, by position."""
        by_field: dict[str, dict[str, int]] = {}
        for at in positions:
            field = self._field_of(records[at])
            if field is not None:
                by_field.setdefault(field, {})[_key(records[at][field])] = at
        found: dict[int, RecordResult] = {}
        for field, places in by_field.items():
            values = [_stored(records[at][field]) for at in places.values()]
            for record in self._by_this_user("Created", field, values, since):
                key = _key(record[field])
                if key in places:
                    found[places[key]] = RecordResult(record["Id"], success=True, created=True)
        return found

    def _merged(
        self, records: Sequence[Record], positions: Iterable[int], _since: datetime
    ) -> dict[int, RecordResult]:
        """Those of the rows whose losers are merged into their master, by position."""
        losers = {at: losers_of(records[at]) for at in positions}
        ids = [each for some in losers.values() for each in some]
        gone = ("IsDeleted = true", f"{MASTER_ID} != null")
        found = self._found_by("Id", ids, gone, also=MASTER_ID, deleted=True)
        masters = {same_id(each["Id"]): same_id(each[MASTER_ID]) for each in found}
        return {
            at: RecordResult(str(records[at][MASTER]), success=True, created=False)
            for at, some in losers.items()
            if all(masters.get(same_id(each)) == same_id(records[at][MASTER]) for each in some)
        }

    def _created_first(
        self, results: Sequence[RecordResult], since: datetime
    ) -> list[RecordResult]:
        """Upserts sent twice: what the first request created counts as created."""
        asked = [] if self._updates_only else results
        ids = [each.id for each in asked if each.success and each.id and not each.created]
        new = {_key(record["Id"]) for record in self._by_this_user("Created", "Id", ids, since)}
        return [
            replace(each, created=_key(each.id) in new)
            if each.success and not each.created
            else each
            for each in results
        ]

    def _done_first(
        self,
        results: Sequence[RecordResult],
        records: Sequence[Record],
        since: datetime,
        is_open: Callable[[RecordResult], bool] = lambda each: each.code == "ENTITY_IS_DELETED",
    ) -> list[RecordResult]:
        """Deletes and undeletes sent twice: what the first request did counts as done.

        What another user did, or this one before, stays refused.
        """
        ids = [
            str(record["Id"])
            for record, each in zip(records, results, strict=True)
            if is_open(each)
        ]
        find = self._deleted if self._write.operation is Verb.DELETE else self._restored
        own = {_key(found["Id"]) for found in find(ids, since)}
        return [
            RecordResult(record["Id"], success=True, created=False)
            if is_open(each) and _key(record["Id"]) in own
            else each
            for record, each in zip(records, results, strict=True)
        ]

    def _deleted(self, ids: Sequence[str], since: datetime) -> Iterator[dict[str, Any]]:
        return self._by_this_user("LastModified", "Id", ids, since, deleted=True)

    def _restored(self, ids: Sequence[str], since: datetime) -> Iterator[dict[str, Any]]:
        """Records that came back since then, and were not changed by another user.

        An undelete moves SystemModstamp. Whether it moves LastModifiedDate is not documented, so
        that a record restored by another user in these seconds is recognised only if it does.
        """
        moment, user = self._moment(since), literal(self._user_id)
        came_back = (
            f"SystemModstamp >= {moment}",
            f"(LastModifiedById = {user} OR LastModifiedDate < {moment})",
        )
        return self._found_by("Id", ids, came_back)

    def _by_this_user(
        self,
        what: str,
        field: str,
        values: Sequence[str],
        since: datetime,
        *,
        deleted: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """Records with these values that this user has Created or LastModified since then."""
        done = (
            f"{what}ById = {literal(self._user_id)}",
            f"{what}Date >= {self._moment(since)}",
        )
        return self._found_by(field, values, done, deleted=deleted)

    def _found_by(
        self,
        field: str,
        values: Sequence[str],
        conditions: Sequence[str],
        *,
        also: str = "Id",
        deleted: bool = False,
    ) -> Iterator[dict[str, Any]]:
        names = tuple(dict.fromkeys(("Id", field, also)))
        for some in _pieces(values):
            listed = f"{field} IN ({', '.join(map(literal, some))})"
            soql = (
                f"SELECT {', '.join(names)} FROM {self._write.sobject}"  # noqa: S608 - names as the org's describe has them, values as literals
                f" WHERE {' AND '.join((listed, *conditions))}"
            )
            yield from found_records(self._session, soql, names, deleted=deleted)

    def _moment(self, since: datetime) -> str:
        """A time of this machine by the org's clock, as SOQL has it."""
        return f"{(since + self._session.clock_offset).astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"

    def _field_of(self, record: Record) -> str | None:
        """A unique field that this record fills."""
        return next((name for name in self._unique if record.get(name) not in (None, "")), None)


def _pieces(values: Sequence[str]) -> Iterator[Sequence[str]]:
    size = _AT_ONCE
    while size > 1 and not fits_url("'" * 2 * size + "".join(sorted(values, key=len)[-size:])):
        size //= 2
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _key(value: object) -> str:
    """Text as the org compares it: as it is stored, without letter case."""
    return _stored(value).casefold()


def _stored(value: object) -> str:
    return str(value).strip(TRIMMED_BY_THE_ORG)


def _widened(
    error: BrokenOffError, places: Sequence[int], known: dict[int, RecordResult], count: int
) -> BrokenOffError:
    """The same error, about all records instead of those that were sent again."""
    results: list[RecordResult | None] = [known.get(at) for at in range(count)]
    for at, result in zip(places, error.results, strict=True):
        results[at] = result
    return BrokenOffError(error.cause, results, [places[at] for at in error.in_doubt])

"""Writes over REST: records in, one result each out, with whatever the API version supports.

Knows which requests make up a write, how one bad value is stopped from failing the 199 records
around it, and how locked records are tried again in smaller requests. Knows nothing of where
records come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus

from runner.errors import (
    FileChangedError,
    LimitError,
    OrgError,
    RunnerError,
    TransientError,
    TransportError,
    UnexpectedAnswerError,
)
from runner.job.model import Verb
from runner.salesforce.http.error_bodies import error_of
from runner.salesforce.http.messages import OrgRequest, OrgResponse
from runner.salesforce.http.retry import Pause, failed_try
from runner.salesforce.http.retry_table import RETRIED, Action, Decision, decide, row_decision
from runner.salesforce.ids import is_id
from runner.salesforce.rest.body import option_headers
from runner.salesforce.rest.collections import (
    MOST_RECORDS,
    collection_request,
    collection_results,
    feature_of,
)
from runner.salesforce.rest.merge import MergeOfRows, in_turns, merge, merges_of
from runner.salesforce.rest.single import single_request, single_result
from runner.salesforce.rest.values import BrokenOffError, Record, RecordResult, WriteRequest
from runner.salesforce.session import Session
from runner.salesforce.versions import require, supports

__all__ = ["BrokenOffError", "Record", "RecordResult", "WriteRequest", "write_batch"]

_SMALLER = (50, 10)
_COMPANIONS = frozenset({"ALL_OR_NONE_OPERATION_ROLLED_BACK", "PROCESSING_HALTED"})
_OF_THE_REQUEST = frozenset({"EXCEEDED_ID_LIMIT", "INVALID_TYPE", "INVALID_SESSION_ID"})
"""Codes of a 400 that no single record causes."""


def write_batch(
    session: Session, write: WriteRequest, records: Sequence[Record]
) -> list[RecordResult]:
    """Write some records and return the result of each, in their order.

    A request has at most 200 of them; where the API version has no Collections, one. A record
    whose refusal may be temporary is tried again, within the session's retry policy.

    Raises:
        BrokenOffError: The write ended before all records were done; has the results so far.
        UsageError: The API version does not support it.
    """
    return _Batch(session, write, records).run()


class _Batch:
    """The records of one write and their results so far."""

    def __init__(self, session: Session, write: WriteRequest, records: Sequence[Record]) -> None:
        version = session.api_version or ""
        self._session = session
        self._write = write
        self._records = records
        self._headers = option_headers(write.options, version)
        self._merges = write.operation is Verb.MERGE
        self._collections = self._merges or (
            not write.has_files and supports(version, feature_of(write.operation))
        )
        if write.all_or_none:
            require(version, feature_of(write.operation), "`all_or_none`")
        self._results: list[RecordResult | None] = [None] * len(records)
        self._pending: list[int] = []
        """Positions of the records to send next."""
        self._size = 1
        """Records of one request."""

    def run(self) -> list[RecordResult]:
        self._pending = self._with_valid_ids()
        self._size = min(MOST_RECORDS, max(1, len(self._pending))) if self._collections else 1
        policy = self._session.retrier.policy
        self._session.retrier.repeat(
            self._send_pending,
            self._pause,
            most_tries=policy.attempts,
            total_seconds=policy.total_seconds,
        )
        return [result for result in self._results if result is not None]

    def _send_pending(self) -> None:
        for chunk in _chunks(self._pending, self._size):
            self._send(chunk)

    def _pause(self, _sent: None, tries: int) -> Pause | None:
        """The pause before records with a temporary refusal are sent again, if there are any."""
        self._pending, decision = self._worth_another_try(self._pending, self._size, tries)
        if decision is None:
            return None
        if decision.action is Action.SPLIT and not self._write.all_or_none:
            self._size = next((smaller for smaller in _SMALLER if smaller < self._size), 1)
        return self._session.retrier.backoff(decision, tries)

    def _with_valid_ids(self) -> list[int]:
        """Positions to send; a malformed Id would fail a whole delete, or join two Ids."""
        if self._write.operation is not Verb.DELETE:
            return list(range(len(self._records)))
        valid = []
        for position, record in enumerate(self._records):
            record_id = str(record.get("Id") or "")
            if not is_id(record_id):
                message = f"malformed id {record_id}"
                self._results[position] = RecordResult(
                    None, success=False, created=None, code="MALFORMED_ID", message=message
                )
            else:
                valid.append(position)
        return valid

    def _send(self, chunk: Sequence[int]) -> None:
        if self._merges:
            self._send_merges(chunk)
        elif self._collections:
            self._send_together(chunk)
        else:
            for position in chunk:
                self._send_alone(position)

    def _send_merges(self, chunk: Sequence[int]) -> None:
        """Merge; rows that failed together are sent alone, since one loser may be at fault."""
        merges = merges_of(self._records, chunk)
        self._merge_all(merges)
        alone = [
            each
            for merged in merges
            if len(merged.rows) > 1 and not _succeeded(self._results[merged.rows[0]])
            for at in merged.rows
            for each in merges_of(self._records, [at])
        ]
        self._merge_all(alone)

    def _merge_all(self, merges: Sequence[MergeOfRows]) -> None:
        # What a master takes from its losers depends on what the merge before has left.
        for some in in_turns(merges) if self._write.fill else [merges]:
            self._merge(some)

    def _merge(self, merges: Sequence[MergeOfRows]) -> None:
        if not merges:
            return
        rows = [at for each in merges for at in each.rows]
        try:
            results = merge(self._session, self._write.sobject, merges, self._write.fill)
        except TransportError as error:
            raise self._broken_off(error, rows if error.may_have_arrived else ()) from error
        except RunnerError as error:
            # Each merge is a transaction: of a call that broke down, some may have been executed.
            broke_down = isinstance(error, TransientError | UnexpectedAnswerError)
            is_limit = isinstance(error, LimitError)
            raise self._broken_off(error, rows if broke_down and not is_limit else ()) from error
        for each, result in zip(merges, results, strict=True):
            for at in each.rows:
                self._results[at] = result

    def _send_together(self, chunk: Sequence[int]) -> None:
        records = [self._records[position] for position in chunk]
        request = collection_request(self._write, records, self._headers)
        response = self._answer(request, chunk)
        if response.ok:
            self._record_results(chunk, response)
        elif len(chunk) > 1 and self._one_record_is_at_fault(request, response):
            half = len(chunk) // 2
            self._send_together(chunk[:half])
            self._send_together(chunk[half:])
        else:
            self._record_refusal(chunk, request, response)

    def _send_alone(self, position: int) -> None:
        record = self._records[position]
        request = single_request(self._write, record, self._headers)
        try:
            response = self._answer(request, [position])
        except FileChangedError as error:
            self._results[position] = RecordResult(
                None, success=False, created=None, code="FILE_CHANGED", message=error.message
            )
            return
        if not response.ok:
            self._record_refusal([position], request, response)
            return
        try:
            self._results[position] = single_result(self._write, record, response)
        except UnexpectedAnswerError as error:
            raise self._broken_off(error, [position]) from error

    def _answer(self, request: OrgRequest, chunk: Sequence[int]) -> OrgResponse:
        try:
            return self._session.answer(request)
        except TransportError as error:
            raise self._broken_off(error, chunk if error.may_have_arrived else ()) from error
        except FileChangedError:
            raise
        except RunnerError as error:
            raise self._broken_off(error) from error

    def _record_results(self, chunk: Sequence[int], response: OrgResponse) -> None:
        try:
            records = [self._records[position] for position in chunk]
            results = collection_results(self._write, records, response)
        except UnexpectedAnswerError as error:
            raise self._broken_off(error, chunk) from error
        for position, result in zip(chunk, results, strict=True):
            self._results[position] = result
        without = [at for at, result in zip(chunk, results, strict=True) if result is None]
        if without:
            told = f"The org says of {len(without):,} of {len(chunk):,} records that they succeeded"
            raise self._broken_off(UnexpectedAnswerError(f"{told}, but not their Ids."), without)

    def _one_record_is_at_fault(self, request: OrgRequest, response: OrgResponse) -> bool:
        """Whether some of the records may succeed where all together did not."""
        failed = failed_try(response, request)
        return (
            failed is not None
            and not self._write.all_or_none
            and failed.status == HTTPStatus.BAD_REQUEST
            and failed.code not in _OF_THE_REQUEST
            and decide(failed).action is Action.FAIL
        )

    def _record_refusal(
        self, chunk: Sequence[int], request: OrgRequest, response: OrgResponse
    ) -> None:
        """Record a refused request as the refusal of its records, or end the write."""
        failed = failed_try(response, request)
        error = error_of(response)
        if failed is None or not self._concerns_records(error, decide(failed)):
            doubtful = chunk if response.replayed else ()
            raise self._broken_off(error, doubtful)
        for position in chunk:
            record = self._records[position]
            self._results[position] = single_result(self._write, record, response)

    def _concerns_records(self, error: OrgError, decision: Decision) -> bool:
        if decision.action is Action.SPLIT:
            return True
        if isinstance(error, TransientError | UnexpectedAnswerError):
            return False
        if decision.action is Action.STOP or error.code in _OF_THE_REQUEST:
            return False
        return not self._collections or error.status == HTTPStatus.BAD_REQUEST

    def _worth_another_try(
        self, pending: Sequence[int], size: int, attempt: int
    ) -> tuple[list[int], Decision | None]:
        """Positions whose refusal may be temporary, and how to wait."""
        policy = self._session.retrier.policy
        decisions = {
            position: row_decision(
                result.code,
                result.message or "",
                attempt,
                add=policy.add,
                ignore=policy.ignore,
            )
            for position in pending
            if (result := self._results[position]) is not None and not result.success
        }
        self._stop_if_decided(decisions)
        if self._write.all_or_none:
            again = self._requests_to_repeat(_chunks(pending, size), decisions)
        else:
            again = [at for at, decision in decisions.items() if decision.action in RETRIED]
        # If one record needs smaller requests, all get them.
        gravest = sorted((decisions[at] for at in again if at in decisions), key=_splits)
        return again, (gravest[-1] if gravest else None)

    def _requests_to_repeat(
        self, chunks: Iterable[Sequence[int]], decisions: dict[int, Decision]
    ) -> list[int]:
        """Positions of rolled-back requests in which no refusal is final."""
        return [
            position
            for chunk in chunks
            if any(self._is_at_fault(at, decisions) for at in chunk)
            and all(decisions[at].action in RETRIED for at in chunk if at in decisions)
            for position in chunk
        ]

    def _is_at_fault(self, position: int, decisions: dict[int, Decision]) -> bool:
        result = self._results[position]
        return position in decisions and result is not None and result.code not in _COMPANIONS

    def _stop_if_decided(self, decisions: dict[int, Decision]) -> None:
        stopped = [at for at, decision in decisions.items() if decision.action is Action.STOP]
        if not stopped:
            return
        first = self._results[stopped[0]]
        for position in stopped:
            self._results[position] = None
        raise self._broken_off(
            LimitError(
                f"{first.code}: {first.message}" if first else decisions[stopped[0]].reason,
                code=first.code if first else None,
                hint="Run again when the limit allows; the rows so far are recorded.",
            )
        )

    def _broken_off(self, cause: RunnerError, in_doubt: Sequence[int] = ()) -> BrokenOffError:
        for position in in_doubt:
            self._results[position] = None  # the result of an earlier try is no longer true
        return BrokenOffError(cause, self._results, in_doubt)


def _splits(decision: Decision) -> bool:
    return decision.action is Action.SPLIT


def _succeeded(result: RecordResult | None) -> bool:
    return result is not None and result.success


def _chunks(positions: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(positions), size):
        yield positions[start : start + size]

"""Merges records: SOAP `merge`, for REST has no such call.

Source: SOAP API developer guide, `merge()`: at most 200 merges per call, each of one or two records
into a master and in a transaction of its own. The master keeps its values but for those that the
call names. Knows rows of a master and its losers. Knows nothing of lost answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from runner.job.merges import COLUMNS, LOSERS, MASTER
from runner.salesforce.rest.retrieve import read_by_key
from runner.salesforce.rest.soap import call, escaped, result_of
from runner.salesforce.rest.values import Record, RecordResult
from runner.salesforce.session import Session
from runner.wording import plain

_OFFSET = re.compile(r"(?<=T\d\d:\d\d:\d\d\.\d{3})\+0000$")
"""Of a datetime as REST writes it; XML has `Z`."""
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML 1.0 cannot have, however they are written."""


class MergeOfRows(Struct, frozen=True):
    """One merge: rows of one master, in their order."""

    rows: tuple[int, ...]
    """Their positions."""
    master: str
    losers: tuple[str, ...]
    values: Mapping[str, Any]
    """What the master's fields get, as JSON values; None empties a field."""


def same_id(record_id: object) -> str:
    """What the short and the long form of an Id have in common."""
    return str(record_id)[:15]


def losers_of(record: Record) -> tuple[str, ...]:
    """The Ids of the records that a row merges into its master."""
    return tuple(str(record[each]) for each in LOSERS if record.get(each))


def merges_of(records: Sequence[Record], positions: Iterable[int]) -> list[MergeOfRows]:
    """Put rows of one master together, as many as one merge takes.

    Where several rows of a merge fill a field, the last one counts, as if they were merged one
    after the other.
    """
    made: list[MergeOfRows] = []
    last: dict[str, int] = {}
    for at in positions:
        record = records[at]
        values = {name: value for name, value in record.items() if name not in COLUMNS}
        own = MergeOfRows((at,), str(record[MASTER]), losers_of(record), values)
        place = last.get(same_id(own.master))
        if place is not None and len(made[place].losers) + len(own.losers) <= len(LOSERS):
            made[place] = _together(made[place], own)
        else:
            last[same_id(own.master)] = len(made)
            made.append(own)
    return made


def in_turns(merges: Iterable[MergeOfRows]) -> Iterator[list[MergeOfRows]]:
    """Merges in groups in which each master is once, the merges of a master in their order."""
    turns: list[list[MergeOfRows]] = []
    done: dict[str, int] = {}
    for each in merges:
        turn = done.get(same_id(each.master), 0)
        done[same_id(each.master)] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(each)
    yield from turns


def merge(
    session: Session, sobject: str, merges: Sequence[MergeOfRows], fill: Sequence[str] = ()
) -> list[RecordResult]:
    """Merge records and return the result of each merge, in their order.

    Args:
        session: The org.
        sobject: Their object.
        merges: At most 200; with `fill`, each master once.
        fill: Fields that a master takes from the first loser that has a value, unless it has one
            itself, or the merge names one.

    Raises:
        RunnerError: As `soap.call`; the records may be merged all the same.
    """
    if fill:
        ids = [record_id for each in merges for record_id in (each.master, *each.losers)]
        held = {
            same_id(record_id): dict(zip(fill, values, strict=True))
            for record_id, *values in read_by_key(session, sobject, "Id", ids, fill)
        }
        merges = [_filled(each, held) for each in merges]
    results = [_uncarried(each) for each in merges]
    sent = [at for at, result in enumerate(results) if result is None]
    if sent:
        arguments = "".join(_argument(sobject, merges[at]) for at in sent)
        found = call(session, "merge", arguments, len(sent), idempotent=False)
        for at, members in zip(sent, found.members, strict=True):
            results[at] = result_of(members)
    return [result for result in results if result is not None]


def _together(one: MergeOfRows, other: MergeOfRows) -> MergeOfRows:
    return MergeOfRows(
        one.rows + other.rows,
        one.master,
        one.losers + other.losers,
        {**one.values, **other.values},
    )


def _filled(each: MergeOfRows, held: Mapping[str, Mapping[str, str | None]]) -> MergeOfRows:
    master = held.get(same_id(each.master), {})
    losers = [held.get(same_id(loser), {}) for loser in each.losers]
    values = dict(each.values)
    for field, value in master.items():
        taken = next((loser[field] for loser in losers if loser.get(field)), None)
        if value is None and taken is not None:
            values.setdefault(field, _OFFSET.sub("Z", taken))
    return replace(each, values=values)


def _uncarried(each: MergeOfRows) -> RecordResult | None:
    """The result of a merge with a value that cannot be sent; None if all can."""
    for field, value in each.values.items():
        if isinstance(value, str) and _NO_XML.search(value):
            message = f"{field}: contains a control character, which SOAP cannot send"
            return RecordResult(
                None,
                success=False,
                created=None,
                code="VALUE_DOES_NOT_FIT",
                message=message,
                fields=(field,),
            )
    return None


def _argument(sobject: str, each: MergeOfRows) -> str:
    emptied = (name for name, value in each.values.items() if value is None)
    nulls = "".join(f"<sob:fieldsToNull>{escaped(name)}</sob:fieldsToNull>" for name in emptied)
    fields = "".join(
        f"<sob:{name}>{escaped(plain(value))}</sob:{name}>"
        for name, value in {"Id": each.master, **each.values}.items()
        if value is not None
    )
    losers = "".join(
        f"<urn:recordToMergeIds>{escaped(loser)}</urn:recordToMergeIds>" for loser in each.losers
    )
    return (
        f"<urn:request><urn:masterRecord><sob:type>{escaped(sobject)}</sob:type>{nulls}{fields}"
        f"</urn:masterRecord>{losers}</urn:request>"
    )

"""`/sobjects/X/updated` and `/sobjects/X/deleted`: which records changed in a time span.

Knows the rules for the span. Knows nothing of writes. Source: getUpdated and getDeleted, REST form.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.catalog.model import SObject
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.records.recycle_bin import RETENTION
from runner.local_org.records.time_values import stamp
from runner.local_org.resources.request_parsing import named_sobject
from runner.local_org.store import quoted

_MOST_IDS = 600_000
_FURTHEST_BACK = timedelta(days=30)
_LEAST_SPAN = timedelta(minutes=1)


class _Span(Struct, frozen=True):
    """From one full minute to another."""

    start: datetime
    end: datetime


def _updated(org: Org, request: Request) -> Response:
    sobject = _replicateable(org, request)
    span = _span(org, request)
    with org.store.reading() as conn:
        rows = conn.execute(
            f"SELECT Id FROM {quoted(sobject.name)} WHERE SystemModstamp >= ? "  # noqa: S608
            "AND SystemModstamp < ? AND IsDeleted = 0 LIMIT ?",
            (stamp(span.start), stamp(span.end), _MOST_IDS + 1),
        ).fetchall()
    _check_count(len(rows))
    return Response.of_json(
        {"ids": [row[0] for row in rows], "latestDateCovered": _json(min(span.end, org.clock()))}
    )


def _deleted(org: Org, request: Request) -> Response:
    sobject = _replicateable(org, request)
    span = _span(org, request)
    earliest = org.clock() - RETENTION
    with org.store.reading() as conn:
        rows = conn.execute(
            "SELECT id, deleted_date FROM _deleted WHERE sobject = ? AND deleted_date >= ? "
            "AND deleted_date < ? ORDER BY deleted_date, id LIMIT ?",
            (sobject.name, stamp(max(span.start, earliest)), stamp(span.end), _MOST_IDS + 1),
        ).fetchall()
    _check_count(len(rows))
    return Response.of_json(
        {
            "deletedRecords": [
                {"id": record_id, "deletedDate": f"{moment[:-1]}+0000"}
                for record_id, moment in rows
            ],
            "earliestDateAvailable": _json(earliest),
            "latestDateCovered": _json(min(span.end, org.clock())),
        }
    )


def _replicateable(org: Org, request: Request) -> SObject:
    sobject = named_sobject(org, request)
    if not sobject.flags.get("replicateable", False):
        raise ApiRefusal(400, "INVALID_TYPE", f"sObject type '{sobject.name}' is not replicateable")
    return sobject


def _span(org: Org, request: Request) -> _Span:
    start, end = _moment(request, "start"), _moment(request, "end")
    if end - start < _LEAST_SPAN:
        raise _bad_date("endDate must be at least one minute greater than startDate")
    if start < org.clock() - _FURTHEST_BACK:
        raise _bad_date("startDate cannot be more than 30 days ago")
    return _Span(start, end)


def _moment(request: Request, name: str) -> datetime:
    """A parameter as a moment, to the minute; an unescaped `+` of its zone arrives as a space."""
    text = request.arg(name).replace(" ", "+")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _bad_date(f"{name} is not a valid dateTime: {text}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _bad_date(message: str) -> ApiRefusal:
    return ApiRefusal(400, "INVALID_REPLICATION_DATE", message)


def _check_count(count: int) -> None:
    if count > _MOST_IDS:
        raise ApiRefusal(400, "EXCEEDED_ID_LIMIT", "More than 600000 ids; ask for a shorter span")


def _json(moment: datetime) -> str:
    return f"{stamp(moment)[:-1]}+0000"


ROUTES = (
    Route("GET", r"/sobjects/(?P<sobject>\w+)/updated", _updated, min_version=29.0),
    Route("GET", r"/sobjects/(?P<sobject>\w+)/deleted", _deleted, min_version=29.0),
)

"""`/query` and `/queryAll`: records by SOQL, page by page.

Knows the envelope and the size of pages. `soql` runs the query, `cursors` saves its result between
pages.
"""

from __future__ import annotations

import re
from itertools import islice
from sqlite3 import Connection

from msgspec import Struct

from runner.local_org.api_errors import ApiRefusal
from runner.local_org.cursors import Cursor, Cursors
from runner.local_org.http.messages import Request, Response, Route
from runner.local_org.org import Org
from runner.local_org.resources.request_parsing import caller
from runner.local_org.soql import Prepared, prepare
from runner.local_org.soql.metadata import column_metadata
from runner.local_org.soql.record_query import ChildPaging, RecordQuery
from runner.local_org.soql.record_shape import JsonRecord

_SMALLEST_PAGE = 200
_LARGEST_PAGE = 2_000
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)
_LOCATOR = re.compile(
    r"(?P<cursor>0r8\w{15})(?:\.(?P<child>\d+(?:_\d+)*)\.(?P<parent>\w{18}))?-(?P<offset>\d{1,12})",
    re.ASCII,
)


def _query(org: Org, request: Request) -> Response:
    return _first_page(org, request, all_rows=False)


def _query_all(org: Org, request: Request) -> Response:
    return _first_page(org, request, all_rows=True)


def _first_page(org: Org, request: Request, *, all_rows: bool) -> Response:
    user, version = caller(org, request), request.version or 0.0
    if explained := request.arg("explain"):
        return _explanation(org, prepare(org, explained, user=user, version=version))
    if "q" not in request.query:
        raise ApiRefusal(400, "MALFORMED_QUERY", "SOQL statement cannot be empty or null")
    text = request.arg("q")
    prepared = prepare(org, text, user=user, version=version, all_rows=all_rows)
    if request.arg("columns").lower() == "true":
        return Response.of_json(column_metadata(prepared))
    if not isinstance(prepared.plan, RecordQuery):
        return _whole(org, prepared)
    size = _page_size(request, org.settings.query_page_size)
    cursors = org.part(Cursors)
    cursor = cursors.new(text, user.id, size, all_rows=all_rows)
    pager = _Pager(cursor, size, version)
    with org.store.reading() as conn:
        found = prepared.plan.ids(conn)
        first = list(islice(found, size + 1))
        page = pager.page(conn, prepared.plan, first[:size])
        total = len(first)
        if page.consumed < total or pager.children_cut:
            total = cursors.save(cursor, first, found)
    return Response.of_json(pager.envelope(page, 0, total))


def _next_page(org: Org, request: Request) -> Response:
    found = _LOCATOR.fullmatch(request.params["locator"])
    user, version = caller(org, request), request.version or 0.0
    cursors = org.part(Cursors)
    cursor = cursors.find(found["cursor"], user.id) if found else None
    if found is None or cursor is None:
        raise _unknown_locator()
    prepared = prepare(org, cursor.soql, user=user, version=version, all_rows=cursor.all_rows)
    if not isinstance(prepared.plan, RecordQuery):
        raise _unknown_locator()
    offset = int(found["offset"])
    size = _page_size(request, cursor.page_size)
    pager = _Pager(cursor, size, version)
    if found["child"]:
        return _child_page(org, prepared.plan, pager, found)
    ids = cursors.ids(cursor, offset, size)
    if not ids:
        raise _unknown_locator()
    with org.store.reading() as conn:
        page = pager.page(conn, prepared.plan, ids)
    return Response.of_json(pager.envelope(page, offset, cursors.total(cursor)))


def _child_page(org: Org, plan: RecordQuery, pager: _Pager, locator: re.Match[str]) -> Response:
    parent_id, offset = locator["parent"], int(locator["offset"])
    child = plan.child(tuple(int(place) for place in locator["child"].split("_")))
    if child is None:
        raise _unknown_locator()
    with org.store.reading() as conn:
        lists = child.fetch(conn, [parent_id], start=offset, paging=pager.children)
    if parent_id not in lists:
        raise _unknown_locator()
    return Response.of_json(lists[parent_id])


def _whole(org: Org, prepared: Prepared) -> Response:
    """Counts and aggregates fit in one page."""
    with org.store.reading() as conn:
        records = list(prepared.execute(conn))
        total = prepared.total(conn) if prepared.count_only else len(records)
    return Response.of_json({"totalSize": total, "done": True, "records": records})


def _explanation(org: Org, prepared: Prepared) -> Response:
    """A plan of the right shape; this org has only one way to read."""
    with org.store.reading() as conn:
        cardinality = prepared.total(conn)
    plan = {
        "cardinality": cardinality,
        "fields": [],
        "leadingOperationType": "TableScan",
        "notes": [],
        "relativeCost": 1.0,
        "sobjectCardinality": cardinality,
        "sobjectType": prepared.entity.name,
    }
    return Response.of_json({"plans": [plan]})


class _Page(Struct, frozen=True):
    records: list[JsonRecord]
    consumed: int
    """Ids used by the page, including records deleted since."""


class _Pager:
    """Builds pages with the URL of the next one."""

    def __init__(self, cursor: Cursor, size: int, version: float) -> None:
        self._size = size
        self._url = f"/services/data/v{version}/query/{cursor.id}"
        self.children_cut = False
        """Whether a list of children has more pages, so the cursor must be saved."""
        self.children = ChildPaging(size, self._child_url)

    def page(self, conn: Connection, plan: RecordQuery, ids: list[str]) -> _Page:
        """As many records as fit; their children count too."""
        records: list[JsonRecord] = []
        consumed = rows_used = 0
        for record in plan.records(conn, ids, self.children):
            consumed += 1
            if record is not None:
                records.append(record)
                rows_used += 1 + _children_in(record, plan)
            if rows_used >= self._size:
                break
        return _Page(records, consumed)

    def envelope(self, page: _Page, offset: int, total: int) -> dict[str, object]:
        """The response with a page that starts at `offset`."""
        reached = offset + page.consumed
        answer: dict[str, object] = {"totalSize": total, "done": reached >= total}
        if reached < total:
            answer["nextRecordsUrl"] = f"{self._url}-{reached}"
        return {**answer, "records": page.records}

    def _child_url(self, path: tuple[int, ...], parent_id: str, offset: int) -> str:
        self.children_cut = True
        return f"{self._url}.{'_'.join(map(str, path))}.{parent_id}-{offset}"


def _children_in(record: JsonRecord, plan: RecordQuery) -> int:
    lists = (record.get(child.key) for child in plan.body.children)
    return sum(len(each["records"]) for each in lists if isinstance(each, dict))


def _page_size(request: Request, usual: int) -> int:
    """Records per page: the client's wish within Salesforce's limits."""
    found = _BATCH_SIZE.search(request.headers.get("sforce-query-options", ""))
    if found is None:
        return usual
    return min(max(int(found[1]), _SMALLEST_PAGE), _LARGEST_PAGE)


def _unknown_locator() -> ApiRefusal:
    return ApiRefusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator")


ROUTES = (
    Route("GET", "/query", _query),
    Route("GET", "/queryAll", _query_all),
    Route("GET", "/(?:query|queryAll)/(?P<locator>[^/]+)", _next_page),
)

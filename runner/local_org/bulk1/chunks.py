"""PK chunking: a query of a whole table as several batches, by ranges of Ids.

Knows SOQL's text and Ids. Knows no jobs. Source: the Bulk API developer guide, "PK Chunking".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from runner.local_org.bulk.failure import JobFailure
from runner.soql.errors import SoqlError
from runner.soql.parser import parse
from runner.soql.syntax import ChildItem

DEFAULT_ROWS = 100_000
MAX_ROWS = 250_000
_OPTION = re.compile(r"chunkSize\s*=\s*(\d+)", re.IGNORECASE)
_WHERE = re.compile(r"\bWHERE\b", re.IGNORECASE)


def rows_of(header: str) -> int:
    """Rows of a chunk by `Sforce-Enable-PKChunking`, such as `chunkSize=1000`; 0 for no chunks."""
    if header.strip().lower() in {"", "false"}:
        return 0
    asked = _OPTION.search(header)
    return min(int(asked[1]) or DEFAULT_ROWS, MAX_ROWS) if asked else DEFAULT_ROWS


def queries_of(soql: str, ids: Sequence[str], rows: int) -> Iterator[str]:
    """The query for each range of Ids; always one at least.

    Args:
        soql: The query of the batch.
        ids: All Ids of the object, in ascending order.
        rows: How many Ids a range has.

    Raises:
        JobFailure: The query has subqueries, or clauses after WHERE.
    """
    try:
        query = parse(soql)
    except SoqlError:
        yield soql  # fails in the words of any query
        return
    has_children = any(isinstance(item, ChildItem) for item in query.items)
    if has_children or query.clauses or query.counts_only:
        raise JobFailure.invalid_batch("PK chunking takes queries of records with WHERE only")
    head, *rest = _WHERE.split(soql, maxsplit=1)
    own = f"({rest[0].strip()}) AND " if rest else ""
    starts = list(ids[::rows]) or [""]
    for start, end in pairwise([*starts, ""]):
        ranges = [f"Id >= '{start}'"] if start else []
        ranges += [f"Id < '{end}'"] if end else []
        condition = " AND ".join(ranges)
        yield f"{head.strip()} WHERE {own}{condition}" if condition else soql

"""Child records in a query's answer: fetched in full, then written as tables or JSON.

Knows where each list goes. Knows nothing of how a page is requested or a file is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from runner.engine.context import Context
from runner.engine.query_columns import datetimes_of, query_columns
from runner.errors import OrgError, TransientError, UnexpectedAnswerError
from runner.job.model import ChildTable
from runner.job.soql import ItemKind, Selection
from runner.salesforce.describe import Describes
from runner.salesforce.rest.query import ShortResultError, pages_from
from runner.tables.field_types import FieldKind
from runner.tables.targets.rest_pages import parse_records
from runner.tables.targets.rest_rows import QueryColumn, RestWriter

Record = dict[str, Any]


class ChildRows(Struct):
    """A table of child records while it is written."""

    table: ChildTable
    file: Path
    writer: RestWriter
    rows: int = 0

    @property
    def path(self) -> str:
        """The relationships that lead to it, in lower case: `contacts.cases`."""
        return self.table.relationship.lower()


class Children:
    """The child records of one query; their tables appear when the block ends without an error."""

    def __init__(
        self, context: Context, selected: Selection, tables: Sequence[ChildTable], folder: Path
    ) -> None:
        """Prepare for a query; rows of the declared tables go into `folder`."""
        self._context = context
        self._selected = selected
        self._stack = ExitStack()
        self._folder = folder
        self._declared = tables
        self.tables: list[ChildRows] = []

    @property
    def is_asked_for(self) -> bool:
        """Whether the query selects lists of children at all."""
        return any(item.kind is ItemKind.CHILDREN for item in self._selected.items)

    def open(self) -> ExitStack:
        """Open the tables, again when a query is read again; leaving the block closes them."""
        self.tables.clear()
        lists = {path.lower(): each.inner for path, each in self._selected.child_lists.items()}
        for number, table in enumerate(self._declared):
            inner = lists[table.relationship.lower()]
            file = self._folder / f"children-{number}.csv"
            writer = self._writer(file, table, inner or Selection("", ()))
            self._stack.enter_context(writer)
            self.tables.append(ChildRows(table, file, writer))
        return self._stack

    def _writer(self, file: Path, table: ChildTable, inner: Selection) -> RestWriter:
        describes = self._context.describes
        path = table.relationship.lower()
        sobject = _child_object(self._selected.sobject, path, describes)
        found = query_columns(replace(inner, sobject=sobject), describes)
        columns = without_tables(found, self._declared, f"{path}.")
        name = table.parent_column
        parent = QueryColumn(name, FieldKind.TEXT, member=(name,))
        return RestWriter(
            file,
            (parent, *columns),
            is_open=inner.is_open,
            datetimes=datetimes_of(describes),
        )

    def complete(self, page: bytes, check: Callable[[], None]) -> list[Record]:
        """Return a page's records with complete lists, without those that went into tables.

        Args:
            page: A JSON array of records, as the org sent it.
            check: Called before each further page is requested.
        """
        records: list[Record] = parse_records(page)
        self._complete(records, "", check)
        return records

    def _complete(self, records: list[Record], path: str, check: Callable[[], None]) -> None:
        """Complete every list in some records; remove lists that have their own table.

        `path` leads from the query's records to these, in lower case: empty, or `contacts.`.
        """
        for record in records:
            for key, value in list(record.items()):
                place = f"{path}{key.lower()}"
                rows = next((each for each in self.tables if each.path == place), None)
                if rows is not None:
                    del record[key]
                if not isinstance(value, dict) or "records" not in value:
                    continue
                if rows is not None:
                    self._move(rows, _id_of(record), value, check)
                    continue
                children = [child for some in self._pages(value, check) for child in some]
                self._complete(children, f"{place}.", check)
                record[key] = {"totalSize": len(children), "done": True, "records": children}

    def _move(self, rows: ChildRows, parent: str, found: Record, check: Callable[[], None]) -> None:
        column = rows.table.parent_column
        for some in self._pages(found, check):
            self._complete(some, f"{rows.path}.", check)
            rows.writer.write({column: parent, **child} for child in some)
            rows.rows += len(some)

    def _pages(self, found: Record, check: Callable[[], None]) -> Iterator[list[Record]]:
        arrived = len(found["records"])
        yield found["records"]
        for records in self._further_pages(found, check):
            arrived += len(records)
            yield records
        if arrived != found.get("totalSize", arrived):
            raise ShortResultError(
                f"The org counted {found['totalSize']} child records in a list, but its pages "
                f"contain {arrived}"
            )

    def _further_pages(self, found: Record, check: Callable[[], None]) -> Iterator[list[Record]]:
        if found.get("done", True):
            return
        following = pages_from(self._context.session, found.get("nextRecordsUrl") or "")
        while True:
            check()
            page = next(following, None)
            if page is None:
                return
            yield parse_records(bytes(page.raw))


def _id_of(record: Mapping[str, Any]) -> str:
    """A record's Id, read from its URL: the query may not select it."""
    url = (record.get("attributes") or {}).get("url")
    if not isinstance(url, str):
        raise UnexpectedAnswerError(
            "The org does not say which record the child records belong to."
        )
    return url.rpartition("/")[2]


def without_tables(
    columns: Sequence[QueryColumn], tables: Sequence[ChildTable], path: str = ""
) -> tuple[QueryColumn, ...]:
    """The columns of the records at a path, without those that are tables."""
    apart = {each.relationship.lower() for each in tables}
    return tuple(each for each in columns if f"{path}{each.name.lower()}" not in apart)


def _child_object(parent: str, path: str, describes: Describes) -> str:
    """The object of the records at the end of a path of relationships, in lower case."""
    try:
        for relationship in path.split("."):
            parent = describes.of(parent).children.get(relationship, "") if parent else ""
    except TransientError:
        raise
    except OrgError:
        return ""  # the org will refuse the query itself, in its own words
    return parent

"""Gives the rows of a Bulk query the header that the job writes, as REST rows have it.

The org writes field names in its own letter case, and below API version 50.0 in alphabetical order.
Knows nothing of jobs or requests.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.csv_rows import csv_reader
from runner.errors import UnexpectedAnswerError
from runner.files import atomic_write
from runner.tables.targets.column_types import column_names
from runner.tables.targets.rest_rows import QueryColumn

_COPY_BYTES = 1 << 20


def name_columns(rows: Path, columns: Sequence[QueryColumn]) -> None:
    """Rewrite the header of a query's rows where the job writes it differently.

    Args:
        rows: The rows as the org sent them.
        columns: What the query selects; of FIELDS(…), the org decides which fields there are.

    Raises:
        UnexpectedAnswerError: The rows lack a column.
    """
    header = column_names(rows)
    names = _names(columns)
    wanted = _named(header, names)
    missing = names.keys() - {column.lower() for column in header}
    if missing:
        column = next(each.name for each in columns if each.name.lower() in missing)
        raise UnexpectedAnswerError(
            f"The query selects {column!r}, but the rows that the org sent do not have it; they"
            f" have: {', '.join(header) or 'nothing'}.",
            hint="Give it an alias if it is the result of a function, or use `api: rest`.",
        )
    order = [each.name for each in columns]
    if _is_reordered(order, wanted):
        _reorder(rows, [wanted.index(each) for each in order], order)
    elif header != wanted:
        _rename(rows, wanted)


def names_in_place(rows: Path, columns: Sequence[QueryColumn]) -> list[str] | None:
    """The names that `name_columns` will write over a header; None if it will move rows for it."""
    header = column_names(rows)
    wanted = _named(header, _names(columns))
    if _is_reordered([each.name for each in columns], wanted):
        return None
    with rows.open("rb") as file:
        own = file.readline()
    return wanted if wanted == header or len(_line(wanted, own)) == len(own) else None


def _names(columns: Sequence[QueryColumn]) -> dict[str, str]:
    return {each.name.lower(): each.name for each in columns if not each.from_fields}


def _named(header: Sequence[str], names: Mapping[str, str]) -> list[str]:
    return [names.get(column.lower(), column) for column in header]


def _is_reordered(order: Sequence[str], wanted: Sequence[str]) -> bool:
    return order != wanted and sorted(order) == sorted(wanted)


def join_rows(pieces: Sequence[Path], to: Path) -> None:
    """Join the rows of several queries, which have the same header; the pieces are deleted."""
    with atomic_write(to) as temporary, temporary.open("wb") as out:
        for piece in pieces:
            with piece.open("rb") as rows:
                header = rows.readline()
                if piece == pieces[0]:
                    out.write(header)
                shutil.copyfileobj(rows, out, _COPY_BYTES)
    for piece in pieces:
        piece.unlink()


def _rename(rows: Path, wanted: Sequence[str]) -> None:
    with rows.open("r+b") as file:
        own = file.readline()
        line = _line(wanted, own)
        if len(own) == len(line):  # the letter case differs, as a rule nothing else
            file.seek(0)
            file.write(line)
            return
        with atomic_write(rows) as temporary, temporary.open("wb") as out:
            out.write(line)
            shutil.copyfileobj(file, out, _COPY_BYTES)


def _line(names: Sequence[str], own: bytes) -> bytes:
    """A header that ends as another does."""
    end = b"\r\n" if own.endswith(b"\r\n") else b"\n"
    return ",".join('"' + each.replace('"', '""') + '"' for each in names).encode() + end


def _reorder(rows: Path, places: Sequence[int], order: Sequence[str]) -> None:
    with (
        rows.open(encoding="utf-8", newline="") as read,
        atomic_write(rows) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as write,
    ):
        records = csv_reader(read)
        out = csv.writer(write, lineterminator="\n", quoting=csv.QUOTE_ALL)
        next(records)
        out.writerow(order)
        out.writerows([record[place] for place in places] for record in records)

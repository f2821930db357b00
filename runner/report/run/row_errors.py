"""Why rows of a task failed: grouped by code and fields, with rows as examples.

Reads the result files row by row; what stays in memory are groups and their examples. Knows the
columns of result files. Knows nothing of pages.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from runner.redaction import MASK, quotable, redacted, without
from runner.wording import shortened

FILES = ("failed.csv", "in_doubt.csv", "not_undone.csv")
MOST_GROUPS = 20
EXAMPLES = 3
MOST_CELLS = 12
LONGEST_VALUE = 200
_LONGEST_CELL = 150_000_000
"""Salesforce's longest values are smaller."""
_MOST_KINDS = 1_000
"""Groups that are counted; rows of further kinds are counted together."""


_Key = tuple[str, str, str]
"""File, code and fields of a group."""


class Cell(Struct, frozen=True):
    """A value of a row."""

    column: str
    value: str
    is_named: bool
    """Whether the error names the field."""


class Example(Struct, frozen=True):
    """A row that failed."""

    row: str
    cells: tuple[Cell, ...]
    left_out: int
    """Columns that are not shown."""
    message: str


class Group(Struct, frozen=True):
    """Rows that failed for the same code in the same fields."""

    file: str
    code: str
    fields: str
    rows: int
    examples: tuple[Example, ...]


class RowErrors(Struct, frozen=True):
    """The groups of a task, the largest first."""

    groups: tuple[Group, ...] = ()
    others: int = 0
    """Rows of groups that are not shown."""
    columns: frozenset[str] = frozenset()
    """Names of the source's columns."""


def row_errors(folder: Path, masked: Sequence[str] = ()) -> RowErrors:
    """Read the files of a task.

    Args:
        folder: The task's results.
        masked: Names of columns, in any letter case, whose values are `***`.
    """
    counts: dict[_Key, int] = {}
    examples: dict[_Key, list[Example]] = {}
    columns: set[str] = set()
    others = 0
    hidden = frozenset(name.lower() for name in masked)
    for name in FILES:
        for header, values in _rows(folder / name):
            key = (name, _value(header, values, "sf__Code"), _value(header, values, "sf__Fields"))
            if key in counts:
                counts[key] += 1
            elif len(counts) < _MOST_KINDS:
                counts[key] = 1
                columns.update(each for each in header if not each.startswith("sf__"))
            else:
                others += 1
                continue
            kept = examples.setdefault(key, [])
            if len(kept) < EXAMPLES:
                row = {column: _value(header, values, column) for column in header}
                kept.append(_example(row, hidden))
    largest = sorted(counts, key=lambda key: -counts[key])
    groups = tuple(Group(*key, counts[key], tuple(examples[key])) for key in largest[:MOST_GROUPS])
    others += sum(counts[key] for key in largest[MOST_GROUPS:])
    return RowErrors(groups, others, frozenset(columns))


def _rows(file: Path) -> Iterator[tuple[Mapping[str, int], list[str]]]:
    """The rows of a result file, each with the places of its columns; none if it is not there.

    People correct rows in it for a retry, with programs that may save it in another encoding.
    """
    csv.field_size_limit(_LONGEST_CELL)
    with (
        suppress(FileNotFoundError, NotADirectoryError, csv.Error),
        file.open(encoding="utf-8-sig", errors="replace", newline="") as text,
    ):
        reader = csv.reader(text)
        header = {name: at for at, name in enumerate(next(reader, []))}
        for values in reader:
            yield header, values


def _value(header: Mapping[str, int], values: list[str], column: str) -> str:
    at = header.get(column)
    return "" if at is None or at >= len(values) else values[at]


def _example(row: dict[str, str], hidden: frozenset[str]) -> Example:
    named = {each.lower() for each in row.get("sf__Fields", "").split()}
    own = {name: value for name, value in row.items() if not name.startswith("sf__")}
    secret = {value for name, value in own.items() if name.lower() in hidden and value}
    quoted = quotable(secret)
    order = sorted(own, key=lambda name: name.lower() not in named)
    cells = tuple(
        Cell(
            name, _shown(own[name], quoted, is_hidden=name.lower() in hidden), name.lower() in named
        )
        for name in order[:MOST_CELLS]
    )
    message = redacted(without(row.get("sf__Message", ""), quoted), shapes=True)
    if any(name in message.lower() for name in hidden):
        message = MASK  # a message that names the field may quote its value in another form
    return Example(row.get("sf__Row", ""), cells, max(0, len(own) - MOST_CELLS), _cut(message))


def _shown(value: str, quoted: Sequence[str], *, is_hidden: bool) -> str:
    if is_hidden:
        return MASK
    return _cut(without(value, quoted))


def _cut(text: str) -> str:
    shown = "".join(
        each if each.isprintable() else " " if each in "\n\t\r" else "\N{REPLACEMENT CHARACTER}"
        for each in text[: LONGEST_VALUE + 1]
    )
    return shortened(shown, LONGEST_VALUE)

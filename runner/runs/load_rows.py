"""Rows of files, for the local org to load: what they say, and where.

Knows CSV files and folders of them, and which kind a file is. Knows no org: whether the names in a
file are those of fields is for the org to say.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from runner.csv_rows import csv_reader
from runner.errors import SourceError, UsageError
from runner.job.endpoints import FileFormat, FileShape
from runner.local_org import exact_numbers
from runner.tables.sources.chunks import open_text
from runner.tables.sources.csv import START_BYTES, detect
from runner.tables.unchanged import unreadable

EXPORT_FILE = "export.json"
_ENDINGS = (".csv", ".tsv", ".txt")
_ID = "id"


class FileRow(Struct, frozen=True):
    """One row of a file."""

    sobject: str
    values: dict[str, object]
    """JSON values or, with `text`, CSV texts, by the names of the file."""
    file: Path
    row: int
    """From 1."""
    line: int | None = None
    ref: str | None = None
    """By which other rows name it as their parent: its Id, or `@` and its reference."""
    parent: tuple[str, str] | None = None
    """The reference of the record that it is nested in, and the relationship there."""
    text: bool = False
    found_by: tuple[str, ...] | None = None
    """Fields by which the org finds the record, which is not created then."""

    @property
    def place(self) -> str:
        """Where it is."""
        if self.line is None:
            return f"{self.file}: record {self.row:,}"
        name = f"row {self.row:,}" if self.text else f"record {str(self.ref)[1:]}"
        return f"{self.file}:{self.line}: {name}"


class FileRows(Struct, frozen=True):
    """The rows of one file, or of several."""

    rows: tuple[FileRow, ...]
    ignored: tuple[str, ...] = ()
    """Settings of an export that have no effect."""


def read_files(files: Sequence[Path], sobject: str | None) -> FileRows:
    """Read CSV files, trees and plans of `sf data import tree`, and folders.

    Args:
        files: In the order in which the user named them.
        sobject: The object of the CSV files; by default that of each file's name.

    Raises:
        SourceError: A file cannot be read, with where and why.
        UsageError: A file is of no kind that can be loaded.
    """
    found = [_read(file, sobject) for file in files]
    return FileRows(
        tuple(row for each in found for row in each.rows),
        tuple(setting for each in found for setting in each.ignored),
    )


def _read(file: Path, sobject: str | None) -> FileRows:
    if not file.exists():
        raise SourceError(f"{file} does not exist.", hint="Check the path.")
    if file.is_dir():
        return _folder(file)
    if file.suffix.lower() in _ENDINGS:
        return FileRows(tuple(csv_rows(file, sobject or file.stem)))
    if file.name == EXPORT_FILE:
        return _folder(file.parent)
    if file.suffix.lower() == ".json":
        from runner.runs.load_trees import tree_rows

        return FileRows(tuple(tree_rows(file)))
    raise UsageError(
        f"{file} is neither CSV nor JSON, nor a folder.",
        hint="Load CSV files, trees and plans of `sf data import tree`, folders of CSV files or "
        "exports of SFDMU.",
    )


def _folder(folder: Path) -> FileRows:
    if (folder / EXPORT_FILE).exists():
        from runner.runs.load_exports import export_rows

        return export_rows(folder / EXPORT_FILE)
    files = sorted(each for each in folder.iterdir() if each.suffix.lower() in _ENDINGS)
    if not files:
        raise UsageError(
            f"There is no CSV file in {folder}.",
            hint=f"Name a folder with files such as Account.csv, or with an {EXPORT_FILE}.",
        )
    return FileRows(tuple(row for file in files for row in csv_rows(file, file.stem)))


def csv_rows(file: Path, sobject: str, delimiter: str | None = None) -> Iterator[FileRow]:
    """The rows of a CSV file; delimiter and encoding are found out.

    Raises:
        SourceError: It cannot be read, or a row has not the cells of the header.
    """
    with open_text(file, _shape(file, delimiter)) as stream:
        reader = csv_reader(stream, delimiter=_shape(file, delimiter).delimiter, strict=True)
        try:
            header = next(reader, [])
            _check_header(file, header)
            line = reader.line_num + 1
            number = 0
            for cells in reader:
                if cells:
                    number += 1
                    yield _csv_row(file, sobject, header, cells, number, line)
                line = reader.line_num + 1
        except csv.Error as error:
            raise SourceError(
                f"{file}:{reader.line_num}: {error}.",
                hint="Double each quote inside a quoted value.",
            ) from error


def _shape(file: Path, delimiter: str | None) -> FileShape:
    undeclared = frozenset({"encoding", *(() if delimiter else ("delimiter",))})
    shape = FileShape(FileFormat.CSV, delimiter=delimiter or ",", undeclared=undeclared)
    try:
        with file.open("rb") as stream:
            return replace(detect(shape, stream.read(START_BYTES))[0])
    except OSError as error:
        raise unreadable(file, error) from error


def _check_header(file: Path, header: Sequence[str]) -> None:
    if not any(header):
        raise SourceError(
            f"{file}:1: the file has no header.", hint="Name fields in its first line."
        )
    for name in header:
        if not name.strip():
            raise SourceError(f"{file}:1: a column has no name.", hint="Name it in the first line.")
        if [each.lower() for each in header].count(name.lower()) > 1:
            raise SourceError(f"{file}:1: the column {name} appears twice.", hint="Remove one.")


def _csv_row(  # noqa: PLR0913, PLR0917 - a row and where it is
    file: Path, sobject: str, header: Sequence[str], cells: Sequence[str], number: int, line: int
) -> FileRow:
    if len(cells) != len(header):
        found = f"{len(cells)} cell{'s' * (len(cells) != 1)}"
        raise SourceError(
            f"{file}:{line}: row {number:,} has {found}, the header has {len(header)}.",
            hint="Quote values that contain the delimiter or a line break.",
        )
    values = cast("dict[str, object]", dict(zip(header, cells, strict=True)))
    ref = next((cell for name, cell in zip(header, cells, strict=True) if name.lower() == _ID), "")
    return FileRow(sobject, values, file, number, line, ref or None, text=True)


def read_json(file: Path) -> tuple[str, object]:
    """The text of a JSON file and what it says, with every digit of its numbers.

    Raises:
        SourceError: It cannot be read, or is no JSON.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise unreadable(file, error) from error
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{file} is not in UTF-8: {error.reason} at byte {error.start}."
        ) from error
    try:
        return text, exact_numbers.loads(text)
    except json.JSONDecodeError as error:
        raise SourceError(f"{file}:{error.lineno}:{error.colno}: {error.msg}.") from error
    except RecursionError as error:
        raise SourceError(f"{file} is nested too deeply.") from error


def line_of(text: str, key: str, value: str) -> int | None:
    """The line of the first member of a JSON text with this value."""
    member = rf"{re.escape(json.dumps(key))}\s*:\s*{re.escape(json.dumps(value))}"
    found = re.search(member, text)
    return text.count("\n", 0, found.start()) + 1 if found else None


def as_request(rows: Iterable[FileRow]) -> list[dict[str, object]]:
    """Rows as the org takes them."""
    return [
        {
            "sobject": row.sobject,
            "values": row.values,
            "ref": row.ref,
            "parent": row.parent,
            "text": row.text,
            "found_by": row.found_by,
        }
        for row in rows
    ]

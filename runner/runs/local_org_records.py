"""Loads rows into the local org, and writes its records to files.

Knows what the org answers, and where a row that it refuses is. Prints nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from msgspec import Struct

from runner.errors import SourceError, UsageError
from runner.files import private_folder
from runner.folders import atomic_folder
from runner.runs.load_rows import FileRow, as_request
from runner.runs.local_org_control import OrgControl, refusal_of
from runner.suggest import did_you_mean

_RECORDS = "/__org/records"
_CREATED = 201
_ORG_FILE = "org.yaml"


class Dumped(Struct, frozen=True):
    """What was written."""

    records: dict[str, int]
    """By object."""
    left_out: dict[str, str]
    """Objects whose records are not written, and why."""


def load_rows(
    org: OrgControl, rows: Sequence[FileRow], org_file: Path | None = None
) -> dict[str, object]:
    """Create the records of rows, all or none; returns what the org says it created.

    Raises:
        SourceError: A row is refused: where and why.
        StateError: The org does not answer as it should.
    """
    status, answer = org.answer("POST", _RECORDS, as_request(rows))
    if status == _CREATED:
        return cast("dict[str, object]", answer)
    told = answer[0] if isinstance(answer, list) and answer else {}
    if not isinstance(told, dict) or told.get("errorCode") != "INVALID_ROW" or "at" not in told:
        raise refusal_of(answer)
    row = rows[told["at"]]
    place = f"{row.file}:1" if told["in_header"] else row.place
    message = str(told["message"]).removesuffix(".")
    raise SourceError(f"{place}: {message}. Nothing was loaded.", hint=_hint(told, row, org_file))


def _hint(told: dict[str, object], row: FileRow, org_file: Path | None) -> str | None:
    word = str(told["word"])
    if not word:
        return None
    near = did_you_mean(word, cast("list[str]", told["options"]))
    if near is None and org_file is None and Path(_ORG_FILE).exists():
        return f"Name the org file that declares it: `--org-file {_ORG_FILE}`."
    if near is None and word == row.sobject and row.text:
        return "Name the object with `--object`."
    return near


def dump_records(org: OrgControl, folder: Path, *, update: bool) -> Dumped:
    """Write the records of each object to a CSV file of its name.

    Args:
        org: Whose records.
        folder: Replaced in one step.
        update: Whether it may have CSV files already.

    Raises:
        UsageError: It has files that this would lose.
        StorageError: It cannot be written.
        StateError: The org does not answer as it should.
    """
    _check(folder, update=update)
    held = cast("list[dict[str, object]]", org.ask("GET", _RECORDS))
    left_out = {str(each["sobject"]): str(each["reason"]) for each in held if each["reason"]}
    records: dict[str, int] = {}
    private_folder(folder.absolute().parent)
    with atomic_folder(folder.absolute()) as made:
        for name in (str(each["sobject"]) for each in held if not each["reason"]):
            table = cast("dict[str, list[object]]", org.ask("GET", f"{_RECORDS}/{name}"))
            with (made / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow(table["columns"])
                writer.writerows(cast("list[list[str]]", table["rows"]))
            records[name] = len(table["rows"])
    return Dumped(records, left_out)


def _check(folder: Path, *, update: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file.", hint="Name a folder.")
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    other = next((each for each in files if each.suffix != ".csv"), None)
    if other is not None:
        raise UsageError(
            f"{other} would be lost.", hint="Choose a folder that has only CSV files of a dump."
        )
    if files and not update:
        raise UsageError(
            f"{folder} is not empty.",
            hint="Add `--update` to replace its files, or choose another.",
        )

"""Records that the org has found, given to whatever looks for them.

Knows the file that carries them. Knows nothing of what they are looked for.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from runner.files import unwritable


class TakesRecords(Protocol):
    """What looks for records."""

    @property
    def folder(self) -> Path:
        """For a file of records."""

    def add_file(self, file: Path, *, header: bool = True) -> None:
        """Add the records of a CSV file: Id, key or keys unless that is the Id, and more."""


def add_records(lookup: TakesRecords, records: Iterable[Sequence[str | None]]) -> None:
    """Add records, each the values of `add_file`.

    Raises:
        StorageError: The disk is full.
    """
    file = lookup.folder / "found.csv"
    try:
        with file.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(records)
    except OSError as error:
        raise unwritable(file, error) from error
    lookup.add_file(file, header=False)
    file.unlink()

"""Copies of result files that a spreadsheet opens without running anything.

Knows what Excel and LibreOffice read as a formula. A copy is only for people: quoted cells have
lost their value, so the result file itself stays as it is and can be used as a source.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from runner.files import atomic_write
from runner.outcome import RunOutcome
from runner.tables.database import Database, storage_errors
from runner.tables.sources.csv_pieces import with_rows
from runner.tables.sql import copy_csv, literal
from runner.tables.staging.parts import read_header

SUFFIX = ".excel.csv"
_FORMULA = r"^[\s]*[=+\-@\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]|^[\t\r]"
"""In full width, too, which some versions read the same way."""
_NUMBER = r"^[+-]?[0-9]+([.,][0-9]+)?$"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""Without it Excel does not read a CSV file as UTF-8."""


def copies_in(folder: Path) -> tuple[Path, ...]:
    """Write a copy beside every result file in a folder: `failed.excel.csv` for `failed.csv`.

    Raises:
        StateError: A copy cannot be written.
    """
    return tuple(safe_copy(file) for file in _result_files(folder))


def copies_of_run(outcome: RunOutcome) -> None:
    """Write a copy beside every result file of a run, and of the one that was finished before it.

    Raises:
        StateError: A copy cannot be written.
    """
    tasks = [*outcome.tasks, *(outcome.resumed.tasks if outcome.resumed else ())]
    for folder in {task.results for task in tasks if task.results is not None}:
        copies_in(folder)


def safe_copy(file: Path) -> Path:
    """Write one copy: a cell that would run starts with an apostrophe; numbers are unchanged.

    Raises:
        StateError: It cannot be written.
    """
    to = file.with_name(file.name.removesuffix(".csv") + SUFFIX)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".excel-") as scratch:
        quoted = Path(scratch) / "quoted.csv"
        _quote(file, quoted, Path(scratch))
        with atomic_write(to) as beside, beside.open("wb") as target, quoted.open("rb") as source:
            target.write(_BYTE_ORDER_MARK)
            shutil.copyfileobj(source, target)
    return to


def _result_files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.glob("*.csv")) if not file.name.endswith(SUFFIX))


def _quote(file: Path, to: Path, scratch: Path) -> None:
    names = tuple(f"c{number}" for number in range(len(read_header(file))))
    if not names:
        to.write_bytes(file.read_bytes())
        return
    # The header is quoted like any row: its names may come from anyone, too.
    cells = ", ".join(
        f"CASE WHEN regexp_matches({name}, {literal(_FORMULA)}) "
        f"AND NOT regexp_matches({name}, {literal(_NUMBER)}) "
        f"THEN '''' || {name} ELSE {name} END AS {name}"
        for name in names
    )
    database = Database(scratch)
    database.make_room(len(names))

    def write(rows: str) -> None:
        query = f"SELECT {cells} FROM {rows}"
        database.connection.execute(copy_csv(query, to, header=False))

    try:
        with storage_errors(f"{to.name} cannot be written"):
            with_rows(file, names, write, header=False)
    finally:
        database.close()

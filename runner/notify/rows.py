"""The first failed rows of a task, for notices that ask for values of rows.

Knows the file of failed rows, which columns are masked, and how much of a row is shown.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from runner.csv_rows import csv_dicts
from runner.outcome import TaskOutcome
from runner.redaction import MASK, quotable, redacted, without
from runner.wording import shortened

MOST_ROWS = 5
_MOST_COLUMNS = 20
_LONGEST_CELL = 80
_HIDDEN = frozenset({"sf__Id", "sf__File", "sf__FileRow", "sf__Fields"})


def failed_rows(task: TaskOutcome, mask: Collection[str]) -> Iterator[Mapping[str, str]]:
    """The first failed rows of a task: values by column, those of `mask` masked in any case."""
    if task.results is None or not task.counts.failed:
        return
    hidden = {each.lower() for each in mask}
    try:
        with (task.results / "failed.csv").open(encoding="utf-8", newline="") as stream:
            for row in islice(csv_dicts(stream), MOST_ROWS):
                yield _row(row, hidden)
    except (OSError, UnicodeDecodeError, csv.Error):
        return  # the message says where the file should be


def _row(row: Mapping[str, str], hidden: Collection[str]) -> dict[str, str]:
    quoted = quotable(value for name, value in row.items() if _is_masked(name, hidden) and value)
    shown = [(name, value) for name, value in row.items() if name and name not in _HIDDEN]
    cells = {
        name: MASK if _is_masked(name, hidden) and value else _cell(value, quoted)
        for name, value in shown[:_MOST_COLUMNS]
    }
    message = row.get("sf__Message") or ""
    if "sf__Message" in cells and any(name in message.lower() for name in hidden):
        cells["sf__Message"] = MASK  # it may quote the value in another form
    return cells


def _is_masked(name: str | None, hidden: Collection[str]) -> bool:
    return name is not None and name.lower() in hidden


def _cell(value: str | None, quoted: Collection[str]) -> str:
    text = without(redacted(value or "", shapes=True), quoted)
    return shortened(" ".join(text.split()), _LONGEST_CELL)

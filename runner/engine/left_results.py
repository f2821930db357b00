"""Whether the result files of a finished task are as it wrote them, when its run is resumed.

Between the end of a task and that of its run the process may die, and somebody may delete or cut a
file before the run is resumed. It cannot be written again: what it was made of is deleted with the
end of the task. Knows how many rows each file has. Knows nothing of what is in them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from runner.csv_rows import csv_reader
from runner.errors import ExitCode
from runner.outcome import Counts, RowStatus, TaskOutcome, TaskStatus, exit_code_of
from runner.wording import counted


def as_left(outcome: TaskOutcome) -> TaskOutcome:
    """The outcome of a task that an earlier process finished; it says which files are not whole."""
    folder = outcome.results
    if folder is None or outcome.status is TaskStatus.ABORTED:
        return outcome
    lost = list(_lost(folder, outcome.counts))
    if not lost:
        return outcome
    return replace(
        outcome,
        message=f"its result files are not as it wrote them: {'; '.join(lost)} ({folder}).",
        hint="The counts are right; nothing has to be sent again. Restore the files if you can.",
        exit_code=exit_code_of([outcome.exit_code, ExitCode.FAILED]),
    )


def _lost(folder: Path, counts: Counts) -> Iterator[str]:
    """What is wrong with each file that is not whole."""
    unchanged = counts.unchanged  # which later tasks may have been given
    expected = {
        RowStatus.SUCCEEDED: {counts.succeeded, counts.succeeded + unchanged},
        RowStatus.FAILED: {counts.failed},
        RowStatus.IN_DOUBT: {counts.in_doubt},
        RowStatus.SKIPPED: {counts.skipped},
        RowStatus.UNPROCESSED: {counts.unprocessed},
    }
    always = {RowStatus.SUCCEEDED, RowStatus.FAILED}
    for status, numbers in expected.items():
        file = folder / f"{status}.csv"
        try:
            found = _rows_of(file)
        except FileNotFoundError:
            if status in always or 0 not in numbers:
                yield f"{file.name} is gone"
            continue
        except (OSError, csv.Error) as error:
            yield f"{file.name} cannot be read ({error})"
            continue
        if found is None:
            yield f"{file.name} is cut off"
        elif found not in numbers:
            yield f"{file.name} has {counted(found, 'row')} instead of {min(numbers):,}"


def _rows_of(file: Path) -> int | None:
    """How many rows follow the header; None if it, or the last row, is not whole."""
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(size - 1, 0))
        if stream.read(1) not in {b"\n", b"\r"}:
            return None
    with file.open(encoding="utf-8", errors="replace", newline="") as stream:
        return sum(1 for _ in csv_reader(stream)) - 1

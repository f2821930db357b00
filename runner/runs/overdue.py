"""Which jobs have not succeeded as often as their files say.

Knows which runs count, and which jobs the ledger knows. Knows nothing of how it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from runner.errors import JobError, UsageError
from runner.job.connections import target_names
from runner.job.watched_files import WatchedFile, watched_file
from runner.state.ledger import Ledger
from runner.state.run_records import RunRecord, RunState
from runner.suggest import did_you_mean


class Expectation(Struct, frozen=True):
    """A job that is expected to succeed now and then, and how it is about that."""

    file: Path
    job: str
    target: str | None
    every: timedelta
    success: RunRecord | None
    """The last run that is done; None if there never was one."""
    last: RunRecord | None
    """The newest run."""
    is_overdue: bool


def expectations_of(
    files: Sequence[Path], target: str | None, ledger: Ledger, now: datetime
) -> Iterator[Expectation]:
    """Judge jobs; one that never ran is overdue, one without `expect` is left out.

    Raises:
        JobError: A file cannot be read, or its `expect` is wrong.
        UsageError: A job has no such target, or needs one.
    """
    for file in files:
        found = watched_file(file, target)
        if found.problems:
            raise JobError(found.problems)
        _check_target(file, found, target)
        if found.expected_seconds is not None:
            yield _judged(file.absolute(), found, ledger, now)


def expectations_of_known(
    ledger: Ledger, now: datetime, left_out: list[Path]
) -> Iterator[Expectation]:
    """Judge every job that has run, on each target; files that are gone go to `left_out`.

    Raises:
        JobError: A file cannot be read, or its `expect` is wrong.
    """
    for file, target in ledger.jobs():
        if not file.exists():
            left_out.append(file)
            continue
        found = watched_file(file, target)
        if found.problems:
            raise JobError(found.problems)
        names = target_names(file)
        still_there = target in names if names else target is None
        if found.expected_seconds is not None and still_there:
            yield _judged(file, found, ledger, now)


def _check_target(file: Path, found: WatchedFile, target: str | None) -> None:
    names = target_names(file)
    if found.target in names if names else target is None:
        return
    if not names:
        raise UsageError(
            f"{file} has one connection, but target {target!r} was requested.",
            hint="Omit `--target` (or SFRUNNER_TARGET).",
        )
    known = f"Its targets are {', '.join(names)}."
    if target is None:
        raise UsageError(
            f"{file} has several targets, and none of them is the default.",
            hint=f"Choose one with `--target`. {known}",
        )
    raise UsageError(f"{file} has no target {target!r}.", hint=did_you_mean(target, names, known))


def _judged(file: Path, found: WatchedFile, ledger: Ledger, now: datetime) -> Expectation:
    success = ledger.last_success_of(file, found.target)
    last = ledger.last_run_of(file, found.target)
    every = timedelta(seconds=found.expected_seconds or 0.0)
    is_late = success is None or now > _end(success) + every
    overdue = is_late and not _is_on_time(last, success, every, now)
    return Expectation(file, found.name, found.target, every, success, last, overdue)


def _is_on_time(
    last: RunRecord | None, success: RunRecord | None, every: timedelta, now: datetime
) -> bool:
    """Whether a run is in progress that began in time, and does not take too long either."""
    if last is None or last.state is not RunState.RUNNING or now > last.started + every:
        return False
    return success is None or last.started <= _end(success) + every


def _end(run: RunRecord) -> datetime:
    return run.finished or run.started

"""A run, and the runs of a job, as one HTML file that loads nothing else.

Knows what the pages show; how they look is in `templates/`. Reads the result files of the run.
Knows nothing of where a page is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from runner.outcome import ROW_COUNTS, Counts, TaskOutcome
from runner.report import html
from runner.report.run.row_errors import RowErrors, row_errors
from runner.report.run.timeline import Timeline, timeline
from runner.report.text import meaning
from runner.state.run_records import RunRecord, RunState, TaskRecord
from runner.wording import duration, format_size

TREND = 30
"""Runs of a job that are shown."""
_FOLDER = Path(__file__).parent / "templates"
_WORDS = {"undeleted": "restored", "skipped": "left alone", "in_doubt": "in doubt"}
"""Of counts that are not called by their names."""
_LOST = ("failed", "unprocessed", "in_doubt")


class Bar(Struct, frozen=True):
    """A stretch of a bar, in percent of its length."""

    kind: str
    word: str
    rows: int
    start: float
    length: float


class File(Struct, frozen=True):
    """A file of a run."""

    name: str
    link: str
    bytes: int


class TaskPart(Struct, frozen=True):
    """A task on the page."""

    record: TaskRecord
    state: str
    outcome: TaskOutcome | None
    bars: tuple[Bar, ...]
    errors: RowErrors
    files: tuple[File, ...]


class TrendRun(Struct, frozen=True):
    """A run of the job in the trend."""

    run: RunRecord
    state: str
    kind: str
    """`good`, `partly`, `bad` or `open`."""
    seconds: float | None
    height: float
    """Of its bar, in percent of the longest."""
    read: int
    good: int
    lost: int
    calls: int


class Usage(Struct, frozen=True):
    """API calls of the org's daily limit, in the last 24 hours, and when that was counted."""

    used: int
    maximum: int


class RunFacts(Struct, frozen=True):
    """What a page shows of a run."""

    run: RunRecord
    state: str
    kind: str
    line: Timeline
    tasks: tuple[TaskPart, ...]
    usage: tuple[Usage, ...]
    """The first and the last count of the org; empty if it said none."""
    retries: tuple[str, ...]
    masked: tuple[str, ...]
    made: datetime


def facts_of(
    run: RunRecord,
    events: Sequence[Mapping[str, object]],
    beside: Path,
    made: datetime,
    masked: Sequence[str] = (),
) -> RunFacts:
    """Collect what the page shows.

    Args:
        run: With its tasks.
        events: Of its log; none if it has no log.
        beside: The folder that the page will be in, for links.
        made: The current time.
        masked: Names of columns whose values are not shown.
    """
    is_running = run.state is RunState.RUNNING
    usage = [
        Usage(used, most)
        for each in events
        if each.get("event") == "org.api_calls"
        and isinstance(used := each.get("used"), int)
        and isinstance(most := each.get("maximum"), int)
    ]
    reasons = [str(e.get("reason", "")) for e in events if e.get("event") == "request.retrying"]
    return RunFacts(
        run,
        state_of(run),
        kind_of(run),
        timeline(events, made if is_running else None),
        tuple(_part(task, run, beside, masked) for task in run.tasks),
        tuple(usage[:1] + usage[1:][-1:]),
        tuple(dict.fromkeys(reasons)),
        tuple(masked),
        made,
    )


def run_html(facts: RunFacts, trend: Sequence[RunRecord]) -> str:
    """The page of a run, with the trend of its job, the newest run first in `trend`."""
    return html.page(
        _FOLDER,
        "run",
        facts=facts,
        job=facts.run.job,
        trend=trend_of(trend),
        made=facts.made,
        duration=_took,
        size=format_size,
        share=html.share,
        peak=max(facts.line.rates, default=0.0),
    )


def history_html(job: str, runs: Sequence[RunRecord], made: datetime) -> str:
    """The page of a job's runs, the newest first."""
    return html.page(
        _FOLDER,
        "run",
        facts=None,
        job=job,
        trend=trend_of(runs),
        made=made,
        duration=_took,
        size=format_size,
        share=html.share,
        peak=0.0,
    )


def state_of(run: RunRecord) -> str:
    """How a run ended, or where it is, in a few words."""
    if run.state is RunState.RUNNING:
        return "in progress"
    if run.state is RunState.DIED or run.outcome is None:
        return "died" if not run.final else "died, abandoned"
    return meaning(run.outcome)


def kind_of(run: RunRecord) -> str:
    """The colour of a run."""
    if run.state is RunState.RUNNING:
        return "open"
    return {0: "good", 3: "partly"}.get(-1 if run.exit_code is None else int(run.exit_code), "bad")


def trend_of(runs: Sequence[RunRecord]) -> tuple[TrendRun, ...]:
    """Runs in the order of time, the newest last."""
    took = {run.run_id: _seconds(run) for run in runs}
    longest = max((each for each in took.values() if each), default=0.0)
    return tuple(_in_trend(run, took[run.run_id], longest) for run in reversed(runs))


def _in_trend(run: RunRecord, seconds: float | None, longest: float) -> TrendRun:
    counts = [task.outcome.counts for task in run.tasks if task.outcome]
    return TrendRun(
        run,
        state_of(run),
        kind_of(run),
        seconds,
        max(3.0, html.share(seconds or 0.0, longest)),
        read=sum(each.read for each in counts),
        good=sum(each.succeeded + each.written for each in counts),
        lost=sum(getattr(each, name) for each in counts for name in _LOST),
        calls=sum(task.outcome.api_calls for task in run.tasks if task.outcome),
    )


def _seconds(run: RunRecord) -> float | None:
    return (run.finished - run.started).total_seconds() if run.finished else None


def _part(task: TaskRecord, run: RunRecord, beside: Path, masked: Sequence[str]) -> TaskPart:
    outcome = task.outcome
    unended = "in progress" if run.state is RunState.RUNNING else "died"
    own = run.folder / task.name if run.folder else None
    folder = outcome.results if outcome and outcome.results else own
    files = sorted(folder.glob("*.csv")) if folder and folder.is_dir() else []
    target = Path(outcome.target) if outcome and outcome.target else None
    if target is not None and target.is_absolute() and target.is_file():
        files.append(target)
    return TaskPart(
        task,
        outcome.status.value if outcome else unended,
        outcome,
        bars(outcome.counts) if outcome else (),
        row_errors(folder, masked) if folder else RowErrors(),
        tuple(File(each.name, link(each, beside), each.stat().st_size) for each in files),
    )


def bars(counts: Counts) -> tuple[Bar, ...]:
    """Rows by outcome; one that has rows is never too small to be seen."""
    present = [(kind, _WORDS.get(kind, kind), getattr(counts, kind)) for kind in ROW_COUNTS]
    present = [each for each in present if each[2]]
    places = html.stretches([rows for _, _, rows in present])
    return tuple(Bar(*each, *place) for each, place in zip(present, places, strict=True))


def link(file: Path, beside: Path) -> str:
    """A file as seen from a folder, as a relative URL."""
    relative = os.path.relpath(file, beside)
    return quote(relative if relative.startswith("..") else f"./{relative}")


def _took(seconds: float | None) -> str:
    return "-" if seconds is None else duration(seconds)

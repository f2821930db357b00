"""Reads a test file: the tests of one job, typed.

Knows what a test file says and that the files it names exist. Knows nothing of how a test is run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from runner.diagnostics import Diagnostic, Location
from runner.errors import JobError
from runner.job import notation, soql
from runner.job.documents import in_order, load_checked
from runner.job.origin import AT_KEY, Origin
from runner.job.partial_job import as_list
from runner.job.yaml.document import Document

SUFFIXES = (".test.yaml", ".test.yml")
"""How the names of test files end."""

EACH = "each"
"""After each API request of a run."""
Scalar = str | int | float | bool | None


class InlineRows(Struct, frozen=True):
    """Rows that are written in the test file."""

    rows: tuple[Mapping[str, Scalar], ...]
    path: Location
    """Where in the file."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column, in the order in which they first appear."""
        return tuple(dict.fromkeys(name for row in self.rows for name in row))


Table = InlineRows | Path
"""Rows, or the absolute path of a file."""


class Given(Struct, frozen=True):
    """What a test starts from."""

    org: Path | None = None
    """None: the org file of the job's connection."""
    seed: Mapping[str, Table] = field(default_factory=dict)
    sources: Mapping[str, Table] = field(default_factory=dict)
    params: tuple[str, ...] = ()
    """As on the command line: `day=2026-01-31`."""
    target: str | None = None
    faults: tuple[Mapping[str, object], ...] = ()
    now: datetime | None = None
    """What the org and expressions take for the present; None: the real time."""
    path: Mapping[str, Location] = field(default_factory=dict)
    """Where each key is: in the test, or shared by all."""


class FailedRow(Struct, frozen=True):
    """A row that must fail."""

    task: str
    row: int
    code: str | None = None
    """None: any."""


class Records(Struct, frozen=True):
    """A query, and the rows that it must give."""

    query: str
    rows: Table
    path: Location


class Expected(Struct, frozen=True):
    """What must be true after the last run."""

    path: Location
    exit: int | None = 0
    """None: not compared, because the snapshot has it."""
    tasks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    failed: tuple[FailedRow, ...] | None = None
    """None: not compared."""
    records: tuple[Records, ...] = ()
    files: Mapping[str, Table] = field(default_factory=dict)
    """By the path as in the job."""
    max_requests: int | None = None
    untouched: tuple[str, ...] = ()
    snapshot: Path | None = None
    """The file with what the runs did; None: not compared."""


class JobTest(Struct, frozen=True):
    """One test of a job."""

    name: str
    origin: Origin
    """The test file."""
    path: Location
    """Where the test is in it."""
    job: Path
    given: Given
    runs: int
    """How often the job runs to its end; the last run is compared."""
    killed_after: int | None
    """API requests after which the process of a run before that is killed; None: none is."""
    killed_after_each: bool
    """Whether the test is repeated, with the process killed after one more request each time."""
    expected: Expected

    @property
    def folder(self) -> Path:
        """The folder that the file's paths are relative to."""
        return self.origin.file.absolute().parent


def load_tests(file: Path) -> tuple[JobTest, ...]:
    """Read the tests of a file, in their order.

    Raises:
        JobError: The file has problems; the error carries all of them, sorted.
    """
    document = load_checked(file, "test")
    values, origin = document.values, document.origin
    written: Any = values
    job = _job_of(file, written.get("job"))
    shared = written.get("given", {})
    problems = [*_job_problems(origin, job), *_impossible_days(written, origin)]
    tests = [_test(each, at, origin, job, shared) for at, each in enumerate(written["tests"])]
    problems += _repeated(tests)
    problems += [found for test in tests for found in _problems(test)]
    if problems:
        raise JobError(in_order(problems))
    return tuple(tests)


def _job_of(file: Path, named: str | None) -> Path:
    if named is not None:
        return file.parent / named
    return file.with_name(_name_of(file) + file.suffix)


def own_snapshot(file: Path) -> Path:
    """Where the snapshots of a test file are, unless it says something else; absolute."""
    return file.absolute().with_name(f"{_name_of(file)}.test.snap{file.suffix}")


def _name_of(file: Path) -> str:
    """The file's name without what says that it has tests."""
    suffix = next((each for each in SUFFIXES if file.name.endswith(each)), file.suffix)
    return file.name.removesuffix(suffix)


def _job_problems(origin: Origin, job: Path) -> Iterator[Diagnostic]:
    if not job.is_file():
        hint = "name the job: `job: accounts.yaml`"
        yield origin.diagnose(("job",), "test/no-job", f"there is no job {job}", help=hint)


def _test(
    values: Mapping[str, Any], at: int, origin: Origin, job: Path, shared: Mapping[str, Any]
) -> JobTest:
    path: Location = ("tests", at)
    folder = origin.file.absolute().parent
    when = values.get("when")
    after = when["killed_after_requests"] if isinstance(when, Mapping) else None
    return JobTest(
        values["name"],
        origin,
        path,
        job,
        _given(shared, values.get("given", {}), (*path, "given"), folder),
        2 if when == "run twice" else 1,
        after if isinstance(after, int) else None,
        after == EACH,
        _expected(values["expect"], (*path, "expect"), origin.file.absolute()),
    )


def _given(
    shared: Mapping[str, Any], own: Mapping[str, Any], path: Location, folder: Path
) -> Given:
    """What all tests of the file share, and what this one has instead or besides."""
    places = {key: ("given", key) for key in shared} | {key: (*path, key) for key in own}
    merged = {**shared, **own}
    tables: dict[str, dict[str, Table]] = {"seed": {}, "sources": {}}
    for values, place in ((shared, ("given",)), (own, path)):
        for key, found in tables.items():
            for name, value in values.get(key, {}).items():
                found[name] = _table(value, (*place, key, name), folder)
    params = {**shared.get("params", {}), **own.get("params", {})}
    return Given(
        notation.path_from(merged["org"], folder) if "org" in merged else None,
        tables["seed"],
        tables["sources"],
        tuple(f"{name}={_text(value)}" for name, value in params.items()),
        merged.get("target"),
        tuple(merged.get("faults", ())),
        _moment(merged["today"]) if "today" in merged else None,
        places,
    )


def _moment(text: str) -> datetime | None:
    """A day at noon, which is the same day in nearly every time zone, or a moment.

    None if it is not in the calendar.
    """
    try:
        found = datetime.fromisoformat(text if "T" in text else f"{text}T12:00")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _impossible_days(values: Mapping[str, Any], origin: Origin) -> Iterator[Diagnostic]:
    given: list[tuple[Location, Any]] = [(("given",), values.get("given", {}))]
    for at, test in enumerate(values["tests"]):
        given.append((("tests", at, "given"), test.get("given", {})))
    for path, each in given:
        if "today" in each and _moment(each["today"]) is None:
            message = f"there is no such day or time: {each['today']}"
            hint = "write it like 2026-01-31"
            yield origin.diagnose((*path, "today"), "test/bad-today", message, help=hint)


def _text(value: object) -> str:
    """A param's value as on the command line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _expected(values: Mapping[str, Any], path: Location, file: Path) -> Expected:
    folder, snapshot = file.parent, None
    if "snapshot" in values:
        named = values["snapshot"]
        snapshot = own_snapshot(file) if named is True else notation.path_from(named, folder)
    records = enumerate(values.get("records", ()))
    files = values.get("files", {}).items()
    failed = values.get("failed")
    return Expected(
        path,
        values.get("exit", None if snapshot else 0),
        values.get("tasks", {}),
        None if failed is None else tuple(FailedRow(**each) for each in failed),
        tuple(
            Records(
                each["query"],
                _table(each["rows"], (*path, "records", at, "rows"), folder),
                (*path, "records", at),
            )
            for at, each in records
        ),
        {name: _table(each, (*path, "files", name), folder) for name, each in files},
        values.get("max_requests"),
        tuple(values.get("untouched", ())),
        snapshot,
    )


def _table(value: str | Sequence[Mapping[str, Scalar]], path: Location, folder: Path) -> Table:
    if isinstance(value, str):
        return notation.path_from(value, folder)
    return InlineRows(tuple(value), path)


def _repeated(tests: Sequence[JobTest]) -> Iterator[Diagnostic]:
    for at, test in enumerate(tests):
        if any(test.name == each.name for each in tests[:at]):
            message = f"there is another test named {test.name!r}"
            hint = "give each test a name of its own"
            path = (*test.path, "name")
            yield test.origin.diagnose(path, "test/repeated-name", message, help=hint)


def _problems(test: JobTest) -> Iterator[Diagnostic]:
    """Files that are not there, and queries that are not SOQL."""
    given, expected = test.given, test.expected
    named: list[tuple[Location, Table]] = []
    if given.org is not None:
        named.append((given.path["org"], given.org))
    for key, tables in (("seed", given.seed), ("sources", given.sources)):
        for name, table in tables.items():
            own = (*test.path, "given", key, name)
            place = own if own in test.origin.positions else ("given", key, name)
            named.append((place, table))
    named += [((*each.path, "rows"), each.rows) for each in expected.records]
    named += [((*expected.path, "files", name), table) for name, table in expected.files.items()]
    for path, table in named:
        if isinstance(table, Path) and not table.is_file():
            message = f"there is no file {table}"
            hint = "paths are relative to the test file"
            yield test.origin.diagnose(path, "test/no-file", message, help=hint)
    for each in expected.records:
        yield from _query_problems(each, test.origin)


def _query_problems(records: Records, origin: Origin) -> Iterator[Diagnostic]:
    from runner.job.checks.soql_messages import syntax_problem  # noqa: PLC0415 - few tests need it

    path = (*records.path, "query")
    error = soql.syntax_error(records.query)
    if not soql.is_select(records.query):
        message, hint = "a query must begin with SELECT", "write SELECT fields FROM object"
        yield origin.diagnose(path, "test/not-soql", message, help=hint)
    elif error is not None:
        from runner.job.text_position import narrowed  # noqa: PLC0415

        message, hint, start, end = syntax_problem(records.query, error)
        found = origin.diagnose(path, "test/soql-syntax", message, help=hint)
        yield narrowed(found, origin, records.query, start, end)


def with_sources(
    document: Document, sources: Mapping[str, Table], files: Mapping[str, Path]
) -> Document:
    """A job with the rows of a test in place of the sources of its tasks.

    Args:
        document: The job, with one task for each item of `for_each`.
        sources: Rows or files, by the name of the task.
        files: Where those that are rows were written.
    """
    tasks = list(as_list(document.values.get("tasks")))
    positions = dict(document.origin.positions)
    for at, task in enumerate(tasks):
        if not isinstance(task, dict) or "from" not in task or task.get("name") not in sources:
            continue
        name = str(task["name"])
        tasks[at] = {**task, "from": _source(task["from"], sources[name], files.get(name))}
        place: Location = ("tasks", at, "from")
        # What is said of the source that is not read is no longer there.
        kept = {*tasks[at]["from"], AT_KEY}
        positions = {
            path: where
            for path, where in positions.items()
            if path[:3] != place or path == place or path[3] in kept
        }
    origin = replace(document.origin, positions=positions)
    return replace(document, values={**document.values, "tasks": tasks}, origin=origin)


_OF_VALUES = ("decimal", "numbers", "nulls", "dates", "datetimes")
"""Keys of a source that say how values are written, in whatever file."""


def _source(written: object, table: Table, file: Path | None) -> dict[str, object]:
    """What `from` says of the new file: of rows in the test file, how values are written alone."""
    options = written if isinstance(written, dict) else {}
    if file is None:
        kept = options if "file" in options else _values_of(options)
        return {**kept, "file": str(table)}
    if file.suffix != ".csv":
        return {"file": str(file)}
    return {**_values_of(options), "file": str(file), "delimiter": "comma"}


def _values_of(options: Mapping[str, object]) -> dict[str, object]:
    if "file" not in options:
        return {}
    return {key: options[key] for key in _OF_VALUES if key in options}

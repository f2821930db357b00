"""Compares what a test expects with what its run did.

Knows every expectation. Knows nothing of how the job was run.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from difflib import ndiff, unified_diff
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from runner.csv_rows import csv_dicts, csv_reader
from runner.diagnostics import Diagnostic, Location
from runner.errors import JobError, RunnerError
from runner.job import notation, soql
from runner.job.endpoints import Compression, FileFormat, FileShape, FileTarget
from runner.job.job_tests import InlineRows, JobTest, Records, Table
from runner.job.model import Job, QueryTask
from runner.local_org.api_errors import ApiRefusal
from runner.outcome import RunOutcome, TaskOutcome
from runner.runs.isolated_job import Sandbox
from runner.runs.job_test_org import FreshOrg, cell_text
from runner.runs.job_test_org import Records as Stored
from runner.runs.job_test_untouched import changed_records
from runner.suggest import did_you_mean
from runner.verdict import Difference
from runner.wording import counted

_MOST_LINES = 40
"""Lines that are shown of one difference."""
_MOST_ERRORS = 5
_UNDECLARED = ("org/unknown-field", "org/unknown-object", "org/unknown-relationship")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")


class Ran(Struct, frozen=True):
    """What became of the last run of a test."""

    exit: int
    outcome: RunOutcome | None = None
    error: RunnerError | None = None
    """Why it did not start."""
    requests: int = 0
    before: Mapping[str, Stored] = field(default_factory=dict)
    """Records of the objects that must be untouched, as they were before the first run."""

    @property
    def tasks(self) -> Mapping[str, TaskOutcome]:
        """The tasks by name."""
        return {each.name: each for each in self.outcome.tasks} if self.outcome else {}


def unknown_objects(test: JobTest, org: FreshOrg) -> Iterator[Diagnostic]:
    """Names in `untouched` that are no objects of the org."""
    for at, name in enumerate(test.expected.untouched):
        if name not in org.objects:
            path = (*test.expected.path, "untouched", at)
            message, hint = f"the org has no object {name}", did_you_mean(name, org.objects)
            yield test.origin.diagnose(
                path, "test/unknown-object", message, help=hint or "declare it in the org file"
            )


class Checks(Struct, frozen=True):
    """Everything that one test compares."""

    test: JobTest
    job: Job
    ran: Ran
    org: FreshOrg
    sandbox: Sandbox

    def differences(self) -> Iterator[Difference]:
        """What is not as expected, in the order of the expectations.

        Raises:
            JobError: An expectation makes no sense; for example, the org refuses its query.
        """
        yield from self._exit()
        yield from self._counts()
        yield from self._failed()
        for each in self.test.expected.records:
            yield from self._records(each)
        for name, table in self.test.expected.files.items():
            yield from self._file(name, table)
        yield from self._requests()
        yield from self._untouched()

    def _at(
        self,
        keys: Location,
        expected: object,
        actual: object,
        lines: Iterable[str] = (),
        what: str | None = None,
    ) -> Difference:
        """A difference at a key below `expect`, or at the nearest one around it."""
        origin, path = self.test.origin, (*self.test.expected.path, *keys)
        is_written = path in origin.positions
        at = path if is_written else self.test.expected.path
        position = origin.diagnose(at, "", "", at_key=not is_written).position
        line = position.line if position else None
        shown = what or ".".join(map(str, keys))
        cut = list(lines)
        if len(cut) > _MOST_LINES:
            cut = [*cut[:_MOST_LINES], f"  and {len(cut) - _MOST_LINES:,} more lines"]
        return Difference(shown, origin.file, line, str(expected), str(actual), tuple(cut))

    def _exit(self) -> Iterator[Difference]:
        expected = self.test.expected.exit
        if expected is not None and self.ran.exit != expected:
            yield self._at(("exit",), expected, self.ran.exit, self._what_happened())

    def _what_happened(self) -> Iterator[str]:
        """Why the run ended as it did."""
        if self.ran.error is not None:
            yield f"  {self.ran.error.message}"
            if isinstance(self.ran.error, JobError):
                yield from (f"  {each.message}" for each in self.ran.error.diagnostics)
                if self._lacks_org_file(self.ran.error):
                    yield (
                        "  The test's org has only standard objects and fields; "
                        "name your own: `given: {org: org.yaml}`"
                    )
        for name, task in self.ran.tasks.items():
            if task.message:
                yield f"  {name}: {task.message}"
            for code, message, rows, first in task.top_errors[:_MOST_ERRORS]:
                count = counted(rows, "row")
                yield f"  {name}: {count}, first row {first}: {code}: {message}"
            yield from (f"  {name}: {each.message}" for each in task.problems)

    def _lacks_org_file(self, error: JobError) -> bool:
        is_of_org = any(each.code in _UNDECLARED for each in error.diagnostics)
        named = self.test.given.org or self.job.connection.org_file
        return is_of_org and named is None

    def _counts(self) -> Iterator[Difference]:
        for name, counts in self.test.expected.tasks.items():
            task = self.ran.tasks.get(name)
            for key, expected in counts.items():
                actual = "the task did not run" if task is None else getattr(task.counts, key)
                if actual != expected:
                    yield self._at(("tasks", name, key), expected, actual)

    def _failed(self) -> Iterator[Difference]:
        expected = self.test.expected.failed
        if expected is None:
            return
        actual = [row for task in self.ran.tasks.values() for row in failed_rows(task)]
        codes = {(each.task, each.row): each.code for each in expected}
        wanted = sorted(
            f"task {each.task}, row {each.row}" + (f", {each.code}" if each.code else "")
            for each in expected
        )
        found = sorted(
            f"task {task}, row {row}" + (f", {code}" if codes.get((task, row), "") else "")
            if (task, row) in codes
            else f"task {task}, row {row}, {code}"
            for task, row, code, _ in actual
        )
        if wanted != found:
            actual_count = counted(len(found), "row") if len(found) != len(wanted) else "other rows"
            yield self._at(
                ("failed",), counted(len(wanted), "row"), actual_count, _line_diff(wanted, found)
            )

    def _records(self, records: Records) -> Iterator[Difference]:
        path = records.path
        try:
            answer = self.org.query(records.query)
        except ApiRefusal as refusal:
            error = refusal.errors[0]
            # The lines before the last one show the place in the query.
            reason = f"{error.code}: {error.message.splitlines()[-1]}"
            raise self._broken(
                (*path, "query"), "test/refused-query", reason,
                "fix the query, or the org file",
            ) from refusal  # fmt: skip
        columns, wanted = self._expected_rows(records.rows, path)
        columns = columns or answer.columns  # no rows are expected: those that are there are shown
        known = {each.lower(): each for each in answer.columns}
        for each in columns:
            if each.lower() not in known:
                hint = did_you_mean(each, answer.columns, f"it gives {', '.join(answer.columns)}")
                message = f"the query does not return the column {each!r}"
                raise self._broken((*path, "rows"), "test/unknown-column", message, hint)
        found = [[row.get(known[each.lower()]) for each in columns] for row in answer.rows]
        query = soql.parsed(records.query)
        is_ordered = query is not None and bool(query.order)
        what = f"records of {' '.join(records.query.split())}"
        keys = ("records", path[-1])
        numbers = _numeric_columns(found)
        yield from self._table(
            keys, what, columns, wanted, found, numbers=numbers, ordered=is_ordered
        )

    def _table(  # noqa: PLR0913 - two tables, and where the expected one is
        self,
        keys: Location,
        what: str,
        columns: Sequence[str],
        wanted: Sequence[Sequence[object]],
        found: Sequence[Sequence[object]],
        *,
        numbers: Collection[int],
        ordered: bool,
    ) -> Iterator[Difference]:
        left, right = _as_lines(wanted, numbers), _as_lines(found, numbers)
        if not ordered:
            left, right = sorted(left), sorted(right)
        if left != right:
            head = f"  {' | '.join(columns)}"
            lines = [head, *_line_diff(left, right)] if columns else ()
            actual = counted(len(found), "row") if len(found) != len(wanted) else "other values"
            yield self._at(keys, counted(len(wanted), "row"), actual, lines, what)

    def _expected_rows(
        self, table: Table, path: Location
    ) -> tuple[tuple[str, ...], list[list[object]]]:
        if isinstance(table, InlineRows):
            columns = table.columns
            return columns, [[row.get(name) for name in columns] for row in table.rows]
        try:
            with table.open(encoding="utf-8-sig", newline="") as stream:
                reader = csv_reader(stream, strict=True)
                header = next(reader, [])
                return tuple(header), [list(row) for row in reader if row]
        except (csv.Error, UnicodeDecodeError, OSError) as error:
            message = f"{table} is not a CSV file in UTF-8: {error}"
            raise self._broken(path, "test/bad-file", message, "write it as CSV") from error

    def _file(self, name: str, table: Table) -> Iterator[Difference]:
        keys: Location = ("files", name)
        named = Path(name) if name == "-" else notation.path_from(name, self.job.folder)
        file = self.sandbox.path(named)
        what = f"file {name}"
        if not file.is_file():
            written = [name for name, _ in self.sandbox.written(self.job.folder)]
            wrote = f"the job wrote {', '.join(written)}" if written else "the job wrote no file"
            yield self._at(keys, "a file", "no file", [f"  {wrote}"], what)
        elif isinstance(table, InlineRows):
            yield from self._rows_of_file(keys, named, file, table)
        elif (wanted := table.read_bytes()) != (found := file.read_bytes()):
            lines = _byte_diff(wanted, found)
            folder = self.test.folder
            shown = table.relative_to(folder) if table.is_relative_to(folder) else table
            yield self._at(keys, f"the content of {shown}", "other content", lines, what)

    def _rows_of_file(
        self, keys: Location, named: Path, file: Path, table: InlineRows
    ) -> Iterator[Difference]:
        shape = _shape_of(self.job, named)
        if shape is None or shape.format is not FileFormat.CSV or shape.compression is not _PLAIN:
            message = "only a plain CSV file can be compared with rows"
            path = (*self.test.expected.path, *keys)
            raise self._broken(path, "test/not-csv", message, "name a file with its content")
        with file.open(encoding=shape.encoding, newline="") as stream:
            reader = csv_reader(stream, delimiter=shape.delimiter, quotechar=shape.quote)
            columns, found = next(reader, []), [list(row) for row in reader]
        wanted = [[row.get(each) for each in table.columns] for row in table.rows]
        if table.rows and list(table.columns) != columns:
            expected, actual = ", ".join(table.columns), ", ".join(columns)
            what = f"file {keys[-1]}"
            yield self._at(keys, f"columns {expected}", f"columns {actual}", what=what)
        else:
            numbers, what = _numeric_columns(wanted), f"file {keys[-1]}"
            yield from self._table(
                keys, what, columns, wanted, found, numbers=numbers, ordered=True
            )

    def _requests(self) -> Iterator[Difference]:
        most = self.test.expected.max_requests
        if most is not None and self.ran.requests > most:
            yield self._at(("max_requests",), f"at most {most}", self.ran.requests)

    def _untouched(self) -> Iterator[Difference]:
        for at, name in enumerate(self.test.expected.untouched):
            before, after = self.ran.before[name], self.org.records(name)
            if before != after:
                created = len(after.keys() - before.keys())
                changed = sum(after.get(each, row) != row for each, row in before.items())
                actual = f"{created:,} created, {changed:,} changed or deleted"
                what, lines = f"untouched: {name}", changed_records(before, after)
                yield self._at(("untouched", at), "no change", actual, lines, what)

    def _broken(self, path: Location, code: str, message: str, hint: str | None) -> JobError:
        return JobError((self.test.origin.diagnose(path, code, message, help=hint),))


_PLAIN = Compression.NONE


def _shape_of(job: Job, path: Path) -> FileShape | None:
    """How the job writes a file."""
    queries = [task for task in job.tasks if isinstance(task, QueryTask)]
    targets = [target for task in queries for target in task.targets]
    found = (each.shape for each in targets if isinstance(each, FileTarget) and each.path == path)
    return next(found, None)


def failed_rows(task: TaskOutcome) -> Iterator[tuple[str, int, str, str]]:
    """The failed rows of a task: its name, the row's number, the code, the message."""
    file = task.results / "failed.csv" if task.results else None
    if file is None or not file.is_file():
        return
    with file.open(encoding="utf-8", newline="") as stream:
        for row in csv_dicts(stream):
            yield task.name, int(row["sf__Row"]), row["sf__Code"], row["sf__Message"]


def _numeric_columns(rows: Sequence[Sequence[object]]) -> frozenset[int]:
    """Columns with a number, in which 1.0 is 1."""
    return frozenset(at for row in rows for at, cell in enumerate(row) if _is_number(cell))


def _as_lines(rows: Sequence[Sequence[object]], numbers: Collection[int]) -> list[str]:
    return [
        " | ".join(_number(cell) if at in numbers else _cell(cell) for at, cell in enumerate(row))
        for row in rows
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: Any) -> str:  # noqa: ANN401 - of JSON
    if value is None or isinstance(value, str | int | float | bool):
        return cell_text(value)
    return str(value)


def _number(value: object) -> str:
    text = _cell(value)
    if _LEADING_ZERO.match(text):
        return text  # 007 is a code, and another one than 7
    try:
        return f"{Decimal(text).normalize():f}"
    except InvalidOperation:
        return text


def _line_diff(wanted: Sequence[str], found: Sequence[str]) -> list[str]:
    return [line for line in ndiff(wanted, found) if not line.startswith("?")]


def _byte_diff(wanted: bytes, found: bytes) -> list[str]:
    try:
        left, right = wanted.decode().splitlines(), found.decode().splitlines()
    except UnicodeDecodeError:
        return ["  the files are not text"]
    changes = list(unified_diff(left, right, n=1, lineterm=""))[2:]
    lines = [f"{each[:1]} {each[1:]}" for each in changes if not each.startswith("@@")]
    return lines or ["  only the line ends differ"]

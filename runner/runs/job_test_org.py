"""The local org of one test: in this process, empty but for its seeds.

Knows how an org is founded and asked. Knows nothing of what a test expects.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import cast

from msgspec import Struct

from runner.csv_rows import csv_reader
from runner.diagnostics import Diagnostic
from runner.errors import JobError
from runner.job.job_tests import InlineRows, JobTest, Scalar, Table
from runner.job.origin import Origin
from runner.local_org import exact_numbers
from runner.local_org.app import Server, Template, new_org, template
from runner.local_org.catalog.section import DeclarationError, Problem
from runner.local_org.fault_injection.active import FaultRules
from runner.local_org.org import Clock, Org
from runner.local_org.running_server import digest_of
from runner.local_org.seeding import SeedError, load_seeds
from runner.local_org.soql import prepare
from runner.local_org.store import quoted
from runner.local_org.usage import ApiUsage
from runner.redaction import forget_secret
from runner.runs.local_org_process import declared_org
from runner.suggest import did_you_mean

Cells = Mapping[str, object]
BLANK = (None, "", False)
"""What a field holds that was given no value."""
"""A record: its values by column, those of parents as `Account.Name`."""
Records = Mapping[str, Cells]
"""Records of one object, by Id."""


class Answer(Struct, frozen=True):
    """The records of a query."""

    columns: tuple[str, ...]
    rows: tuple[Cells, ...]


class FreshOrg:
    """An org that a test runs on, and what it says of its records."""

    def __init__(self, org: Org) -> None:
        self._org = org

    @property
    def objects(self) -> list[str]:
        """Names of its objects."""
        return [each.name for each in self._org.catalog.sobjects]

    @property
    def now(self) -> datetime:
        """What time it is by its clock."""
        return self._org.clock()

    @property
    def user_id(self) -> str:
        """Its user, who runs the job."""
        return self._org.user.id

    @property
    def requests(self) -> int:
        """API requests so far."""
        return self._org.part(ApiUsage).used

    def on_answer(self, act: Callable[[], None] | None) -> None:
        """Act each time an API request was answered, before the answer is sent; None: no more."""
        self._org.part(ApiUsage).on_answer = act

    def end_faults(self) -> None:
        """Let queries see what there is."""
        self._org.part(FaultRules).remove()

    def query(self, text: str) -> Answer:
        """Run a query.

        Raises:
            ApiRefusal: It is refused, in Salesforce's words.
        """
        org = self._org
        prepared = prepare(org, text, user=org.user, version=org.settings.max_version)
        columns = tuple(".".join(note.path) for note in prepared.notes)
        with org.store.reading() as conn:
            if prepared.count_only:
                return Answer(("count",), ({"count": prepared.total(conn)},))
            rows = tuple(dict(_flat(record)) for record in prepared.execute(conn))
        return Answer(columns, rows)

    def column_names(self, sobject: str) -> Mapping[str, str]:
        """Columns of an object by the folded names of its fields and of its relationships."""
        known = next(each for each in self._org.catalog.sobjects if each.name == sobject)
        names = {each.name.casefold(): each.name for each in known.fields}
        parents = (each for each in known.fields if each.relationship_name)
        return {**{str(each.relationship_name).casefold(): each.name for each in parents}, **names}

    def records(self, sobject: str) -> Records:
        """Every stored record of an object with its fields, deleted ones too, by Id."""
        known = next(each for each in self._org.catalog.sobjects if each.name == sobject)
        booleans = {each.name for each in known.fields if each.soap_type == "xsd:boolean"}
        with self._org.store.reading() as conn:
            found = conn.execute(f"SELECT * FROM {quoted(sobject)}")  # noqa: S608 - a known object
            names = [column[0] for column in found.description]
            rows = (dict(zip(names, row, strict=True)) for row in found)
            return {
                str(row["Id"]): {
                    name: bool(value) if name in booleans and value is not None else _exact(value)
                    for name, value in row.items()
                }
                for row in rows
            }


def _flat(record: Mapping[str, object], before: str = "") -> Iterator[tuple[str, object]]:
    for key, value in record.items():
        if key == "attributes":
            continue
        if isinstance(value, dict) and "attributes" in value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", _exact(value)


def _exact(value: object) -> object:
    """A number that a double cannot hold as what it is."""
    if isinstance(value, str) and exact_numbers.is_marked(value):
        return exact_numbers.exact(value)
    return value


@contextmanager
def serving(
    test: JobTest, org_file: Path | None, folder: Path, scratch: Path, age: timedelta = timedelta()
) -> Iterator[FreshOrg]:
    """A new org that answers until the block ends.

    Args:
        test: Whose seeds and faults it gets.
        org_file: What it has besides the standard objects.
        folder: Where it is stored, and found by the runs.
        scratch: For files of seeds.
        age: How long before the test its first records were created.

    Raises:
        JobError: The org file, a seed or a fault is wrong.
    """
    values, origin, template = _template(org_file, _digest(org_file))
    given = test.given
    seeds = {name: _seed_file(name, table, scratch) for name, table in given.seed.items()}
    own = values.get("seed", {})
    shared = cast("list[object]", values.get("faults", []))
    declared = {
        "version": 1,
        **values,
        "seed": {**cast("Mapping[str, str]", own), **{key: str(at) for key, at in seeds.items()}},
        "faults": [*shared, *given.faults],
    }
    try:
        org = new_org(folder, template, declared, org_file)
    except DeclarationError as error:
        raise JobError(
            tuple(_impossible(each, test, origin, len(shared)) for each in error.problems)
        ) from error
    if given.now is not None and isinstance(org.clock, Clock):
        org.clock.ahead = given.now - org.clock()
    try:
        with Server(org) as server:
            try:
                _load_aged_seeds(org, age)
                yield FreshOrg(org)
            except SeedError as error:
                raise JobError((_seed_problem(test, seeds, error, FreshOrg(org)),)) from error
            finally:
                forget_secret(server.access_token)
    finally:
        org.store.close()


def _load_aged_seeds(org: Org, age: timedelta) -> None:
    if not age or not isinstance(org.clock, Clock):
        load_seeds(org)
        return
    org.clock.ahead -= age
    try:
        load_seeds(org)
    finally:
        org.clock.ahead += age


def _digest(org_file: Path | None) -> str | None:
    """None too for a file that cannot be read: reading it says why."""
    try:
        return digest_of(org_file)
    except OSError:
        return None


@lru_cache(maxsize=8)
def _template(
    org_file: Path | None, _content: str | None
) -> tuple[Mapping[str, object], Origin, Template]:
    """The content of an org file and the org that it declares, made once for all tests of it."""
    values, origin = declared_org(org_file)
    try:
        return values, origin, template({"version": 1, **values}, org_file)
    except DeclarationError as error:
        raise JobError(
            tuple(
                origin.diagnose(each.path, "org/impossible", each.message)
                for each in error.problems
            )
        ) from error


def _impossible(problem: Problem, test: JobTest, origin: Origin, shared: int) -> Diagnostic:
    """What an org cannot have, in the org file or among the faults of the test after those."""
    match problem.path:
        case ("faults", int(at), *inside) if at >= shared:
            path = (*test.given.path["faults"], at - shared, *inside)
            return test.origin.diagnose(path, "org/impossible", problem.message)
    return origin.diagnose(problem.path, "org/impossible", problem.message)


def _seed_file(name: str, table: Table, folder: Path) -> Path:
    if isinstance(table, Path):
        return table
    return write_csv(table, folder / f"seed-{name}.csv")


def write_csv(rows: InlineRows, file: Path, columns: Sequence[str] | None = None) -> Path:
    """Write rows as a CSV file; no rows and no columns give an empty one.

    Args:
        rows: The rows.
        file: Where.
        columns: In which order; by default those of the rows.
    """
    columns = rows.columns if columns is None else columns
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        if columns:
            writer.writerow(columns)
        writer.writerows([cell_text(row.get(name)) for name in columns] for row in rows.rows)
    return file


def write_table(rows: InlineRows, columns: Sequence[str], file: Path) -> Path:
    """Write rows as a file that a job can read, whose name gets an extension.

    A CSV file without rows still needs its header: where no column is known it is JSON.
    """
    if columns:
        return write_csv(rows, file.with_suffix(".csv"), columns)
    empty = file.with_suffix(".json")
    empty.write_text("[]", encoding="utf-8")
    return empty


def cell_text(value: Scalar) -> str:
    """A value as a CSV file has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _seed_problem(
    test: JobTest, seeds: Mapping[str, Path], error: SeedError, org: FreshOrg
) -> Diagnostic:
    """What is wrong with a seed, at its row in the test file if it is there."""
    name = next((each for each, path in seeds.items() if path == error.path), None)
    table = test.given.seed.get(name) if name is not None else None
    if isinstance(table, InlineRows):
        if name is not None and name not in org.objects:
            hint = did_you_mean(name, org.objects, "declare it in the org file")
            return test.origin.diagnose(
                table.path, "test/bad-seed", error.message, help=hint, at_key=True
            )
        path = table.path
        with suppress(StopIteration):
            path = (*table.path, next(_row_at(error)))
        return test.origin.diagnose(path, "test/bad-seed", error.message, help="fix the row")
    place = test.given.path.get("seed", test.given.path.get("org", test.path))
    return test.origin.diagnose(place, "test/bad-seed", str(error), help="fix the seed")


def _row_at(error: SeedError) -> Iterator[int]:
    """The index of the row that ends at the line of an error."""
    with error.path.open(encoding="utf-8", newline="") as stream:
        reader = csv_reader(stream)
        next(reader)
        for at, _ in enumerate(reader):
            if reader.line_num == error.line:
                yield at

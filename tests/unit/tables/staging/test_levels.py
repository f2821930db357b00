"""Rows that name others of the same source get levels: parents first."""

import pytest

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.staging.levels import (
    OwnParents,
    level_sizes,
    number_levels,
    reject_circles,
    rows_of_level,
)
from runner.tables.staging.rows import StagedRows

KEY, BOSS, HOME = "Key__c", "Boss__r.Key__c", "Home__r.Key__c"


@pytest.fixture
def numbered(tmp_path):
    """Stage rows of key, boss and home, and number their levels."""
    made = []

    def stage(*rows, tells_case=False, kind=FieldKind.TEXT):
        file = tmp_path / "rows.csv"
        file.write_text("".join(f"{row}\n" for row in ("k,b,h", *rows)), encoding="utf-8")
        staging = StagedRows(tmp_path / "staging")
        made.append(staging)
        staging.load(FileSource(file, FileShape(FileFormat.CSV)))
        names = {KEY: "k", BOSS: "b", HOME: "h"}
        staging.map([MappedColumn(field, column, kind) for field, column in names.items()])
        parents = OwnParents(KEY, kind, tells_case, (BOSS, HOME))
        return staging, parents, number_levels(staging, parents)

    yield stage
    for staging in made:
        staging.discard()


def levels(staging):
    rows = staging.database.connection.execute("SELECT row, level FROM levels ORDER BY row")
    return [level for _, level in rows.fetchall()]


def problems(staging):
    relations = (each.rejected_rows() for each in staging.chunks if each.problems)
    connection = staging.database.connection
    found = [row for each in relations for row in connection.execute(f"FROM {each}").fetchall()]
    return {row: problem.split("\x1f")[2] for row, problem in sorted(found)}


def test_the_higher_of_two_parents_counts(numbered):
    staging, _, count = numbered("d,a,c", "c,b,", "b,a,", "a,,", "e,x,#N/A")
    assert (count, levels(staging)) == (4, [3, 2, 1, 0, 0])
    assert level_sizes(staging) == [2, 1, 1, 1]


@pytest.mark.parametrize(
    ("tells_case", "kind", "rows", "expected"),
    [
        (False, FieldKind.TEXT, ("A,,", "b, a ,"), [0, 1]),
        (True, FieldKind.TEXT, ("A,,", "b,a,"), [0, 0]),
        (False, FieldKind.NUMBER, ("1.50,,", "2,1.5,"), [0, 1]),
    ],
)
def test_keys_are_compared_as_their_field_compares_them(numbered, tells_case, kind, rows, expected):
    staging, _, _ = numbered(*rows, tells_case=tells_case, kind=kind)
    assert levels(staging) == expected


def test_only_rows_in_a_circle_are_rejected(numbered):
    staging, parents, _ = numbered("a,b,", "b,a,", "c,a,", "d,d,", "e,,", "f,e,c", ",a,")
    reject_circles(staging, parents)
    assert problems(staging) == {
        1: f"{BOSS}: 'b' is row 2, which is below this row",
        2: f"{BOSS}: 'a' is row 1, which is below this row",
        4: f"{BOSS}: 'd' is this row itself",
    }
    assert number_levels(staging, parents) == 2
    assert levels(staging) == [0, 0, 1, 0]


def test_a_level_sends_its_rows_under_their_own_numbers(numbered):
    staging, _, count = numbered("c,b,", "b,a,", "a,,", 'd,a,"x, y"')
    sent = []
    for level in range(count):
        view = staging.only(rows_of_level(staging, level))
        sent.append([(row, record[KEY]) for [(row, record)] in view.batches(1)])
        assert [part.rows for part in view.parts(staging.folder / "parts", after=7)] == [
            len(sent[-1])
        ]
    assert sent == [[(3, "a")], [(2, "b"), (4, "d")], [(1, "c")]]

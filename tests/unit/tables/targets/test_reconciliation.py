"""What differs between a target and the org, by Id and stamp."""

import csv

import pytest

from runner.errors import StateError
from runner.job.endpoints import FileFormat, FileShape, FileTarget, Keeping, TableMode
from runner.tables.targets.reconciliation import Compared, compare

UNTIL = "2026-03-01T00:00:00Z"
EARLY, LATER = "2026-01-01T10:00:00.000Z", "2026-02-02T10:00:00.000Z"


@pytest.fixture
def differences(tmp_path):
    """Compare a CSV file with the org; each row is its cells, joined by commas."""

    def of(target, org, coming=(), *, keeps_deleted=False):
        for name, head, rows in (
            ("a", "Id,Stamp,IsDeleted", target),
            ("org", "Id,Stamp", org),
            ("rows", "Id,Stamp,IsDeleted", coming),
        ):
            text = "\n".join([head, *rows, ""])
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        file = FileTarget(
            tmp_path / "a.csv", FileShape(FileFormat.CSV), None, TableMode.MERGE, Keeping("Id")
        )
        compared = Compared(
            file, "stamp", tmp_path / "rows.csv", tmp_path / "org.csv", UNTIL, keeps_deleted
        )
        folder = tmp_path / "work"
        folder.mkdir()
        found = compare(compared, folder)
        with found.listed.open(encoding="utf-8", newline="") as lines:
            listed = {row["Id"]: row["Difference"] for row in csv.DictReader(lines)}
        assert len(listed) == found.repaired
        return found, listed

    return of


def test_rows_differ_by_id_and_by_stamp(differences):
    found, listed = differences(
        [f"same,{EARLY},", f"old,{EARLY},", f"gone,{EARLY},", "blank,,"],
        [f"same,{EARLY}", f"old,{LATER}", f"new,{LATER}", "blank,"],
    )
    assert listed == {"old": "outdated", "gone": "surplus", "new": "missing"}
    assert (found.in_org, found.in_target) == (4, 4)
    assert found.days == (("2026-02-02", 2, 0), ("2026-01-01", 1, 3))
    assert set(found.wanted.read_text(encoding="utf-8").split()) == {"Id", "old", "new"}
    assert found.gone.read_text(encoding="utf-8").split() == ["gone"]


def test_other_forms_of_the_same_moment_are_equal(differences):
    _, listed = differences(
        ["a,2026-01-01 11:00:00+01:00,", "b,2026-01-01T10:00:00.000+0000,", "c,x,"],
        [f"{each},{EARLY}" for each in "abc"],
    )
    assert listed == {"c": "outdated"}


def test_rows_on_their_way_and_later_changes_are_no_differences(differences):
    found, listed = differences(
        [f"coming,{EARLY},", f"later,{EARLY},", f"deleted,{EARLY},"],
        [f"coming,{LATER}", "later,2026-03-01T00:00:00.000Z", "new,2026-03-02T00:00:00.000Z"],
        [f"coming,{LATER},false", f"deleted,{LATER},true"],
    )
    assert (listed, found.days) == ({}, ())


def test_flagged_rows_are_deleted_records(differences):
    rows = [f"gone,{EARLY},true", f"back,{EARLY},1", f"lost,{EARLY},false"]
    org = [f"back,{EARLY}"]
    _, listed = differences(rows, org, keeps_deleted=True)
    assert listed == {"back": "outdated", "lost": "surplus"}


def test_rows_without_an_id_are_counted(differences):
    found, listed = differences([f",{EARLY},", f"a,{EARLY},"], [f"a,{EARLY}"])
    assert (listed, found.unnamed, found.in_target) == ({}, 1, 1)


def test_a_target_without_the_columns_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("Id,Name\na,b\n", encoding="utf-8")
    file = FileTarget(
        tmp_path / "a.csv", FileShape(FileFormat.CSV), None, TableMode.MERGE, Keeping("Id")
    )
    with pytest.raises(StateError, match=r"a\.csv has no column Stamp, so it cannot be compared"):
        compare(Compared(file, "Stamp", tmp_path / "r", tmp_path / "o", UNTIL), tmp_path)

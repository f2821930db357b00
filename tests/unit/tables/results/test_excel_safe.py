import csv

import pytest

from runner.tables.results.excel_safe import copies_in, safe_copy


def rows(file):
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def copied(tmp_path, *written):
    file = tmp_path / "failed.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(written)
    before = file.read_bytes()
    copy = safe_copy(file)
    assert file.read_bytes() == before, "the result file is a source as it was"
    return rows(copy)


@pytest.mark.parametrize(
    "value",
    ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", '=HYPERLINK("x","y")', "\uff1d1"],
)
def test_a_cell_that_would_run_begins_with_an_apostrophe(tmp_path, value):
    assert copied(tmp_path, ["Name", "Note"], ["a", value])[1] == ["a", f"'{value}"]


@pytest.mark.parametrize(
    "value",
    ["plain", "-5", "+3.25", "-1,5", "a=b", "x@acme.example", "", "two\nlines", 'a "q"', "ä"],
)
def test_any_other_cell_is_left_alone(tmp_path, value):
    assert copied(tmp_path, ["Name", "Note"], ["a", value])[1] == ["a", value]


def test_names_of_columns_are_cells_too_and_may_be_alike(tmp_path):
    assert copied(tmp_path, ["=cmd", "name", "Name"], ["1", "2", "3"]) == [
        ["'=cmd", "name", "Name"],
        ["1", "2", "3"],
    ]


def test_rows_keep_their_order_and_excel_reads_utf8(tmp_path):
    written = [["n"], *([str(n)] for n in range(5_000))]
    assert copied(tmp_path, *written) == written
    assert (tmp_path / "failed.excel.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_every_result_file_of_a_folder_is_copied_once(tmp_path):
    for name in ("failed", "succeeded"):
        (tmp_path / f"{name}.csv").write_text("Name\n=1\n")
    assert [file.name for file in copies_in(tmp_path)] == [
        "failed.excel.csv",
        "succeeded.excel.csv",
    ]
    assert len(copies_in(tmp_path)) == 2

"""Sheets of a workbook, as sources."""

import base64
from datetime import timedelta
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pytest

from runner.errors import SourceError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.sources.open import open_source, read_columns


def _sheet(folder, rows, *, before=None, **formats):
    book = openpyxl.Workbook()
    if before is not None:
        book.active.title, book.active.sheet_state = "before", before
        book.active.append(["hidden"])
        book.create_sheet("Data")
    page = book.worksheets[-1]
    for place, value in rows.items():
        page[place] = value
        page[place].number_format = formats.get(place, page[place].number_format)
    book.save(folder / "sheet.xlsx")
    return folder / "sheet.xlsx"


@pytest.mark.parametrize(
    ("cells", "skipped"),
    [
        ({"B1": "Name", "C1": "N", "B2": "x", "C2": 1}, 0),
        ({"B4": "Name", "C4": "N", "B5": "x", "C5": 1}, 0),
        ({"A1": "Report", "B3": "Name", "C3": "N", "B4": "x", "C4": 1}, 1),
        ({"A1": "Report", "A2": "of", "D2": "May", "A3": "Name", "B3": "N", "A4": "x", "B4": 1}, 2),
    ],
)
def test_a_sheet_may_begin_anywhere(tmp_path, cells, skipped):
    file = _sheet(tmp_path, cells)
    shape = FileShape(FileFormat.EXCEL, skip_rows=skipped)
    (records,) = open_source(FileSource(file, shape), tmp_path)
    assert (records.columns, b"".join(records.blocks)) == (("Name", "N"), b'"x","1"\n')


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"A1": "Name", "C1": "N", "A2": "x"}, "cell B1 of the sheet is blank, but names a column"),
        (
            {"A1": "Report", "A2": "x", "B2": 1},
            "row 2 of the sheet has a value in a column without",
        ),
        ({"B1": "Name", "A2": "x", "B2": 1}, "row 2 of the sheet has a value in a column without"),
        ({}, "the sheet has no header: it is empty"),
    ],
)
def test_a_sheet_without_a_clear_header_is_refused(tmp_path, cells, said):
    with pytest.raises(SourceError, match=said):
        open_source(FileSource(_sheet(tmp_path, cells), FileShape(FileFormat.EXCEL)), tmp_path)


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_a_hidden_first_sheet_is_not_read_unless_it_is_named(tmp_path, state):
    file = _sheet(tmp_path, {"A1": "Name", "A2": "x"}, before=state)
    (records,) = open_source(FileSource(file, FileShape(FileFormat.EXCEL)), tmp_path)
    assert records.columns == ("Name",)
    assert records.notes == ("sheet.xlsx: sheet 'Data' read, the first that is visible",)
    shape = FileShape(FileFormat.EXCEL, sheet="before")
    assert open_source(FileSource(file, shape), tmp_path)[0].columns == ("hidden",)


def test_durations_in_a_sheet_are_hours_minutes_and_seconds(tmp_path):
    values = {"A1": "D", "A2": timedelta(hours=30, minutes=15), "A3": timedelta(hours=5)}
    file = _sheet(tmp_path, values, A2="[h]:mm", A3="[h]:mm:ss")
    (records,) = open_source(FileSource(file, FileShape(FileFormat.EXCEL)), tmp_path)
    assert b"".join(records.blocks) == b'"30:15:00"\n"05:00:00"\n'


DECIMAL_OF_50_DIGITS = (
    "UEFSMRUAFTYVNiwVAhUAFQYVBhwAAAACAAAAAgEAADHS7hXrBrVt9nRADF9ccccccfQVBBksNQAYBnNjaGVtYRUC"
    "ABUOFSoVAhgBbiUKFQQVZCxcFQQVZAAAABYCGRwZHCYAHBUOGSUGABkYAW4VABYCFlwWXCYISRwVABUAFQIAPCkG"
    "GSYAAgAAABZcFgImCBZcACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZHBwAAACKAAAAUEFSMQ=="
)
"""A Parquet file of one column `n`, decimal256(50, 2), with one value of 46 digits."""


def test_a_decimal_that_would_lose_digits_is_refused(tmp_path):
    file = tmp_path / "wide.parquet"
    file.write_bytes(base64.b64decode(DECIMAL_OF_50_DIGITS))
    for read in (read_columns, lambda source: open_source(source, tmp_path)):
        with pytest.raises(
            SourceError, match="column 'n' has numbers of up to 50 digits"
        ) as caught:
            read(FileSource(file, FileShape(FileFormat.PARQUET)))
        assert "DECIMAL(38, 2)" in caught.value.hint


def test_a_part_that_fills_the_memory_is_refused(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([timedelta(hours=1)])
    book.save(tmp_path / "small.xlsx")
    file = tmp_path / "a.xlsx"
    with ZipFile(tmp_path / "small.xlsx") as small, ZipFile(file, "w", ZIP_DEFLATED) as large:
        for name in small.namelist():
            more = b" " * (1 << 25) if name.endswith("styles.xml") else b""
            large.writestr(name, small.read(name) + more, compresslevel=1)
    assert file.stat().st_size < 1 << 20
    source = FileSource(file, FileShape(FileFormat.EXCEL))
    with pytest.raises(SourceError, match=r"styles.xml has more than 32 MB"):
        open_source(source, tmp_path)

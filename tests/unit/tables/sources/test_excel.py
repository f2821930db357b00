# ruff: noqa: E501 - a case reads best in one line
"""Sheets of workbooks: what every cell becomes, and which cells stop a task instead of being blank."""

import csv
import importlib.util
import io
from decimal import Decimal
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import SourceError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.job.notation import sheet_area
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources.excel import excel_columns, excel_header
from runner.tables.sources.open import open_source
from runner.tables.sources.sheets.number_formats import number_text, text_by_format
from runner.tables.staging.rows import StagedRows


def _load_cases():
    file = Path(__file__).parent / "excel_cells.py"
    spec = importlib.util.spec_from_file_location("excel_cells", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cells = _load_cases()
FILES = Path(__file__).parent / "workbooks"
ERRORS = ["#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!"]


def read(path, tmp_path, **shape):
    """The columns and rows of a sheet as texts."""
    if "area" in shape:
        shape["area"] = sheet_area(shape["area"])
    (records,) = open_source(FileSource(path, FileShape(FileFormat.EXCEL, **shape)), tmp_path)
    text = io.StringIO(b"".join(records.blocks).decode(), newline="")
    return records.columns, list(csv.reader(text)), records.notes


@pytest.mark.parametrize("kind", cells.KINDS)
@pytest.mark.parametrize("is_1904", [False, True])
def test_a_cell_is_what_a_person_sees_in_a_field_of_each_kind(tmp_path, kind, is_1904):
    cases = [each for each in cells.CELLS if each.is_1904 == is_1904]
    path = cells.write_cells(tmp_path / "a.xlsx", cases)
    staging = StagedRows(tmp_path / "staging")
    try:
        staging.load(FileSource(path, FileShape(FileFormat.EXCEL)))
        staging.map([MappedColumn("value", None, FieldKind[kind.upper()])])
        found = {row: record["value"] for row, record in next(staging.batches(1_000), [])}
    finally:
        staging.discard()
    wanted = {
        row: each.values[kind] for row, each in enumerate(cases, start=1) if kind in each.values
    }
    assert found == wanted


SPELLINGS = {
    "plain": '<worksheet xmlns="{ns}"><sheetData>{rows}</sheetData></worksheet>',
    "prefix": '<x:worksheet xmlns:x="{ns}"><x:sheetData>{prefixed}</x:sheetData></x:worksheet>',
    "single quotes": "<?xml version='1.0'?><worksheet xmlns='{ns}'><sheetData>{single}</sheetData></worksheet>",
    "no places": '<worksheet xmlns="{ns}"><sheetData>{unplaced}</sheetData></worksheet>',
    "spaced": '<worksheet xmlns="{ns}">\n <sheetData>\n{spaced}</sheetData>\n</worksheet>',
}
HEADER = f'<row r="1">{cells.text_cell("A1", "a")}{cells.text_cell("B1", "b")}</row>'


def spelled(spelling, row, ns=cells.MAIN):
    rows = HEADER + f'<row r="2">{cells.text_cell("A2", "x")}{row}</row>'
    return SPELLINGS[spelling].format(
        ns=ns,
        rows=rows,
        prefixed=rows.replace("</", "</x:").replace("<", "<x:").replace("<x:/x:", "</x:"),
        single=rows.replace('"', "'"),
        unplaced=rows.replace(' r="1"', "").replace(' r="2"', "").replace(' r="A1"', "").replace(' r="B1"', "").replace(' r="A2"', "").replace(' r="B2"', ""),
        spaced=rows.replace(">", "\n>").replace("<c ", "<c\n "),
    )  # fmt: skip


@pytest.mark.parametrize("ns", [cells.MAIN, cells.STRICT])
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('<c r="B2" t="e"><v>#DIV/0!</v></c>', "contains the error #DIV/0!"),
        ('<c r="B2"><f>A9*2</f></c>', "contains a formula whose result is not stored"),
        ('<c r="B2"><f>A9*2</f><v></v></c>', "contains a formula whose result is not stored"),
        ('<c r="B2" t="str"><f>A9</f></c>', "contains a formula whose result is not stored"),
    ],
)
def test_a_cell_without_a_value_to_send_stops_the_task_however_it_is_written(
    tmp_path, spelling, ns, cell, said
):
    file = cells.write(tmp_path / "a.xlsx", "", ns=ns, sheet=spelled(spelling, cell, ns))
    for reader in (lambda: read(file, tmp_path), lambda: excel_columns(file, FileShape(FileFormat.EXCEL))):  # fmt: skip
        with pytest.raises(SourceError) as caught:
            reader()
        assert caught.value.message == f"{file}: cell B2 of sheet 'S' {said}."
        assert "none of its rows were read" in caught.value.hint


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_sheet_is_read_however_it_is_written(tmp_path, spelling):
    file = cells.write(tmp_path / "a.xlsx", "", sheet=spelled(spelling, cells.text_cell("B2", "y")))
    assert read(file, tmp_path)[:2] == (("a", "b"), [["x", "y"]])


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_found(tmp_path, error):
    sheet = spelled("plain", f'<c r="B2" t="e"><f>1/0</f><v>{error}</v></c>')
    file = cells.write(tmp_path / "a.xlsx", "", sheet=sheet)
    with pytest.raises(SourceError, match=f"contains the error {error}".replace("?", r"\?")):
        read(file, tmp_path)


def test_a_formula_whose_result_is_an_empty_text_is_blank(tmp_path):
    cell = '<c r="B2" t="str"><f>""</f><v></v></c>'
    file = cells.write(tmp_path / "a.xlsx", "", sheet=spelled("plain", cell))
    assert read(file, tmp_path)[1] == [["x", ""]]


def test_a_row_of_blanks_is_none_and_a_blank_needs_no_column(tmp_path):
    blanks = [cells.text_cell("A2", " "), cells.text_cell("B3", "x") + cells.text_cell("D3", " ")]
    rows = HEADER + "".join(f'<row r="{at}">{each}</row>' for at, each in enumerate(blanks, 2))
    assert read(cells.write(tmp_path / "a.xlsx", rows), tmp_path)[1] == [["", "x"]]


def test_a_header_is_read_whatever_comes_after_it(tmp_path):
    sheet = spelled("plain", '<c r="B2" t="e"><v>#N/A</v></c>')
    file = cells.write(tmp_path / "a.xlsx", "", sheet=sheet)
    assert excel_header(file, FileShape(FileFormat.EXCEL)) == ("a", "b")


def test_shared_texts_are_found_by_number(tmp_path):
    shared = ["<si><t>a</t></si>", "<si/>", "<si><r><t>bo</t></r><r><t>ld</t></r><rPh><t>no</t></rPh></si>", "<si><t>x_x000D_y</t></si>"]  # fmt: skip
    rows = "".join(f'<row><c t="s"><v>{at}</v></c></row>' for at in (0, 2, 1, 3))
    file = cells.write(tmp_path / "a.xlsx", rows, shared=shared)
    (records,) = open_source(FileSource(file, FileShape(FileFormat.EXCEL)), tmp_path)
    assert (records.columns, b"".join(records.blocks)) == (("a",), b'"bold"\n"x\ry"\n')
    (tmp_path / "a.xlsx").unlink()
    cells.write(file, '<row><c t="s"><v>4</v></c></row>', shared=shared)
    with pytest.raises(SourceError, match="there is no shared text 4"):
        read(file, tmp_path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("<row><c><v>1</v></c>", "mismatched tag"),
        ('<row r="1"><c r="A1"><v>one</v></c></row>', "cell A1 of sheet 'S' contains 'one' as a number"),
        ('<row r="1"><c r="A1"><v>1E+999999999</v></c></row>', "as a number"),
        ('<row r="1"><c r="ZZZ1"><v>1</v></c></row>', "there is no cell ZZZ1"),
    ],
)  # fmt: skip
def test_a_damaged_sheet_is_reported(tmp_path, row, said):
    with pytest.raises(SourceError, match=said) as caught:
        read(cells.write(tmp_path / "a.xlsx", row), tmp_path)
    assert caught.value.hint


def test_a_document_type_is_refused(tmp_path):
    sheet = f'<!DOCTYPE x [<!ENTITY e "e">]><worksheet xmlns="{cells.MAIN}"/>'
    with pytest.raises(SourceError, match="declares a document type"):
        read(cells.write(tmp_path / "a.xlsx", "", sheet=sheet), tmp_path)


def test_openpyxl_stores_no_results(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Name", "Total"])
    book.active.append(["x", "=1+1"])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(SourceError, match="cell B2 of sheet 'Sheet' contains a formula whose res"):
        read(tmp_path / "a.xlsx", tmp_path)


def test_xlsxwriter_stores_0_for_a_formula_that_it_did_not_calculate(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["Name", "Total"])
        page.write_formula(1, 1, "=1+1", None, 2)
        page.write_formula(2, 1, "=1+1")
    with pytest.raises(SourceError, match="cell B3 of sheet 'Sheet1' contains a formula whose res"):
        read(tmp_path / "a.xlsx", tmp_path)
    with xlsxwriter.Workbook(tmp_path / "b.xlsx") as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["Total"])
        page.write_formula(1, 0, "=1+1", None, 2)
        page.write_number(2, 0, 0)
    assert read(tmp_path / "b.xlsx", tmp_path)[1] == [["2"], ["0"]]


VALUES = {
    "text": " 0123 ä", "lines": "a\nb", "float": "0.3", "percent": "25", "padded": "00123", "day": "2026-01-31",
    "moment": "2026-01-31 12:00:05", "time": "08:30:00", "duration": "30:15:00", "flag": "true",
    "whole": "123456789012345", "money": "-1234.5", "formula": "7", "words": "xy", "nothing": "",
}  # fmt: skip


@pytest.mark.parametrize("name", ["values.xls", "values.xlsb", "values.ods"])
def test_other_workbooks_are_read_as_xlsx_is(tmp_path, name):
    """Written by LibreOffice 7.4; the .xlsb by SheetJS, of the same workbook."""
    columns, rows, notes = read(FILES / name, tmp_path)
    assert dict(zip(columns, rows[0], strict=True)) == VALUES
    assert rows[1:] == [["x", *[""] * (len(columns) - 1)]]
    assert notes[0] == f"{name}: sheet 'Values' read, the first that is visible"
    assert read(FILES / name, tmp_path, area="C3:D4")[:2] == (("lines", "float"), [["a\nb", "0.3"]])
    for sheet, error in (("Divided", "#DIV/0!"), ("Missing", "#N/A")):
        with pytest.raises(
            SourceError, match=f"cell B2 of sheet '{sheet}' contains the error {error}"
        ):
            read(FILES / name, tmp_path, sheet=sheet)


@pytest.mark.parametrize("name", ["values.xls", "values.xlsb", "values.ods"])
def test_an_incomplete_workbook_is_reported(tmp_path, name):
    whole = (FILES / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cannot be read as Excel") as caught:
        read(tmp_path / name, tmp_path)
    assert caught.value.hint


GRID = "".join(
    f'<row r="{row}">'
    + "".join(cells.text_cell(f"{column}{row}", f"{column}{row}") for column in "ABCDE")
    + "</row>"
    for row in range(1, 6)
)


@pytest.mark.parametrize(
    ("area", "columns", "rows"),
    [
        ("B3:C", ("B3", "C3"), [["B4", "C4"], ["B5", "C5"]]),
        ("b3:c4", ("B3", "C3"), [["B4", "C4"]]),
        ("D:E", ("D1", "E1"), [["D2", "E2"], ["D3", "E3"], ["D4", "E4"], ["D5", "E5"]]),
        ("E5:Z9", ("E5",), [[""]]),
    ],
)
def test_a_range_is_a_table_of_its_own(tmp_path, area, columns, rows):
    file = cells.write(tmp_path / "a.xlsx", GRID)
    found = read(file, tmp_path, area=area)
    assert found[:2] == (columns, rows if rows != [[""]] else [])


def test_what_is_wrong_outside_of_a_range_does_not_matter(tmp_path):
    rows = GRID.replace(cells.text_cell("A4", "A4"), '<c r="A4" t="e"><v>#N/A</v></c>')
    rows = rows.replace(cells.text_cell("B1", "B1"), '<c r="B1"><f>1</f></c>')
    file = cells.write(tmp_path / "a.xlsx", rows)
    assert read(file, tmp_path, area="B3:C")[0] == ("B3", "C3")
    with pytest.raises(SourceError, match="cell A4 of sheet 'S' contains the error #N/A"):
        read(file, tmp_path, skip_rows=2)


def test_rows_below_the_last_one_are_skipped_and_shown(tmp_path):
    file = cells.write(tmp_path / "a.xlsx", GRID + '<row r="6"/>')
    columns, rows, notes = read(file, tmp_path, area="A3:B", skip_last=1)
    assert (columns, rows) == (("A3", "B3"), [["A4", "B4"]])
    assert notes == ("a.xlsx: last line skipped: A5 B5",)


@pytest.mark.parametrize(
    ("code", "number", "text"),
    [
        ("000;(000)", "-5", "(005)"), ("000", "-5", "-005"), ("0000", "12.5", "12.5"), ("0000", "0", "0000"),
        ('0%;-0%;"-"', "-0.25", "-25"), ('0%;;"none"', "0", "0"), ("0.0%%", "0.0025", "25"), ('0.00"%"', "0.25", "0.25"),
        ("[Red]0000", "1", "0001"), ("0000_)", "7", "0007"), ("##00", "5", "05"), ("0000", "123456", "123456"),
        ("[<=9999999]000-0000;(000) 000-0000", "5551234", "5551234"), ("[$€-407]0000", "5", "5"), ("$0000", "5", "5"),
        ("[$-409]d mmm", "46053", "2026-01-31"), ("yyyy-mm-dd;@", "46053", "2026-01-31"), ("mm:ss.0", "0.0012345", "00:01:46.661"),
        ("[h]:mm", "-1.5", "-36:00:00"), ("d", "-3", "-3"), ("d", "0", "1900-01-00"), ("d", "2958466", "2958466"),
        (";;;", "4", "4"), ("@", "5", "5"), ("", "5", "5"), ("0;\\-0;;@", "-5", "-5"), ("00 000", "5", "00 005"), ("#\\ ##0", "12345", "12345"),
        ('"m"0', "5", "5"), ("\\d0", "5", "5"), ('General" days"', "5", "5"), ("h", "1.5", "1900-01-01 12:00:00"),
    ],
)  # fmt: skip
def test_numbers_by_their_formats(code, number, text):
    assert text_by_format(code)(number) == text


@settings(max_examples=80, deadline=None)
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_what_excel_shows_of_it(number):
    text = number_text(repr(number))
    assert "e" not in text.lower()
    assert text == "0" or not text.startswith("-0.0") or number < 0
    wanted = Decimal(repr(number)) if number.is_integer() else Decimal(f"{number:.15g}")
    assert Decimal(text) == wanted
    assert not ("." in text and text.endswith("0"))


ODS = """<d:document-content xmlns:d="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:t="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:x="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<d:body><d:spreadsheet><t:table t:name="S">
<t:table-row><t:table-cell t:number-columns-repeated="2"/><t:table-cell d:value-type="string"><x:p>a</x:p></t:table-cell>
<t:table-cell d:value-type="string"><d:annotation><x:p>note</x:p></d:annotation><x:p>b</x:p></t:table-cell>
<t:table-cell t:number-columns-repeated="16380"/></t:table-row>
<t:table-row t:number-rows-repeated="2"><t:covered-table-cell t:number-columns-repeated="2"/>
<t:table-cell t:number-columns-repeated="2" d:value-type="string"><x:p>x<x:s x:c="2"/><x:span>y</x:span></x:p><x:p>z</x:p></t:table-cell></t:table-row>
<t:table-row t:number-rows-repeated="1000"><t:table-cell t:number-columns-repeated="16384"/></t:table-row>
<t:table-row><t:table-cell t:number-columns-repeated="2"/><t:table-cell d:value-type="time" d:time-value="PT30H15M00S"/>
<t:table-cell d:value-type="date" d:date-value="2026-01-31T12:00:00"/></t:table-row>
<t:table-row><t:table-cell t:number-columns-repeated="2"/><t:table-cell d:value-type="date" d:date-value="2026-01-31T00:00:00.000000000"/>
<t:table-cell d:value-type="date" d:date-value="2026-01-31T00:00:00.500000000"/></t:table-row>
</t:table></d:spreadsheet></d:body></d:document-content>"""


@pytest.mark.parametrize(
    ("area", "rows"),
    [
        (
            "A1:Z",
            [["x  y\nz", "x  y\nz"]] * 2
            + [["30:15:00", "2026-01-31 12:00:00"], ["2026-01-31", "2026-01-31 00:00:00.5"]],
        ),
        ("C1:D3", [["x  y\nz", "x  y\nz"]] * 2),
        ("D1:D2", [["x  y\nz"]]),
    ],
)
def test_repeated_cells_of_an_ods_file_are_that_many(tmp_path, area, rows):
    file = tmp_path / "a.ods"
    with ZipFile(file, "w") as out:
        out.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        out.writestr("content.xml", ODS)
    assert read(file, tmp_path, area=area)[1] == rows

#!/usr/bin/env bash
# python-calamine reads a cell with an error as one without a value, and so does what reads through calamine.
#
# Input:    a sheet with the error #DIV/0! in B2, written by XlsxWriter, and nothing in B3.
# Expected: something that tells B2 from B3: an error, or the text #DIV/0!, as openpyxl gives.
# Seen:     '' for both in python-calamine; null for both in polars, which reads through fastexcel.
# Version:  python-calamine 0.9.1, polars 2.1.0 with fastexcel 0.21.0, Python 3.11 (the only versions tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q python-calamine==0.9.1 polars==2.1.0 fastexcel==0.21.0 xlsxwriter==3.3.1 openpyxl==3.1.5
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import openpyxl
import polars
import python_calamine
import xlsxwriter

with xlsxwriter.Workbook("a.xlsx") as book:
    page = book.add_worksheet()
    page.write_row(0, 0, ["name", "share"])
    page.write_string(1, 0, "divided")
    page.write_formula(1, 1, "=1/0", None, "#DIV/0!")
    page.write_string(2, 0, "blank")
    page.write_string(3, 0, "number")
    page.write_number(3, 1, 0.5)
assert openpyxl.load_workbook("a.xlsx", data_only=True).active["B2"].value == "#DIV/0!"
calamine = [row[1] for row in python_calamine.load_workbook("a.xlsx").get_sheet_by_index(0).to_python()[1:]]
frame = polars.read_excel("a.xlsx")["share"].to_list()
print("python-calamine", calamine, "polars", frame)
raise SystemExit(0 if calamine == ["", "", 0.5] and frame == [None, None, 0.5] else 1)
PYTHON

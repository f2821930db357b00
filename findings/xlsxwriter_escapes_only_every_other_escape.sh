#!/usr/bin/env bash
# XlsxWriter writes the text _x005F_x0041_ so that it is read as another one.
#
# Input:    a cell with the text _x005F_x0041_: two escapes of XML in Excel files (ECMA-376, part 1, 22.9.2.19)
#           that share a `_`.
# Expected: _x005F_x005F_x005F_x0041_ in the file: each of both begins with an escaped `_`.
# Seen:     _x005F_x005F_x0041_, where the second escape is one: calamine reads _x005FA. A text with one escape, such
#           as _x0041_, is written and read correctly.
# Version:  xlsxwriter 3.3.1 with python-calamine 0.9.1, Python 3.11 (the only versions tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q xlsxwriter==3.3.1 python-calamine==0.9.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import python_calamine
import xlsxwriter


def there_and_back(text):
    with xlsxwriter.Workbook("a.xlsx") as book:
        book.add_worksheet().write_string(0, 0, text)
    return python_calamine.load_workbook("a.xlsx").get_sheet_by_index(0).to_python()[0][0]


assert there_and_back("_x0041_") == "_x0041_"
found = there_and_back("_x005F_x0041_")
print("xlsxwriter", xlsxwriter.__version__, "wrote _x005F_x0041_ and calamine read", found)
raise SystemExit(0 if found == "_x005FA" else 1)
PYTHON

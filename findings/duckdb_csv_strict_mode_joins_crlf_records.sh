#!/usr/bin/env bash
# DuckDB joins the records of a CRLF file when `strict_mode = true`, its default, is written out.
#
# Input:    1,2<CRLF>3,4<CRLF> with two text columns and `new_line = '\r\n'`.
# Expected: two rows; writing out the documented default changes nothing.
# Seen:     two rows without `strict_mode`; with `strict_mode = true` one row, ('1', '2\r\n3'), and
#           of a file with a single record no row at all; no error.
# Version:  duckdb 2.0.1, Python 3.11 (the oldest version tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from pathlib import Path
import duckdb

options = (
    "auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', "
    r"new_line = '\r\n', columns = {'a': 'VARCHAR', 'b': 'VARCHAR'}"
)
print("duckdb", duckdb.__version__)
found = []
for content in (b"1,2\r\n3,4\r\n", b"1,2\r\n"):
    Path("records.csv").write_bytes(content)
    for strict in ("", ", strict_mode = true"):
        rows = duckdb.sql(f"FROM read_csv('records.csv', {options}{strict})").fetchall()
        print(content, strict or "(not given)", rows)
        found.append(rows)
expected = [[("1", "2"), ("3", "4")], [("1", "2\r\n3")], [("1", "2")], []]
raise SystemExit(0 if found == expected else 1)
PYTHON

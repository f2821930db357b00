#!/usr/bin/env bash
# DuckDB drops the last record of a CSV file whose quote is never closed, if `parallel = false`.
#
# Input:    two records; the quote of the last value is not closed, as in a file that was cut off.
# Expected: an error either way: `parallel` is about speed, and `strict_mode` is on by default.
# Seen:     "Value with unterminated quote found" with `parallel = true`; with `parallel = false` one
#           row and no error.
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

Path("cut.csv").write_text('1,x\n2,"abc\n')
options = "auto_detect = false, header = false, columns = {'a': 'VARCHAR', 'b': 'VARCHAR'}"
print("duckdb", duckdb.__version__)
found = {}
for parallel in ("true", "false"):
    try:
        query = f"FROM read_csv('cut.csv', {options}, parallel = {parallel})"
        found[parallel] = duckdb.sql(query).fetchall()
    except duckdb.Error as error:
        found[parallel] = str(error).splitlines()[0]
    print(f"parallel = {parallel}: {found[parallel]}")
raise SystemExit(0 if isinstance(found["true"], str) and found["false"] == [("1", "x")] else 1)
PYTHON

#!/usr/bin/env bash
# DuckDB's CSV reader takes a record with too many values if those are empty.
#
# Input:    1,2,<LF>, 1,2,,<LF> and 1,2,3<LF> with two text columns, in strict mode, the default.
# Expected: an error for each; they have three or four values.
# Seen:     the first two are a row ('1', '2'), with `strict_mode = true` written out as well; only
#           the third is an error. Values added to such a line are in other columns than those added
#           to a line of two values.
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
    r"new_line = '\n', columns = {'a': 'VARCHAR', 'b': 'VARCHAR'}"
)
print("duckdb", duckdb.__version__)
found = []
for content in (b"1,2,\n", b"1,2,3\n", b"1,2,,\n"):
    Path("records.csv").write_bytes(content)
    for strict in ("", ", strict_mode = true"):
        try:
            rows = duckdb.sql(f"FROM read_csv('records.csv', {options}{strict})").fetchall()
        except duckdb.InvalidInputException as error:
            rows = str(error).splitlines()[0].strip()
        print(content, strict or "(not given)", rows)
        found.append(rows if isinstance(rows, list) else "error")
expected = [[("1", "2")], [("1", "2")], "error", "error", [("1", "2")], [("1", "2")]]
raise SystemExit(0 if found == expected else 1)
PYTHON

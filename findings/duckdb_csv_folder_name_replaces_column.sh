#!/usr/bin/env bash
# A folder called `name=value` above a CSV file replaces the values of the column of that name.
#
# Input:    region=7/rows.csv with the columns region and amount, declared as text, read by its path.
# Expected: the values in the file, as text: the options say what the columns are, nothing asks for
#           partitions.
# Seen:     `region` is 7 in every row, and a number. `hive_partitioning = false` gives the file's.
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

Path("region=7").mkdir()
Path("region=7/rows.csv").write_text("EMEA,1\nAPAC,2\n")
options = (
    "auto_detect = false, header = false, columns = {'region': 'VARCHAR', 'amount': 'VARCHAR'}"
)
print("duckdb", duckdb.__version__)
found = []
for more in ("", ", hive_partitioning = false"):
    rows = duckdb.sql(f"FROM read_csv('region=7/rows.csv', {options}{more})").fetchall()
    print(more or "(not given)", rows)
    found.append(rows)
expected = [[(7, "1"), (7, "2")], [("EMEA", "1"), ("APAC", "2")]]
raise SystemExit(0 if found == expected else 1)
PYTHON

#!/usr/bin/env bash
# DuckDB runs out of memory when it writes one row of 800 short values to a CSV file.
#
# Input:    COPY of one row with 800 columns, each with the value 'x', with a memory limit of 100 MB; an object of
#           Salesforce may have 800 custom fields.
# Expected: it is written: the row has 1,600 bytes.
# Seen:     OutOfMemoryException, "failed to pin block of size 256.0 KiB", whatever the number of rows: some 150 KB are
#           taken for each column. The same row is written as JSON and as Parquet within the limit, and with 300 columns as CSV.
# Version:  duckdb 2.0.1, Python 3.11 (the only version tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb

print("duckdb", duckdb.__version__)


def written(columns, form):
    cells = ", ".join(f"'x' AS c{number}" for number in range(columns))
    with duckdb.connect(config={"memory_limit": "100MB", "threads": "1"}) as link:
        try:
            link.execute(f"COPY (SELECT {cells}) TO 'out.{form}' (FORMAT {form})")
        except duckdb.OutOfMemoryException as error:
            print(columns, form, str(error).splitlines()[0])
            return False
    print(columns, form, "written")
    return True


seen = [written(300, "csv"), written(800, "csv"), written(800, "json"), written(800, "parquet")]
raise SystemExit(0 if seen == [True, False, True, True] else 1)
PYTHON

#!/usr/bin/env bash
# DuckDB reads a Parquet decimal of more than 38 digits as a double, without an error.
#
# Input:    a file by pyarrow with one decimal256(50, 2), 46 ones with two decimals.
# Expected: an error that the type is not supported, or the digits as text.
# Seen:     DOUBLE, 1.1111111111111111e+43: 17 of 46 digits. `parquet_schema()` tells the precision.
# Version:  duckdb 2.0.1 with pyarrow 26.0.1, Python 3.11 (the oldest versions tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from decimal import Decimal
import duckdb
import pyarrow
import pyarrow.parquet

number = Decimal("1" * 44 + ".56")
column = pyarrow.array([number], pyarrow.decimal256(50, 2))
pyarrow.parquet.write_table(pyarrow.table({"n": column}), "wide.parquet")
assert pyarrow.parquet.read_table("wide.parquet")["n"][0].as_py() == number
print("duckdb", duckdb.__version__, "pyarrow", pyarrow.__version__)
found = duckdb.sql("SELECT typeof(n), n FROM 'wide.parquet'").fetchall()[0]
print(found)
raise SystemExit(0 if found[0] == "DOUBLE" and Decimal(found[1]) != number else 1)
PYTHON

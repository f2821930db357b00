#!/usr/bin/env bash
# DuckDB reads durations of pandas and polars in Parquet as whole numbers of a unit that it does not tell.
#
# Input:    a file by each with one duration of 90 seconds, in the unit that each has by default.
# Expected: an INTERVAL, as pandas, polars and pyarrow read a duration, or an error: DuckDB has the type.
# Seen:     BIGINT 90000000 of pandas and of polars, and 90000 or 90000000000 of columns in other units: the unit is only in the
#           file's metadata, in ARROW:schema, which DuckDB lists (parquet_kv_metadata) and does not use.
# Version:  duckdb 2.0.1 with pandas 3.1.1, pyarrow 26.0.1 and polars 2.1.0, Python 3.11 (the only versions tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 pandas==3.1.1 pyarrow==26.0.1 polars==2.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import timedelta

import duckdb
import pandas
import polars

took = timedelta(seconds=90)
pandas.DataFrame({"took": [took]}).to_parquet("pandas.parquet")
units = {unit: polars.Series("took", [took], dtype=polars.Duration(unit)) for unit in ("us", "ms", "ns")}
for unit, column in units.items():
    column.to_frame().write_parquet(f"{unit}.parquet")
assert pandas.read_parquet("us.parquet")["took"][0] == took
assert polars.read_parquet("pandas.parquet")["took"][0] == took
wanted = {"pandas": 90 * 10**6, "us": 90 * 10**6, "ms": 90 * 10**3, "ns": 90 * 10**9}
found = {
    each: duckdb.sql(f"SELECT typeof(took), took FROM '{each}.parquet'").fetchall()[0] for each in wanted
}
print("duckdb", duckdb.__version__, "pandas", pandas.__version__, "polars", polars.__version__)
print(found)
raise SystemExit(0 if found == {each: ("BIGINT", n) for each, n in wanted.items()} else 1)
PYTHON

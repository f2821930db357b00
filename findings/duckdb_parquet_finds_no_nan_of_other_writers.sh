#!/usr/bin/env bash
# DuckDB finds no NaN in a Parquet file of pyarrow or polars, and takes NaN for a number that it is not.
#
# Input:    a file by each with one column of doubles, 0.1 and NaN. As the format demands, their statistics leave NaN out:
#           the least and the greatest value are both 0.1.
# Expected: WHERE isnan(x) finds one row, and so does WHERE x = 0.1, as from a table, or from a file that DuckDB writes.
# Seen:     WHERE isnan(x) finds none, WHERE x = 0.1 finds both, and CAST(x AS VARCHAR) = 'nan' is false in the SELECT list of
#           a row that shows 'nan'. Between other bounds, as of 0.1, 3 and NaN, isnan(x) and x > 5 find none either.
#           Without the optimizer 'statistics_propagation' the SELECT list is right; WHERE still skips the row group.
#           Reported as duckdb#25521.
# Version:  duckdb 2.0.1 with pyarrow 26.0.1 and polars 2.1.0, Python 3.11 (the only versions tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import polars
import pyarrow
import pyarrow.parquet

NUMBERS = {"x": [0.1, float("nan")]}
pyarrow.parquet.write_table(pyarrow.table(NUMBERS), "pyarrow.parquet")
polars.DataFrame(NUMBERS).write_parquet("polars.parquet")
duckdb.sql("SELECT unnest([0.1::DOUBLE, 'nan'::DOUBLE]) AS x").write_parquet("duckdb.parquet")
TEXT = "CAST(x AS VARCHAR)"
SHOWN = f"SELECT list({TEXT}), list({TEXT} = 'nan') FROM '{{}}'"


def seen(file):
    link = duckdb.connect()
    counts = [
        link.execute(f"SELECT count(*) FROM '{file}' WHERE {test}").fetchone()[0]
        for test in ("isnan(x)", "x = 0.1")
    ]
    shown = link.execute(SHOWN.format(file)).fetchone()
    link.execute("SET disabled_optimizers = 'statistics_propagation'")
    return *counts, *shown, link.execute(SHOWN.format(file)).fetchone()[1]


TEXTS, RIGHT = ["0.1", "nan"], [False, True]
wanted = {
    "pyarrow.parquet": (0, 2, TEXTS, [False, False], RIGHT),
    "polars.parquet": (0, 2, TEXTS, [False, False], RIGHT),
    "duckdb.parquet": (1, 1, TEXTS, RIGHT, RIGHT),
}
print("duckdb", duckdb.__version__, "pyarrow", pyarrow.__version__, "polars", polars.__version__)
found = {file: seen(file) for file in wanted}
for each in found.items():
    print(*each)
raise SystemExit(0 if found == wanted else 1)
PYTHON

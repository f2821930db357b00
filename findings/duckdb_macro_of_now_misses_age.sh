#!/usr/bin/env bash
# A DuckDB macro takes the place of now() without a word, but age() keeps the real clock.
#
# Input:    CREATE MACRO now() AS a moment of 2001, as a test that freezes time would do; then now(),
#           current_timestamp and age(TIMESTAMP), which is documented as the time since today's date.
# Expected: an error that now() exists, as CREATE FUNCTION gives in other databases; or one clock for
#           all of them.
# Seen:     the macro is created, and now() is of 2001. current_timestamp and age() are of today, so
#           one statement has two clocks.
# Version:  duckdb 2.0.1, Python 3.11.
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 pytz
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import duckdb

connection = duckdb.connect()
connection.execute("CREATE MACRO now() AS TIMESTAMPTZ '2001-02-03 04:05:06+00'")
now, current, days = connection.execute(
    "SELECT year(now()), year(current_timestamp), age(TIMESTAMP '2000-02-03')"
).fetchone()
print("duckdb", duckdb.__version__, "now():", now, "current_timestamp:", current, "age:", days)
sys.exit(not (now == 2001 and current > 2001 and days.days > 400))
PYTHON

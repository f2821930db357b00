#!/usr/bin/env bash
# DuckDB reads all rows of a registered ibis expression to learn its columns, and once more to use them.
#
# Input:    a table of 1,000 rows in SQLite as an ibis expression, registered with DuckDB; then a count of its rows, and
#           a DESCRIBE of it.
# Expected: the table is read once for the count, and not at all to register or to describe it: ibis knows the types.
# Seen:     SQLite gets `SELECT * FROM "t"`, without a limit, once for `register`, twice for the count, once for DESCRIBE.
#           From a warehouse, each of these is a query that is billed, and the two readings of a count may differ.
# Version:  duckdb 2.0.1 with ibis-framework 12.0.0 and pyarrow 26.0.1, Python 3.11 (the oldest versions tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 'ibis-framework[sqlite]==12.0.0' pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import sqlite3

import duckdb
import ibis

print("duckdb", duckdb.__version__, "ibis", importlib.metadata.version("ibis-framework"))
with sqlite3.connect("rows.db") as file:
    file.execute("CREATE TABLE t (i INTEGER)")
    file.executemany("INSERT INTO t VALUES (?)", [(number,) for number in range(1_000)])
file.close()
source = ibis.sqlite.connect("rows.db")
statements = []
source.con.set_trace_callback(statements.append)
rows = source.table("t")


def readings(step):
    statements.clear()
    result = step()
    found = [each for each in statements if each == 'SELECT * FROM "t"']
    print(len(found), result)
    return len(found)


link = duckdb.connect(config={"threads": "1"})
seen = (
    readings(lambda: link.register("x", rows) and None),
    readings(lambda: link.execute("SELECT count(*) FROM x").fetchall()),
    readings(lambda: link.execute("DESCRIBE x").fetchall()),
)
raise SystemExit(0 if seen == (1, 2, 1) else 1)
PYTHON

#!/usr/bin/env bash
# DuckDB attaches a CSV or Parquet file as a database, takes a new table in it, and the table is gone at DETACH.
#
# Input:    a CSV and a Parquet file of one row; `ATTACH 'rows.csv' AS d`, then CREATE TABLE and INSERT in `d`, then DETACH.
# Expected: an error: of ATTACH, as the file is no database; or of CREATE TABLE, as the database cannot be written.
# Seen:     no error. The catalog `d` is of type `duckdb`, not read-only, and has no path; the rows can be read back until
#           DETACH, and no file is changed or made. ATTACH with `(TYPE duckdb)` refuses both files.
# Version:  duckdb 2.0.1, Python 3.11 (the only versions tried).
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

print("duckdb", duckdb.__version__)
duckdb.sql("SELECT 1 AS a").write_csv("rows.csv")
duckdb.sql("SELECT 1 AS a").write_parquet("rows.parquet")


def files():
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()}


def is_refused(link, name):
    try:
        link.execute(f"ATTACH '{name}' AS e (TYPE duckdb)")
    except duckdb.Error:
        return True
    return False


seen = []
for name in ("rows.csv", "rows.parquet"):
    before = files()
    link = duckdb.connect()
    link.execute(f"ATTACH '{name}' AS d")
    kind = link.execute(
        "SELECT type, readonly, path IS NULL FROM duckdb_databases() WHERE database_name = 'd'"
    ).fetchall()
    link.execute("CREATE TABLE d.kept AS SELECT 7 AS b")
    link.execute("INSERT INTO d.kept VALUES (8)")
    rows = link.execute("SELECT b FROM d.kept ORDER BY b").fetchall()
    link.execute("DETACH d")
    seen.append((kind, rows, files() == before, is_refused(link, name)))
    print(name, *seen[-1])
wanted = ([("duckdb", False, True)], [(7,), (8,)], True, True)
raise SystemExit(0 if seen == [wanted, wanted] else 1)
PYTHON

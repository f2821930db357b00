#!/usr/bin/env bash
# DuckDB refuses a valid CSV file whose quoted texts hold lines that look like records.
#
# Input:    333 records of three quoted values; the second is 5,000 lines `x,y,z` (30,000 characters).
# Expected: 333 rows, as Python's csv module reads them, since every line end is inside quotes.
# Seen:     "CSV Error on Line: 3741" with the defaults and with one thread, "The Parallel CSV Reader
#           currently does not support a full read on this file" with two. The reader looks for the
#           start of a record wherever a buffer ends. `parallel = false` reads all 333 rows.
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
import csv
import duckdb

with open("texts.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b", "c"])
    writer.writerows([str(n), "x,y,z\n" * 5_000, "end"] for n in range(333))

print("duckdb", duckdb.__version__)
refused = 0
for threads in (1, 2):
    connection = duckdb.connect(config={"threads": threads})
    for options in ("header = true, all_varchar = true", "parallel = false, all_varchar = true"):
        query = f"SELECT count(*), sum(length(b)) FROM read_csv('texts.csv', {options})"
        try:
            found = connection.execute(query).fetchall()[0]
        except duckdb.Error as error:
            found = str(error).splitlines()[0]
            refused += 1
        print(f"threads {threads}, {options}: {found}")
raise SystemExit(0 if refused == 2 else 1)
PYTHON

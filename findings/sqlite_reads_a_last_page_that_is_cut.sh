#!/usr/bin/env bash
# SQLite reads a database file that is cut in its last page, with other rows than it had.
#
# Input:    a database of one table with 3,000 rows, cut by 1 to 4,000 bytes at its end, as by a copy
#           that broke off.
# Expected: "database disk image is malformed", as for a file that is shorter by a page or more.
# Seen:     SELECT succeeds; it gives fewer rows, or rows whose values are NULL. Only PRAGMA
#           quick_check, which reads the whole file, finds it.
# Version:  SQLite 3.40.1, through Python 3.11.
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 - "$folder/a.db" <<'PYTHON'
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

file = Path(sys.argv[1])
with closing(sqlite3.connect(file)) as link, link:
    link.execute("CREATE TABLE t (a TEXT)")
    link.executemany("INSERT INTO t VALUES (?)", [(f"{n:030}",) for n in range(3_000)])
whole = file.read_bytes()


def read(cut):
    file.write_bytes(whole[: len(whole) - cut])
    with closing(sqlite3.connect(file)) as link:
        try:
            rows = [a for (a,) in link.execute("SELECT a FROM t")]
        except sqlite3.DatabaseError as error:
            return str(error)
    return len(rows), rows.count(None), sum(rows[n : n + 1] == [f"{n:030}"] for n in range(3_000))


seen = {cut: read(cut) for cut in (0, 1, 1_000, 2_000, 3_000, 4_000, 4_096)}
print(sqlite3.sqlite_version, "cut: rows, NULL, right:", seen)
wrong = [each for each in seen.values() if not isinstance(each, str) and each[2] < 3_000]
sys.exit(not wrong)
PYTHON

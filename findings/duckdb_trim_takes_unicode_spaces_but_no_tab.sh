#!/usr/bin/env bash
# DuckDB's trim() removes Unicode spaces, and neither tabs nor line ends.
#
# Input:    texts with a space, U+00A0, U+3000, a tab, LF or CR LF at their ends.
# Expected: as documented, "removes any spaces from either side": U+0020 alone, as in PostgreSQL, or
#           all white space, as Python's strip() and Java's strip() do.
# Seen:     U+00A0 and U+3000 are removed, a tab and line ends stay, and a space before a tab stays
#           with it. With a second argument, trim(t, ' '), only U+0020 is removed.
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
import duckdb

print("duckdb", duckdb.__version__)
wanted = {
    " a ": ("a", "a"),
    "\u00a0a\u3000": ("a", "\u00a0a\u3000"),
    "\ta\t": ("\ta\t", "\ta\t"),
    "a \t": ("a \t", "a \t"),
    "a\n": ("a\n", "a\n"),
    "a\r\n": ("a\r\n", "a\r\n"),
}
seen = {t: duckdb.execute("SELECT trim($1), trim($1, ' ')", [t]).fetchone() for t in wanted}
for text, found in seen.items():
    print(ascii(text), *map(ascii, found))
raise SystemExit(0 if seen == wanted else 1)
PYTHON

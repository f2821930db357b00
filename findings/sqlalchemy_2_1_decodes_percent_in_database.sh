#!/usr/bin/env bash
# The same URL names another SQLite file after an upgrade of SQLAlchemy from 2.0 to 2.1.
#
# Input:    a URL in a configuration, sqlite:///sales%2B2026.db, and a table that was created with
#           SQLAlchemy 2.0.
# Expected: SQLAlchemy 2.1 opens the same file, or refuses the URL.
# Seen:     2.0 takes the database's name as it is written: `sales%2B2026.db`. 2.1 decodes it:
#           `sales+2026.db`, an empty new file, without an error until the table is missed.
# Version:  SQLAlchemy 2.0.44 and 2.1.9, Python 3.11.
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > use.py <<'PYTHON'
import os
import sys

from sqlalchemy import __version__, create_engine, inspect, text

engine = create_engine("sqlite:///sales%2B2026.db")
with engine.begin() as connection:
    if sys.argv[1] == "write":
        connection.execute(text("CREATE TABLE won (id INTEGER)"))
print(__version__, sorted(os.listdir(".")), inspect(engine).get_table_names())
PYTHON
for version in 2.0.44 2.1.9; do
  python3 -m venv "venv-$version"
  "venv-$version/bin/pip" install -q "sqlalchemy==$version"
done
mkdir files
cd files
../venv-2.0.44/bin/python ../use.py write | tee ../before
../venv-2.1.9/bin/python ../use.py read | tee ../after
test "$(cat ../before)" = "2.0.44 ['sales%2B2026.db'] ['won']"
test "$(cat ../after)" = "2.1.9 ['sales%2B2026.db', 'sales+2026.db'] []"
echo "as described"

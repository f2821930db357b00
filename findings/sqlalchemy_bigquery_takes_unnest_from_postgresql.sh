#!/usr/bin/env bash
# Once sqlalchemy-bigquery is imported, SQLAlchemy's func.unnest fails for PostgreSQL.
#
# Input:    select(func.unnest(func.string_to_array("a,b", ","))), compiled for PostgreSQL, in a process that has
#           loaded the dialect of BigQuery for another database.
# Expected: SELECT unnest(string_to_array(…)), as without that import.
# Seen:     TypeError: The argument to unnest must have an ARRAY type. The package registers a generic function
#           `unnest` of its own for all dialects, which wants SQLAlchemy to know the type of its argument. It also
#           lacks `inherit_cache`, so that reflecting a table of PostgreSQL warns about caching.
# Version:  sqlalchemy-bigquery 1.17.3 with SQLAlchemy 2.1.9, Python 3.11 (the only versions tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q sqlalchemy==2.1.9 sqlalchemy-bigquery==1.17.3
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql


def compiled():
    text = select(func.unnest(func.string_to_array("a,b", ",")))
    return str(text.compile(dialect=postgresql.dialect()))


assert compiled().startswith("SELECT unnest(string_to_array(")
import sqlalchemy_bigquery

try:
    seen = compiled()
except TypeError as error:
    seen = f"TypeError: {error}"
print("sqlalchemy-bigquery", sqlalchemy_bigquery.__version__, "makes of it:", seen)
raise SystemExit(0 if seen == "TypeError: The argument to unnest must have an ARRAY type." else 1)
PYTHON

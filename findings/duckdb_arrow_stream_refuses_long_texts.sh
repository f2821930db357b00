#!/usr/bin/env bash
# DuckDB's Arrow stream has 131,072 rows in each batch, however long they are, and fails if a column of them takes 2 GB.
#
# Input:    a relation of 140,000 texts of 17,000 characters, as Long Text Areas hold, limited to 200 MB of memory; it is
#           streamed to whoever reads `__arrow_c_stream__`, as ADBC drivers do.
# Expected: smaller batches, as a stream may have of any size; the relation itself is counted within the limit.
# Seen:     an error of the Arrow Appender about 2,147,483,647 bytes, after more than 2 GB of memory were taken; 200,000
#           rows of one character come as batches of 131,072 and 68,928 rows.
# Version:  duckdb 2.0.1 with pyarrow 26.0.1, Python 3.11 (the oldest versions tried).
#
# Run by hand, with 5 GB of memory; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import resource

import duckdb
import pyarrow

print("duckdb", duckdb.__version__, "pyarrow", pyarrow.__version__)
link = duckdb.connect(config={"memory_limit": "200MB", "threads": "1"})
short = link.sql("SELECT 'x' AS text FROM range(200000)")
sizes = [batch.num_rows for batch in pyarrow.RecordBatchReader.from_stream(short)]
print(sizes)
texts = "SELECT repeat('x', 17000) || i AS text FROM range(140000) r(i)"
print(link.sql(f"SELECT count(DISTINCT md5(text)) FROM ({texts})").fetchall())
try:
    for batch in pyarrow.RecordBatchReader.from_stream(link.sql(texts)):
        print(batch.num_rows, batch.nbytes)
    said = ""
except Exception as error:  # pyarrow's own
    said = str(error)
print(said[:150])
taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(taken // 1_000_000, "MB")
is_so = sizes == [131_072, 68_928] and "2147483647" in said and taken > 2_000_000_000
raise SystemExit(0 if is_so else 1)
PYTHON

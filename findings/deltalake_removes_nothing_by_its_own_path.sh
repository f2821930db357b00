#!/usr/bin/env bash
# deltalake does not find a file by the path that it lists it under, and removes nothing, without an error.
#
# Input:    a RemoveAction with the path that get_add_actions() lists, of a table partitioned by a value with a blank,
#           in create_write_transaction.
# Expected: the file is no longer part of the table: both speak of paths in the log.
# Seen:     the commit succeeds and the file is still there. The listed path is percent-encoded as in the log, and a
#           RemoveAction's is encoded once more. Decoded first, it works. Whoever replaces a file in this way, by an
#           AddAction beside it, has its rows twice. Paths without special characters are fine.
# Version:  deltalake 1.6.6 with duckdb 2.0.1, Python 3.11 (the only versions tried).
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q deltalake==1.6.6 duckdb==2.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import time
from urllib.parse import unquote

import deltalake
import duckdb
from deltalake.transaction import RemoveAction


def files_after_removing(change):
    deltalake.write_deltalake(
        "table", duckdb.sql("SELECT 1 AS id, 'a b' AS part"), partition_by=["part"], mode="overwrite"
    )
    table = deltalake.DeltaTable("table")
    (path,) = table.get_add_actions(flatten=True).column("path").to_pylist()
    removed = RemoveAction(change(path), True, int(time.time() * 1000), 0, {"part": "a b"})
    table.create_write_transaction([removed], "append", table.schema(), ["part"])
    return len(deltalake.DeltaTable("table").file_uris())


assert files_after_removing(unquote) == 0
left = files_after_removing(lambda path: path)
print("deltalake", deltalake.__version__, "leaves", left, "file after removing the only one as it is listed")
raise SystemExit(0 if left == 1 else 1)
PYTHON

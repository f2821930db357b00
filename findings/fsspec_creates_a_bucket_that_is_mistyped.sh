#!/usr/bin/env bash
# fsspec creates a bucket when a file is opened for writing in one that does not exist.
#
# Input:    `fsspec.open("s3://mistyped/rows.csv", "wb")`, with credentials that may create buckets.
# Expected: an error: the bucket does not exist. A missing folder may be made, a bucket is a place
#           with an owner, a price and rules.
# Seen:     the bucket is created, and the file is in it: `auto_mkdir`, which is on by default, makes
#           the parent of the path, and the parent of a file at the top of a bucket is the bucket.
#           With `auto_mkdir=False` it is an error.
# Version:  fsspec 2026.9.0 and s3fs 2026.9.0 on moto 5.1, Python 3.11.
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q fsspec==2026.9.0 s3fs==2026.9.0 'moto[server]==5.1.*'
export AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1
"$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"

import fsspec  # noqa: E402 - it reads the address

with fsspec.open("s3://mistyped/rows.csv", "wb") as out:
    out.write(b"Name\n")
made = fsspec.filesystem("s3").exists("mistyped")
try:
    with fsspec.open("s3://other/rows.csv", "wb", auto_mkdir=False) as out:
        out.write(b"Name\n")
    refused = False
except FileNotFoundError:
    refused = True
server.stop()
print("fsspec", fsspec.__version__, "created:", made, "refused without auto_mkdir:", refused)
sys.exit(not (made and refused))
PYTHON

#!/usr/bin/env bash
# fsspec replaces an object by what had been written of it when an error ended the `with` block.
#
# Input:    an object in S3; `with fsspec.open(url, "wb") as out`, in which the second write does not
#           come: what is read from fails, or Ctrl-C.
# Expected: the object is as before: S3 replaces an object at once or not at all.
# Seen:     leaving the block closes the file, and to close it is to commit it: the object has the
#           first half. The same after an upload of a part that failed.
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
from contextlib import suppress

from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"

import fsspec  # noqa: E402 - it reads the address

URL = "s3://bucket/rows.csv"
fsspec.filesystem("s3").mkdir("bucket")
with fsspec.open(URL, "wb") as out:
    out.write(b"old, whole\n")
with suppress(KeyboardInterrupt), fsspec.open(URL, "wb") as out:
    out.write(b"new, ha")
    raise KeyboardInterrupt
found = fsspec.filesystem("s3").cat(URL)
server.stop()
print("fsspec", fsspec.__version__, found)
sys.exit(found != b"new, ha")
PYTHON

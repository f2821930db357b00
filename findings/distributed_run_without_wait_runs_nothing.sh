#!/usr/bin/env bash
# distributed's Client.run of a plain function without waiting runs nothing, and returns None.
#
# Input:    Client.run(function, path, wait=False, on_error="return") on a cluster of one worker; the
#           function writes a file. The same with a coroutine function.
# Expected: both run, as the call returns no error; or the error is returned, which is what
#           on_error="return" is for.
# Seen:     the coroutine runs. The plain function never does: the worker refuses it with an
#           assertion that goes to its log, and the caller gets None, as for the coroutine.
# Version:  distributed 2026.8.0, Python 3.11.
#
# Run by hand; exits 0 while the behaviour is as described, 1 once it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q distributed==2026.8.0 dask==2026.8.0
cd "$folder"
cat > run.py <<'PYTHON'
import sys
from pathlib import Path

import distributed
from distributed import Client, LocalCluster


def plain(path):
    Path(path).write_text("ran")


async def coroutine(path):
    Path(path).write_text("ran")


if __name__ == "__main__":
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        seen = []
        for function in (plain, coroutine):
            answer = client.run(function, function.__name__, wait=False, on_error="return")
            client.run(str)  # the worker has done what came before
            seen.append((function.__name__, answer, Path(function.__name__).exists()))
    print("distributed", distributed.__version__, "(function, answer, ran):", seen)
    sys.exit(seen != [("plain", None, False), ("coroutine", None, True)])
PYTHON
venv/bin/python run.py 2>/dev/null

#!/usr/bin/env bash
# LocalCluster(dashboard_address=None) still opens a port for HTTP, 8787 or one beside it.
#
# Input:    a LocalCluster without workers and with dashboard_address=None, which its docstring says
#           disables the dashboard.
# Expected: nothing listens but the scheduler, on the loopback address of the cluster.
# Seen:     the scheduler's HTTP server listens on port 8787, or on another port with a warning where
#           that is taken, and answers requests for its health.
#           scheduler_kwargs={"dashboard_address": "127.0.0.1:0"} beside it gives it a free port.
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
import urllib.request

import distributed
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        server = cluster.scheduler.http_server
        port = server.port if server else None
        health = None
        if port:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
                health = answer.read().decode()
    print("distributed", distributed.__version__, "port:", port, "health:", health)
    sys.exit(not (port and health == "ok"))
PYTHON
venv/bin/python run.py 2>/dev/null

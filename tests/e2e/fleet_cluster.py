"""A Dask cluster for tests: says its address on stdout, and lives until its stdin is closed.

Its workers are started in the current folder, the project; one that dies is replaced.
"""

import logging
import sys

import dask.config
from distributed import LocalCluster

if __name__ == "__main__":
    # Or a worker that dies twice within 15 s is not replaced.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"})
    with LocalCluster(
        n_workers=int(sys.argv[1]),
        threads_per_worker=1,
        dashboard_address=None,
        scheduler_port=0,
        memory_limit=None,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        sys.stdout.write(f"{cluster.scheduler_address}\n")
        sys.stdout.flush()
        sys.stdin.read()

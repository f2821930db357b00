"""A Dask cluster for tests: says its address on stdout, and lives until its stdin is closed.

Its workers are started in the current folder, the project; one that dies is replaced.
"""

import logging
import multiprocessing
import sys

import dask.config
import distributed.utils
from distributed import LocalCluster

if __name__ == "__main__":
    # Its workers, and those that replace them, are forks of a process that has all of this loaded;
    # Dask would have it load pandas and more.
    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    distributed.utils._forkserver_preload_set = True  # noqa: SLF001
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["distributed", "runner.runs.fleet.worker", "runner.runs.execute"])
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

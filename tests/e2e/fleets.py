"""Dask clusters for tests, and projects whose jobs run on them."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.conftest import Bench

CREATE = """
- name: load
  create: Account
  api: bulk
  from: a.csv
"""


class Project:
    """A work tree whose jobs share a state; each folder in it has a local org of its own."""

    def __init__(self, folder, warm, address, serve_org):
        self.bench = Bench(folder, warm, {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s"})
        self.address = address
        self._warm = warm
        self._serve_org = serve_org
        self.places = []

    def org(self, name, rows="Name\nAcme\nBcme\n", tasks=CREATE):
        """A job in a folder with a local org of its own that runs."""
        place = Bench(self.bench.folder / name, self._warm, self.state())
        place.folder.mkdir()
        self.places.append(place)
        place.write("a.csv", rows)
        place.job(tasks, name=f"{name}.yaml")
        return self._serve_org(place=place)

    def end(self):
        for each in [self.bench, *self.places]:
            each.end()

    def state(self):
        own = self.bench.environ()
        return {"SFRUNNER_STATE": own["SFRUNNER_STATE"], "HOME": own["HOME"]}

    def run(self, *words):
        return self.bench.run("run", *words, "--on", self.address)

    def fleet(self):
        return self.bench.run("fleet", "--on", self.address, "-o", "json").document


@contextmanager
def cluster_in(folder, workers, **env):
    (folder / ".git").mkdir()
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("fleet_cluster.py"), str(workers)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.communicate(timeout=60)


@contextmanager
def worker_of(address, folder, *options):
    """A worker as `dask worker` starts it."""
    words = ("--nthreads", "1", "--no-dashboard", "--local-directory", folder / "scratch", *options)
    process = subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_worker", address, *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)

"""A cluster of this machine's cores, for one command.

Knows how its workers are started, and their folder. Knows nothing of jobs; imports no Dask, which
it is given.
"""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.resource_tracker import ensure_running
from pathlib import Path
from shutil import rmtree
from typing import Any

from runner.files import PRIVATE_FOLDER, delete_strays, temporary_path
from runner.state.paths import VARIABLE

_QUIET_TRACKER = "ignore:resource_tracker:UserWarning"


@contextmanager
def own_cluster(library: Any, workers: int, state: str | None) -> Iterator[Any]:  # noqa: ANN401 - an extra's
    """Start a cluster until the block ends.

    Args:
        library: `distributed`.
        workers: How many processes.
        state: The address of the state, which they get in their environment.
    """
    with (
        scratch_folder() as scratch,
        library.LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            dashboard_address=None,
            # Its port is 8787 otherwise, and another cluster there a warning.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            local_directory=str(scratch),
            memory_limit=None,
            silence_logs=logging.CRITICAL,
            env={} if state is None else {VARIABLE: state},
            # Or every user of this machine could run programs as this one.
            security=True,
            protocol="tls://",
        ) as cluster,
    ):
        cluster.sync(_without_interrupts)
        cluster.scale(workers)
        yield cluster


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the workers; those of commands that a second Ctrl-C ended are deleted."""
    place = Path(tempfile.gettempdir()) / "runner-dask"
    delete_strays(place)
    folder = temporary_path(place)
    folder.mkdir(PRIVATE_FOLDER)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


async def _without_interrupts() -> None:
    """Keep Ctrl-C from the workers, which this thread starts: the command tells them to stop."""
    # The tracker of semaphores starts now: it would start with the first of them, and let Ctrl-C
    # through again. After a second Ctrl-C it removes them, and is not to warn of them.
    sys.warnoptions.append(_QUIET_TRACKER)
    try:
        ensure_running()
    finally:
        sys.warnoptions.remove(_QUIET_TRACKER)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

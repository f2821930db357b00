"""The driver of the crash tests, for a state that machines share: each fork may be of another host.

`SFRUNNER_TEST_HOST` in a fork's environment is the name of its host. What ends up in the database
or in the store are points to be killed at, too.
"""

import platform
import socket
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from runner.state.shared.database import PostgresDatabase
from runner.state.shared.run_files import StoredFiles

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script's own folder is all it finds
sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

import driver
import warm

LIBRARIES = (
    "fsspec.implementations.local",
    "psycopg",
    "s3fs",
    "sqlalchemy.dialects.postgresql.psycopg",
)


@contextmanager
def of_a_host(asked):
    """In a fork: the points of the crash tests, those of a shared state, and a host's name."""
    host = asked["env"].get("SFRUNNER_TEST_HOST")
    if host:
        platform.node = socket.gethostname = lambda: host
    with driver.counted(asked):
        yield


def watch(points):
    """Put points around what changes the database or the store."""
    of_one_machine(points)
    writing = PostgresDatabase.writing

    @contextmanager
    def watched(database, *, synced=True):
        with writing(database, synced=synced) as connection:
            yield connection
            points.pass_one()
        points.pass_one()

    PostgresDatabase.writing = watched
    StoredFiles._send = driver.around(StoredFiles._send, points)  # noqa: SLF001 - found from outside
    StoredFiles._remove = driver.around(StoredFiles._remove, points)  # noqa: SLF001


of_one_machine, driver.watch = driver.watch, watch

if __name__ == "__main__":
    for name in LIBRARIES:
        import_module(name)
    warm.serve(of_a_host, driver.told)

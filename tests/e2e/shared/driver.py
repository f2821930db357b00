"""The driver of the crash tests, for a state that machines share: each fork may be of another host.

`SFRUNNER_TEST_HOST` in a fork's environment is the name of its host. What ends up in the database
or in the store are points to be killed at, too.
"""

import platform
import socket
from contextlib import contextmanager

from runner.state.shared.database import PostgresDatabase
from runner.state.shared.run_files import StoredFiles
from tests.e2e.crash import driver

LIBRARIES = (
    "fsspec.implementations.local",
    "psycopg",
    "s3fs",
    "sqlalchemy.dialects.postgresql.psycopg",
)


@contextmanager
def within(asked):
    """In a fork: the points of the crash tests, those of a shared state, and a host's name."""
    host = asked["env"].get("SFRUNNER_TEST_HOST")
    if host:
        platform.node = socket.gethostname = lambda: host
    with driver.within(asked):
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

"""Slow tests wait until they are asked for: `pytest -m slow`, or SFRUNNER_SLOW=1 for all tests."""

import gc
import os
import ssl
from functools import cache

import certifi
import pytest

from runner import redaction
from tests import short_form
from tests.laid_out import copy_layouts
from tests.postgresql import PROGRAMS, cluster, url_of
from tests.prepared import prepare
from tests.reused_databases import left_behind, reuse_databases

ONE_WORKER = (
    "tests/contract/",
    "tests/e2e/test_bulk_pages.py",
    "tests/e2e/test_fleet",
    "tests/property/test_fidelity.py",
    "tests/unit/report/plan/test_page.py",
    "tests/unit/state/test_s",
    "tests/unit/tables/targets/test_warehouse.py",
    "tests/unit/tables/test_postgresql",
)
TOGETHER = "tests/e2e/shared/"
"""Its modules go to one worker: they have one warm process, whose libraries take a second.

In the long form, where each test takes many, all workers have some.
"""
SHORT = ("tests/examples/", "tests/unit/")
"""The cases of a test go to a worker together: a message for each takes as long as some of them."""


def is_long_form(config):
    return "slow" in config.getoption("markexpr") or os.environ.get("SFRUNNER_SLOW") == "1"


def pytest_configure(config):
    short_form.is_long = is_long_form(config)
    gc.disable()  # while tests are collected: most of what is made then lives to the end
    prepare(config)
    ssl.create_default_context = _of_machine_once(ssl.create_default_context)
    copy_layouts()
    reuse_databases()


def _of_machine_once(made):
    """Make httpx's context once: it reads all certificates for each client, though most use no TLS.

    Others are made each time: pytest gives the path of a test's file to later tests, too.
    """
    kept = cache(made)
    # httpx asks for the file that the environment names, if it does.
    of_machine = {certifi.where(), os.environ.get("SSL_CERT_FILE")} - {None}

    def context(*args, **named):
        is_kept = not args and [*named] == ["cafile"] and named["cafile"] in of_machine
        return (kept if is_kept else made)(*args, **named)

    return context


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Tests wait for processes, disks and answers: twice as many as there are processors."""
    return 2 * (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """One worker has all tests of a module whose servers or imports take seconds."""
    if config.option.dist != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - tests run without xdist too

    class SomeByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = nodeid.partition("::")[0]
            if module.startswith(TOGETHER) and not short_form.is_long:
                return TOGETHER
            if module.startswith(ONE_WORKER):
                return module
            return nodeid.partition("[")[0] if module.startswith(SHORT) else nodeid

        def mark_test_complete(self, node, item_index, duration=0):
            super().mark_test_complete(node, item_index, duration)
            # It would count those that are done again after each test.
            scope = self._split_scope(self.registered_collections[node][item_index])
            assigned = self.assigned_work.get(node, {})
            if all(assigned.get(scope, {}).values()):
                assigned.pop(scope, None)

    return SomeByModule(config, log)


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch):
    """A process registers every secret it sees; each test starts with none."""
    fresh = type(redaction._registry)()  # noqa: SLF001 - only tests start again within a process
    monkeypatch.setattr(redaction, "_registry", fresh)


def pytest_collection_modifyitems(config, items):
    # Tests of units are the shortest: run last, they let all workers end together.
    items.sort(key=lambda item: item.nodeid.startswith("tests/unit/"))
    if short_form.is_long:
        return
    slow = [item for item in items if "slow" in item.keywords]
    if any("::" in each for each in config.args):  # somebody asks for tests by their names
        not_asked = pytest.mark.skip(reason="slow: run with `-m slow`, or with SFRUNNER_SLOW=1")
        for item in slow:
            item.add_marker(not_asked)
    elif slow:  # to report them one by one would take seconds
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if "slow" not in item.keywords]


def pytest_collection_finish():
    gc.enable()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_other_tests():
    yield
    assert left_behind() == []


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL cluster; gives the folder of its socket."""
    if PROGRAMS is None:
        pytest.skip("PostgreSQL is not installed")
    with cluster() as socket:
        yield socket


@pytest.fixture
def empty_postgres(postgres):
    """The URL of its database, with no table in the schema that is searched."""
    import psycopg  # noqa: PLC0415 - few tests need it

    url = url_of(postgres)
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url

"""Slow tests wait until they are asked for: `pytest -m slow`, or SFRUNNER_SLOW=1 for all tests."""

import os

import pytest

from runner import credentials


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch):
    """A process remembers every secret it meets; one test's pretend ones are no other's."""
    fresh = type(credentials._known)()  # noqa: SLF001 - only tests begin anew within a process
    monkeypatch.setattr(credentials, "_known", fresh)


def pytest_collection_modifyitems(config, items):
    asked = "slow" in config.getoption("markexpr") or os.environ.get("SFRUNNER_SLOW") == "1"
    if asked:
        return
    not_asked = pytest.mark.skip(reason="slow: run with `-m slow`, or with SFRUNNER_SLOW=1")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(not_asked)

"""Slow tests wait until they are asked for: `pytest -m slow`, or SFRUNNER_SLOW=1 for all tests."""

import os

import pytest


def pytest_collection_modifyitems(config, items):
    asked = "slow" in config.getoption("markexpr") or os.environ.get("SFRUNNER_SLOW") == "1"
    if asked:
        return
    not_asked = pytest.mark.skip(reason="slow: run with `-m slow`, or with SFRUNNER_SLOW=1")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(not_asked)

"""Where other people's heavy clients are installed."""

import os
from pathlib import Path

import pytest

DEFAULT_CLIENTS = "~/.cache/sfrunner-clients"


@pytest.fixture(scope="session")
def clients():
    """The folder that CONTRIBUTING.md installs the heavy clients into."""
    return Path(os.environ.get("SFRUNNER_TEST_CLIENTS", DEFAULT_CLIENTS)).expanduser()


@pytest.fixture(scope="session")
def installed(clients):
    """A function that gives a file of the heavy clients, or skips the test."""

    def find(path):
        if not (clients / path).exists():
            pytest.skip(f"{path} is not in {clients}: see CONTRIBUTING.md, Other people's clients")
        return clients / path

    return find

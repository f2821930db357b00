"""A project for tests of jobs."""

import pytest

from tests.unit.runs.project import Project


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)

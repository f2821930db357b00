"""A part of rows, and the result files that the org gives of it."""

import pytest

from runner.tables.results.row_results import RowResults


@pytest.fixture
def one_part(stage, tmp_path):
    def make(content, columns):
        staging = stage(content, columns)
        (part,) = list(staging.parts(tmp_path / "parts"))
        return RowResults(staging), part

    return make


@pytest.fixture
def answer(tmp_path):
    def write(name, text):
        file = tmp_path / f"{name}.csv"
        file.write_text(text, encoding="utf-8", newline="")
        return file

    return write

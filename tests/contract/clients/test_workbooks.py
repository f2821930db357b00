"""Workbooks that other people's libraries wrote are read as their writers meant them."""

import csv
import importlib
import io
import os
import subprocess
from datetime import date
from itertools import product
from pathlib import Path

import pytest

from runner.errors import SourceError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.sources.open import open_source

SCRIPT = Path(__file__).with_name("workbooks.cjs")
WAYS = [*product(["sheetjs"], ["xlsx", "xlsm", "xlsb", "xls"]), ("exceljs", "xlsx")]
ROW = ["00123", "25", "2026-01-31", "true", "1", "Grün", "2026-01-31 12:00:00"]


def rows_of(path, folder):
    (records,) = open_source(FileSource(path, FileShape(FileFormat.EXCEL)), folder)
    text = io.StringIO(b"".join(records.blocks).decode(), newline="")
    return list(csv.reader(text))


@pytest.fixture(scope="session")
def written(installed, tmp_path_factory):
    """A folder with the files of both libraries."""
    node = installed("node_modules/node/bin/node")
    installed("node_modules/exceljs")
    installed("node_modules/xlsx")
    folder = tmp_path_factory.mktemp("workbooks")
    env = {"PATH": os.environ["PATH"], "NODE_PATH": str(node.parents[2]), "TZ": "UTC"}
    subprocess.run([node, SCRIPT, folder], env=env, check=True, timeout=60)
    return folder


@pytest.mark.parametrize(("library", "extension"), WAYS)
def test_a_sheet_of_javascript_is_read_as_meant(written, tmp_path, library, extension):
    assert rows_of(written / f"{library}-values.{extension}", tmp_path) == [ROW]
    with pytest.raises(SourceError, match="cell E2 of sheet 'Rows' contains the error #DIV/0!"):
        rows_of(written / f"{library}-error.{extension}", tmp_path)


@pytest.mark.parametrize("library", ["exceljs", "sheetjs"])
def test_a_formula_that_javascript_does_not_calculate_stops_the_task(written, tmp_path, library):
    with pytest.raises(
        SourceError, match="cell E2 of sheet 'Rows' contains a formula whose result"
    ):
        rows_of(written / f"{library}-missing.xlsx", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_data_frame_is_read_as_it_was(tmp_path, library):
    frames = importlib.import_module(library)
    frame = frames.DataFrame(
        {"Key": ["00123"], "Day": [date(2026, 1, 31)], "Flag": [True], "Total": [0.1 + 0.2]}
    )
    write = frame.write_excel if library == "polars" else frame.to_excel
    write(tmp_path / "a.xlsx", **({} if library == "polars" else {"index": False}))
    assert rows_of(tmp_path / "a.xlsx", tmp_path) == [["00123", "2026-01-31", "true", "0.3"]]

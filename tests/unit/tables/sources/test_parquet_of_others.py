"""Parquet files of programs that say more than Parquet itself, or less than DuckDB believes."""

import base64
import csv
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.sources.arrow_durations import durations_of
from runner.tables.sources.open import describe_partitions, open_source
from runner.tables.sources.parquet import read_partition
from runner.tables.sources.value_texts import duration_text

DURATIONS = [
    timedelta(hours=30, minutes=15),
    timedelta(hours=8, minutes=30, milliseconds=50),
    timedelta(),
    timedelta(seconds=-1, milliseconds=-500),
    timedelta(days=20_000),
]
NAN = float("nan")


@pytest.fixture
def texts(tmp_path):
    """The texts of a frame's rows, read as a whole and in partitions."""

    def read(frame, **shape):
        file = tmp_path / "a.parquet"
        frame.write_parquet(file)
        source = FileSource(file, FileShape(FileFormat.PARQUET, **shape))
        (whole,) = open_source(source, tmp_path)
        (described,) = describe_partitions(source, 1_000)
        assert described.written == whole.written
        parts = [read_partition(each, tmp_path / "part.csv") for each in described.partitions]
        of_parts = b"".join(block for part in parts for block in part.blocks)
        content = b"".join(whole.blocks)
        assert of_parts == content
        return list(csv.reader(content.decode().splitlines()))

    return read


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_duration_is_no_number_of_its_unit(texts, unit):
    took = pl.Series([*DURATIONS, None], dtype=pl.Duration(unit))
    found = texts(pl.DataFrame({"n": [1, 2, 3, 4, 5, 6], "took": took}))
    expected = [*map(duration_text, DURATIONS), ""]
    assert found == [[str(n), each] for n, each in enumerate(expected, start=1)]


@pytest.mark.parametrize("metadata", [b"", b"xx", b"/////+oCAAAE", base64.b64encode(bytes(64))])
def test_a_schema_that_cannot_be_read_tells_no_durations(metadata):
    assert durations_of(metadata) == {}


@pytest.mark.parametrize(
    ("kind", "value"),
    [(pl.Datetime("us", "UTC"), 0), (pl.Datetime("ns", "UTC"), 0), (pl.Binary, b"x")],
)
def test_a_blank_in_the_only_column_is_a_row(texts, kind, value):
    (first, second) = texts(pl.DataFrame({"a": pl.Series([value, None], dtype=kind)}))
    assert first != [""]
    assert second == [""]


def test_a_moment_in_nanoseconds_is_written_as_any_other(texts):
    moments = [datetime(2026, 1, 31, 8, 30, tzinfo=UTC), None]
    berlin = pl.Series(moments, dtype=pl.Datetime("ns", "UTC")).dt.convert_time_zone(
        "Europe/Berlin"
    )
    exact = (berlin.cast(pl.Int64) + 123_456_789).cast(berlin.dtype)
    assert texts(pl.DataFrame({"a": berlin, "b": exact, "n": [1, 2]})) == [
        ["2026-01-31T08:30:00.000000Z", "2026-01-31T08:30:00.123456789Z", "1"],
        ["", "", "2"],
    ]


@pytest.mark.parametrize("number", [0.1, 0.0, -1.0, 123.0])
def test_nan_is_found_where_the_statistics_of_a_file_leave_it_out(texts, number):
    shown = f"{number:g}"
    frame = pl.DataFrame({"x": [number, NAN, number]})
    assert texts(frame) == [[shown], ["NaN"], [shown]]

"""Results of sources with no row, and with thousands."""

import csv

import pytest

from runner.errors import StorageError
from runner.outcome import RowResult, RowStatus
from runner.tables.results import held_results
from runner.tables.results.row_results import RowResults


def read(file):
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_files_are_written_for_an_empty_source_too(stage, tmp_path):
    RowResults(stage(b"a\n")).write_files(tmp_path)
    assert (tmp_path / "succeeded.csv").read_text() == "a,sf__Row,sf__Id,sf__Created\n"


def test_many_results_are_taken_in_over_several_turns(stage, tmp_path):
    staging = stage(b"a\n" + b"".join(b"%d\n" % n for n in range(6_000)))
    results = RowResults(staging)
    for batch in staging.batches(500):
        results.add(
            [RowResult(row, RowStatus.SUCCEEDED, f"id{row}", created=True) for row, _ in batch]
        )
    results.write_files(tmp_path)
    rows = read(tmp_path / "succeeded.csv")
    assert [row["sf__Id"] for row in rows] == [f"id{n}" for n in range(1, 6_001)]


def test_messages_of_many_rows_may_be_long(stage, tmp_path):
    staging = stage(b"Name\n" + b"A\n" * 6_000)
    results = RowResults(staging)
    message = "a,b,c,d,e,f,g\n" * 150
    results.add([RowResult(n, RowStatus.FAILED, message=message) for n in range(1, 6_001)])
    assert results.counts().failed == 6_000
    results.write_files(tmp_path)
    assert {row["sf__Message"] for row in read(tmp_path / "failed.csv")} == {message}


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"")])
def test_results_that_somebody_has_damaged_are_an_error(stage, tmp_path, monkeypatch, damage):
    monkeypatch.setattr(held_results, "_MOST_BYTES_IN_MEMORY", 0)
    staging = stage(b"a,b\n1,2\n3,4\n")
    results = RowResults(staging)
    results.add([RowResult(2, RowStatus.FAILED, code="BAD", message="no")])
    (held,) = staging.folder.glob("held*")
    damage(held)
    with pytest.raises(StorageError, match="Result files cannot be written"):
        results.write_files(tmp_path)
    assert results.top_errors() == (("BAD", "no", 1, 2),)

"""Results of sources with no row, and with thousands."""

import csv

import pytest

from runner.errors import StorageError
from runner.outcome import RowResult, RowStatus
from runner.redaction import forget_secret, register_secret
from runner.tables.results import held_results, succeeded_lines
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


SECRET = "aToken-that-the-org-repeats.0123456789"


@pytest.fixture
def secret():
    register_secret(SECRET)
    yield SECRET
    forget_secret(SECRET)


@pytest.mark.parametrize("in_memory", [0, 2_000_000])
def test_a_secret_in_one_of_many_messages_is_masked(
    stage, tmp_path, monkeypatch, secret, in_memory
):
    monkeypatch.setattr(held_results, "_MOST_BYTES_IN_MEMORY", in_memory)
    results = RowResults(stage(b"a\n" + b"1\n" * 30))
    messages = {row: f"Row {row} is wrong" for row in range(1, 31)}
    expected = dict(messages)
    messages[7], expected[7] = f"Session {secret} has expired", "Session *** has expired"
    results.add(
        [RowResult(n, RowStatus.FAILED, None, None, "BAD", text) for n, text in messages.items()]
    )
    assert expected[7] in {message for _, message, _, _ in results.top_errors()}
    results.write_files(tmp_path)
    rows = read(tmp_path / "failed.csv")
    assert {int(row["sf__Row"]): row["sf__Message"] for row in rows} == expected
    assert {row["sf__Code"] for row in rows} == {"BAD"}


def test_of_many_results_only_those_of_a_chunk_are_read_for_it(stage, tmp_path, monkeypatch):
    monkeypatch.setattr(held_results, "_MOST_BYTES_IN_MEMORY", 0)
    sizes = []

    def read_at(file, offset, size):
        sizes.append(size)
        return succeeded_lines.read_at(file, offset, size)

    monkeypatch.setattr(held_results, "read_at", read_at)
    staging = stage(b"a\n" + b"1\n" * 20_000)
    held = held_results.HeldResults(staging.folder / "held")
    held.add([RowResult(n, RowStatus.FAILED, message="no") for n in range(1, 20_001)])
    assert held.has_any(12_345, 12_345)
    assert 0 < sum(sizes) < (staging.folder / "held").stat().st_size / 10


@pytest.mark.parametrize("in_memory", [0, 2_000_000])
@pytest.mark.parametrize("in_table", [False, True])
def test_half_a_surrogate_pair_in_a_message_is_a_question_mark(
    stage, tmp_path, monkeypatch, in_memory, in_table
):
    monkeypatch.setattr(held_results, "_MOST_BYTES_IN_MEMORY", in_memory)
    results = RowResults(stage(b"a\n1\n2\n"))
    results.add(
        [
            RowResult(1, RowStatus.FAILED, None, None, "C\udc00", "bad: \ud800", ("a\udfff",)),
            RowResult(2, RowStatus.FAILED, None, None, "BAD", "\N{GRINNING FACE}"),
        ]
    )
    if in_table:
        results.use_table()
    results.write_files(tmp_path)
    said = [
        (row["sf__Code"], row["sf__Message"], row["sf__Fields"])
        for row in read(tmp_path / "failed.csv")
    ]
    assert said == [("C?", "bad: ?", "a?"), ("BAD", "\N{GRINNING FACE}", "")]
    assert ("C?", "bad: ?", 1, 1) in results.top_errors()

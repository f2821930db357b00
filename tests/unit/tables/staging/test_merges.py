"""What rows of a merge name: contradictions, and what is left to merge."""

import pytest

from runner.job.merges import LOSERS, MASTER
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.staging.found_records import add_records
from runner.tables.staging.merges import NamedRecords, losers_to_send

A, B, C, D, E = (f"003LO000000000{n}YAA" for n in range(5))


@pytest.fixture
def staged(stage):
    def read(*rows):
        columns = [MappedColumn(MASTER, "m", FieldKind.ID, required=True, id_prefix="003")]
        columns += [
            MappedColumn(name, sql, FieldKind.ID, required=sql == "a", id_prefix="003")
            for name, sql in zip(LOSERS, "ab", strict=True)
        ]
        cells = "\n".join(",".join((*row, "", "")[:3]) for row in rows)
        return stage(f"m,a,b\n{cells}\n".encode(), columns)

    return read


def sent(staging):
    return [(row, *record.values()) for batch in staging.batches(100) for row, record in batch]


@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        ([(A, B), (A, C), (D, E)], {}),
        ([(A, A)], {1: "is its own master"}),
        ([(A, B, A[:15])], {1: "is its own master"}),
        ([(A, B, B)], {1: "is named twice"}),
        ([(A, B), (C, D), (E, B)], {3: "is already the loser of row 1"}),
        ([(A, B), (A, B[:15])], {2: "is already the loser of row 1"}),
        ([(A, B), (B, C)], {1: "is the master of row 2"}),
        ([(A, B), (B, A)], {1: "is the master of row 2", 2: "is the master of row 1"}),
        ([(A, "001LO0000000000YAA")], {1: "another object's Id"}),
        ([("x", B), ("", C)], {1: "is not a record Id", 2: "blank"}),
    ],
)
def test_rows_with_which_nothing_should_be_merged(staged, rows, refused):
    found = dict(NamedRecords(staged(*rows), "Contact").refused(10))
    assert list(found) == list(refused)
    assert [why for row, why in found.items() if refused[row] not in why] == []


def test_what_is_merged_already_is_left_out_and_what_is_not_there_fails(staged, failed_rows):
    staging = staged((A, B, C), (A, D), (E, B), (A, E))
    records = NamedRecords(staging, "Contact")
    assert sorted(each for page in records.pages_of_ids() for each in page) == [A, B, C, D, E]
    found = [(A, "false", None), (B, "true", A), (C, "false", None), (D, "true", A)]
    add_records(records, found)
    records.apply()
    assert sent(staging) == [(1, A, C)]
    assert (staging.unchanged_total, losers_to_send(staging)) == (1, 1)
    assert [
        (row["sf__Row"], row["sf__Code"], row["sf__Message"]) for row in failed_rows(staging)
    ] == [
        ("3", "KEY_NOT_FOUND", f"master: no Contact has the Id {E}"),
        ("4", "KEY_NOT_FOUND", f"loser: no Contact has the Id {E}"),
    ]
    told = staged((C, B), (D, C))
    records = NamedRecords(told, "Contact")
    add_records(records, [(B, "true", A), (C, "false", None), (D, "true", None)])
    records.apply()
    assert [row["sf__Message"] for row in failed_rows(told)] == [
        f"loser: {B} has been merged into {A}",
        f"master: {D} has been deleted",
    ]

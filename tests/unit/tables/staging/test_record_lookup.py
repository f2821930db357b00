"""Keys of staged rows become Ids, or decide which fields are left out, chunk by chunk."""

import pytest

from runner.errors import UnexpectedAnswerError
from runner.job.choices import Blank
from runner.outcome import RowResult, RowStatus
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.results.row_results import RowResults
from runner.tables.sources import chunks
from runner.tables.staging.comparison import Tally
from runner.tables.staging.equality import HeldField
from runner.tables.staging.found_records import add_records
from runner.tables.staging.record_lookup import Effects, RecordLookup, apply_by_id
from runner.tables.staging.rows import StagedRows
from runner.tables.staging.snapshot import read_snapshot, save_snapshot, staged_files


def lookup_of(staging, *, is_case_sensitive=False):
    key = next(each for each in staging.mappings if each.column.required)
    return RecordLookup(staging, key, "Key__c", tells_case=is_case_sensitive)


def by_key(kind=FieldKind.TEXT):
    return [
        MappedColumn("Id", "Key", kind, required=True, found_by="Key__c"),
        MappedColumn("Name", None),
    ]


def test_keys_become_ids_and_rows_without_one_record_are_rejected(stage, failed_rows, monkeypatch):
    monkeypatch.setattr(chunks, "_BLOCK_BYTES", 100)
    monkeypatch.setattr("runner.tables.sources.chunks.cut_chunks.__defaults__", (200,))
    keys = ("", "K1", "k2", "K3", "K1", "'K4")
    rows = (f"{key},{name * 60}\n" for key, name in zip(keys, "abcdef", strict=True))
    content = ("Key,Name\n" + "".join(rows)).encode()
    staging = stage(content, by_key(), blank=Blank.CLEAR)
    assert len(staging.chunks) > 1
    lookup = lookup_of(staging)
    assert lookup.count == 5
    assert sorted(key for page in lookup.pages_of_keys() for key in page) == [
        "'K4",
        "K1",
        "K3",
        "k2",
    ]
    add_records(
        lookup, [("001A", "k1 "), ("001B", "K2"), ("001C", "K3"), ("001D", "k3"), ("001E", "K5")]
    )
    lookup.apply(Effects("Thing__c", sends_ids=True))
    sent = [(row, record) for batch in staging.batches(10) for row, record in batch]
    assert sent == [
        (2, {"Id": "001A", "Name": "b" * 60}),
        (3, {"Id": "001B", "Name": "c" * 60}),
        (5, {"Id": "001A", "Name": "e" * 60}),
    ]
    assert [
        (row["sf__Row"], row["sf__Code"], row["sf__Fields"]) for row in failed_rows(staging)
    ] == [
        ("1", "KEY_IS_BLANK", "Key__c"),
        ("4", "KEY_IS_AMBIGUOUS", "Key__c"),
        ("6", "KEY_NOT_FOUND", "Key__c"),
    ]


@pytest.mark.parametrize(
    ("kind", "is_case_sensitive", "key", "found"),
    [
        (FieldKind.TEXT, False, "Ä1", "ä1"),
        (FieldKind.TEXT, True, "a1", "a1"),
        (FieldKind.NUMBER, False, "7", "7.0"),
        (FieldKind.NUMBER, False, "912260031", "9.12260031E8"),
        (FieldKind.NUMBER, False, "123456789012345679", "123456789012345679"),
    ],
)
def test_keys_that_the_org_takes_for_the_same_are_the_same(
    stage, rows_of, kind, is_case_sensitive, key, found
):
    staging = stage(f"Key,Name\n{key},a\n".encode(), by_key(kind))
    lookup = lookup_of(staging, is_case_sensitive=is_case_sensitive)
    add_records(lookup, [("001A", found)])
    lookup.apply(Effects("Account", sends_ids=True))
    assert rows_of(staging) == [{"Id": "001A", "Name": "a"}]


@pytest.mark.parametrize(
    ("kind", "is_case_sensitive", "key", "found"),
    [
        (FieldKind.TEXT, True, "a1", "A1"),
        (FieldKind.TEXT, False, "a1", "\u00a0a1"),
        (FieldKind.NUMBER, False, "123456789012345679", "123456789012345678"),
    ],
)
def test_keys_that_the_org_tells_apart_are_not(
    stage, failed_rows, kind, is_case_sensitive, key, found
):
    staging = stage(f"Key,Name\n{key},a\n".encode(), by_key(kind))
    lookup = lookup_of(staging, is_case_sensitive=is_case_sensitive)
    add_records(lookup, [("001A", found)])
    lookup.apply(Effects("Account", sends_ids=True))
    assert [row["sf__Code"] for row in failed_rows(staging)] == ["KEY_NOT_FOUND"]


@pytest.mark.parametrize("blank", Blank)
def test_fields_of_creation_are_left_out_of_rows_with_a_record(stage, rows_of, blank):
    columns = [MappedColumn("Key__c", "Key", required=True), MappedColumn("Name", None)]
    staging = stage(b"Key,Name\nK1,a\nK2,b\nK1,\n", columns, blank=blank)
    lookup = lookup_of(staging)
    add_records(lookup, [("001A", "k1")])
    lookup.apply(Effects("Account", on_create={"Name"}))
    assert rows_of(staging) == [{"Key__c": "K1"}, {"Key__c": "K2", "Name": "b"}, {"Key__c": "K1"}]


def test_in_an_upsert_by_id_a_row_with_an_id_has_a_record(stage, rows_of):
    columns = [MappedColumn("Id", None, FieldKind.ID), MappedColumn("Name", None)]
    staging = stage(b"Id,Name\n001000000000001,a\n,b\n", columns)
    apply_by_id(staging, Effects("Account", on_create={"Name"}))
    assert rows_of(staging) == [{"Id": "001000000000001"}, {"Name": "b"}]


@pytest.mark.parametrize("row", ['"","K1"', '"001A",""'])
def test_records_without_an_id_or_a_key_are_no_answer(stage, tmp_path, row):
    """Passed over, they would be records that do not exist."""
    lookup = lookup_of(stage(b"Key,Name\nK1,a\n", by_key()))
    file = tmp_path / "records.csv"
    file.write_text(f'"Id","Key__c"\n{row}\n"001B","K2"\n', encoding="utf-8")
    with pytest.raises(UnexpectedAnswerError, match="1 of the records found by Key__c"):
        lookup.add_file(file)


def compared_with(staging, *records, also=("SystemModstamp",)):
    """The rows to send once these records were compared."""
    key = next(each for each in staging.mappings if each.column.required)
    fields = [HeldField("Name", "string"), HeldField("Phone", "phone")]
    lookup = RecordLookup(staging, key, "Key__c", tells_case=False, fields=fields, also=also)
    assert lookup.paths == (*also, "Name", "Phone")
    add_records(lookup, records)
    lookup.apply(Effects("Account", only_changes=True))
    return lookup.comparison


COMPARED = [MappedColumn("Key__c", "Key", required=True)] + [
    MappedColumn(name, None) for name in ("Name", "Phone")
]
STAMP = "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize("also", [("SystemModstamp",), ()])
def test_what_a_record_holds_is_not_sent_and_the_row_keeps_its_number(stage, rows_of, also):
    staging = stage(b"Key,Name,Phone\nK1,a,1\nK2,b,2\n,c,\nK3, c ,\nK4,d,4\n", COMPARED)
    stamp = [STAMP] if also else []
    records = [("001A", "k1", *stamp, "a", "1"), ("001B", "K2", *stamp, "b", None)]
    records += [("001C", "K3", *stamp, "c", "9")]
    compared_with(staging, *records, also=also)
    sent = [(row, record) for batch in staging.batches(10) for row, record in batch]
    assert sent == [
        (2, {"Key__c": "K2", "Phone": "2"}),
        (5, {"Key__c": "K4", "Name": "d", "Phone": "4"}),
    ]
    assert (staging.unchanged_total, staging.rejected_total, staging.rows_total) == (2, 3, 5)


def test_a_row_of_several_records_is_sent_as_it_is(stage, rows_of):
    staging = stage(b"Key,Name,Phone\nK1,a,1\n", COMPARED)
    same = (STAMP, "a", "1")
    compared_with(staging, ("001A", "K1", *same), ("001B", "k1", *same))
    assert rows_of(staging) == [{"Key__c": "K1", "Name": "a", "Phone": "1"}]


def test_a_record_that_was_read_twice_is_one(stage, rows_of):
    staging = stage(b"Key,Name,Phone\nK1,a,1\n", COMPARED)
    found = ("001000000000001AAA", "K1", STAMP, "a", "1")
    compared_with(staging, found, found)
    assert rows_of(staging) == []
    assert staging.unchanged_total == 1


def test_the_comparison_counts_what_a_write_would_do(stage):
    content = b"Key,Name,Phone\nK1,a,1\nK2,b,#N/A\nK3,c,3\nK4,#N/A,#N/A\n"
    staging = stage(content, COMPARED)
    comparison = compared_with(
        staging,
        ("001A", "K1", STAMP, "a", "1"),
        ("001B", "K2", STAMP, "b", "2"),
        ("001C", "K4", STAMP, "d", None),
    )
    assert comparison.tally(staging) == Tally(creates=1, updates=2, unchanged=0, clears=2)


def test_what_is_left_is_sent_in_parts_and_survives_the_process(stage, tmp_path):
    content = b"Key,Name,Phone\n" + b"".join(b"K%d,a,%d\n" % (n, n) for n in range(1, 7))
    staging = stage(content, COMPARED)
    held = [(f"001{n}", f"K{n}", STAMP, "a", str(n if n % 2 else 0)) for n in range(1, 7)]
    compared_with(staging, *held)
    parts = list(staging.parts(tmp_path / "parts", max_rows=2))
    assert [(part.first_row, part.last_row, part.rows) for part in parts] == [(1, 4, 2), (6, 6, 1)]
    save_snapshot(staging, tmp_path / "rows", staged_files(staging))
    snapshot = read_snapshot(tmp_path / "rows")
    again = StagedRows(tmp_path / "again")
    snapshot.restore(again, COMPARED, timezone="UTC")
    assert (again.unchanged_total, again.rejected_total) == (3, 3)
    sent = [(row, record) for batch in again.batches(10) for row, record in batch]
    assert sent == [(n, {"Key__c": f"K{n}", "Phone": str(n)}) for n in (2, 4, 6)]
    results = RowResults(again)
    results.add([RowResult(2, RowStatus.SUCCEEDED), RowResult(4, RowStatus.FAILED, code="X")])
    counts = results.write_files(tmp_path)
    told = (counts.read, counts.updated, counts.failed, counts.unprocessed, counts.unchanged)
    assert told == (6, 1, 1, 1, 3)
    files = {name: (tmp_path / f"{name}.csv").read_text() for name in ("succeeded", "unprocessed")}
    assert files["succeeded"].splitlines()[1:] == ["K2,a,2,2,,"]
    assert files["unprocessed"].splitlines()[1:] == ["K6,a,6,6"]
    again.discard()

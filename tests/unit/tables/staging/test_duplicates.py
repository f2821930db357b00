"""Which keys are the same, over chunks and for keys of every type."""

from itertools import product

import pytest

from runner.job.choices import Duplicates
from runner.tables.field_types import FieldKind, MappedColumn
from runner.tables.sources import chunks
from runner.tables.staging import chunk_mapping, key_hashes
from runner.tables.staging.duplicates import settle_duplicates
from runner.tables.staging.rows import StagedRows
from tests.luajit_choice import compile_always, compile_never
from tests.short_form import short_form


@pytest.fixture
def sent(stage):
    def read(content, kind=FieldKind.TEXT, keep=Duplicates.FAIL, *, tells_case=False):
        key = MappedColumn("k", None, kind, required=True, tells_case=tells_case)
        staging = stage(content.encode(), [key, MappedColumn("v", None)])
        settle_duplicates(staging, keep)
        rows = [row for batch in staging.batches(10_000) for row, _ in batch]
        return rows, staging

    return read


@pytest.mark.parametrize(
    ("keys", "kind", "tells_case", "rows"),
    [
        (["a", "A", "a ", "ä", "Ä"], FieldKind.TEXT, False, [1, 4]),
        (["a", "A", " a", "b"], FieldKind.TEXT, True, [1, 2, 4]),
        (["1", "1.0", "01", "1e0", "1.5", "2"], FieldKind.NUMBER, False, [1, 5, 6]),
        (["900719925474099301", "900719925474099302"], FieldKind.INTEGER, False, [1, 2]),
        (["001A0000001aaaa", "001A0000001aaaaAAA", "001A0000001aaab"], FieldKind.ID, False, [1, 3]),
        (["", "", "x"], FieldKind.TEXT, False, [3]),
    ],
)
def test_keys_that_the_org_takes_for_the_same(sent, keys, kind, tells_case, rows):
    content = "k,v\n" + "".join(f'"{key}",{place}\n' for place, key in enumerate(keys))
    assert sent(content, kind, tells_case=tells_case)[0] == rows


KEPT = {Duplicates.FAIL: {1}, Duplicates.FIRST: {1}, Duplicates.LAST: {9_000}}
FEW, MANY = (1, 1_000), (30, 50_000)


@pytest.mark.parametrize(
    ("choose", "odd", "at_once", "keep"),
    short_form(
        [*product([compile_always, compile_never], ["", "ä"], [FEW, MANY], KEPT)],
        [
            (compile_always, "", FEW, Duplicates.FAIL),
            (compile_always, "ä", MANY, Duplicates.FIRST),
            (compile_always, "", MANY, Duplicates.LAST),
            (compile_never, "ä", FEW, Duplicates.LAST),
            (compile_never, "", MANY, Duplicates.FAIL),
            (compile_never, "", FEW, Duplicates.FIRST),
        ],
    ),
)
def test_rows_of_one_key_in_several_chunks(sent, monkeypatch, choose, odd, at_once, keep):
    rows, (columns_at_once, keys_at_once) = KEPT[keep], at_once
    choose(monkeypatch)
    monkeypatch.setattr(key_hashes, "_COMPARED_AT_ONCE", keys_at_once)
    monkeypatch.setattr(key_hashes, "_DIVIDED_AT_ONCE", 2)
    monkeypatch.setattr(chunks.cut_chunks, "__defaults__", (10_000,))
    monkeypatch.setattr(chunks, "_BLOCK_BYTES", 10_000)
    monkeypatch.setattr(chunk_mapping, "_COLUMNS_AT_ONCE", columns_at_once)
    same = {1, 5_000, 9_000}
    keys = {3_000: f"3000{odd}"} | dict.fromkeys(same, "same")
    lines = [f"{keys.get(row, row)},v\n" for row in range(1, 10_001)]
    found, staging = sent("k,v\n" + "".join(lines), keep=keep)
    assert len(staging.chunks) > 2
    assert same & set(found) == rows & same
    assert len(found) == 9_998
    assert staging.skipped_total == (0 if keep is Duplicates.FAIL else 2)
    assert staging.rejected_total == 2


def test_rows_that_were_rejected_anyway_keep_their_reason(sent, failed_rows):
    _, staging = sent("k,v\na,1\n,2\na,3\n")
    assert [(row["sf__Row"], row["sf__Code"]) for row in failed_rows(staging)] == [
        ("2", "KEY_IS_BLANK"),
        ("3", "DUPLICATE_KEY"),
    ]


@pytest.mark.parametrize("keys_at_once", [1_000, 50_000])
def test_no_engine_compares_keys_of_which_bytes_tell(sent, monkeypatch, keys_at_once):
    compile_always(monkeypatch)
    monkeypatch.setattr(key_hashes, "_COMPARED_AT_ONCE", keys_at_once)
    monkeypatch.setattr(chunks.cut_chunks, "__defaults__", (10_000,))
    monkeypatch.setattr(chunks, "_BLOCK_BYTES", 10_000)
    lines = [f"{row},v\n" for row in range(1, 10_001)]
    with monkeypatch.context() as patch:
        patch.setattr(StagedRows, "batches", lambda *_: [])
        _, staging = sent("k,v\n" + "".join(lines))
    assert len(staging.chunks) > 2
    assert staging.rejected_total == 0
    assert not staging.database.is_open

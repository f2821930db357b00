"""Numbers that the org prints with an exponent."""

import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.tables.field_types import FieldKind
from runner.tables.targets import exponents
from runner.tables.targets.exponents import remove_exponents, without_exponent
from runner.tables.targets.rest_rows import QueryColumn
from tests.luajit_choice import compile_always, compile_never

COLUMNS = (
    QueryColumn("Name", FieldKind.TEXT),
    QueryColumn("Amount", FieldKind.NUMBER),
    QueryColumn("Gone", FieldKind.NUMBER),  # FIELDS(ALL) may not give it
)


@pytest.fixture(params=[compile_always, compile_never], ids=["compiled", "python"], autouse=True)
def way(request, monkeypatch):
    request.param(monkeypatch)


@pytest.mark.parametrize(
    ("printed", "full"),
    [
        ("1.2345678E7", "12345678.0"),
        ("-9.5E8", "-950000000.0"),
        ("1.6147805824397E13", "16147805824397.0"),
        ("1.23456789012345678E13", "12345678901234.5678"),
        ("1.0E-4", "0.0001"),
        ("1e+16", "10000000000000000.0"),
        ("5.0", "5.0"),
        ("0.0", "0.0"),
        ("", ""),
        ("E7", "E7"),
        ("1.0E1234567", "1.0E1234567"),
    ],
)
def test_a_number_in_full(printed, full):
    assert without_exponent(printed) == full


def written(folder, rows):
    file = folder / "rows.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return file


@pytest.mark.parametrize("block", [1 << 20, 70])
def test_only_columns_of_numbers_are_rewritten(tmp_path, monkeypatch, block):
    monkeypatch.setattr(exponents, "_BLOCK_BYTES", block)
    names = ["1.5E7", 'a "quoted" name,\nof two lines', "0015E00001XyZ"]
    rows = [[name, number] for name in names for number in ("7.0", "", "-1.25E-5")]
    file = written(tmp_path, [["Name", "amount"], *rows * 9])
    remove_exponents(file, COLUMNS)
    full = [[name, number.replace("-1.25E-5", "-0.0000125")] for name, number in rows]
    (tmp_path / "full").mkdir()
    expected = written(tmp_path / "full", [["Name", "amount"], *full * 9])
    assert file.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize("place", range(60, 80))
def test_a_number_is_found_where_two_blocks_meet(tmp_path, monkeypatch, place):
    monkeypatch.setattr(exponents, "_BLOCK_BYTES", 70)
    file = written(tmp_path, [["Name", "Amount"], ["x" * place, "1.0E7"]])
    remove_exponents(file, COLUMNS)
    assert file.read_text(encoding="utf-8").endswith('"10000000.0"\n')


@pytest.mark.parametrize(
    "cell", ["0015E00001XyZ", "1.5E", "E7", "1E7", "15.0E7", "1.5E7x", "--1.5E7", "1..5E7", ".5E7"]
)
def test_a_file_without_such_a_number_stays_as_it_is(tmp_path, cell):
    file = written(tmp_path, [["Name", "Amount"], [cell, "7.0"]])
    before = file.stat().st_ino
    remove_exponents(file, COLUMNS)
    assert file.stat().st_ino == before


_NUMBERS = ("", "5.0", "1.0E7", "-1.25E-5", "9.99999999999999999E17", "1.2345678E7", "0.0")
_TEXTS = (*_NUMBERS, "E", '"', "a,b", "a\nb", "1.5E7\n", "ü", '","')


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from(_TEXTS), st.sampled_from(_NUMBERS)), min_size=1),
    st.integers(1, 60),
)
def test_the_compiled_way_writes_what_the_other_writes(tmp_path, monkeypatch, rows, size):
    compile_always(monkeypatch)
    monkeypatch.setattr(exponents, "_BLOCK_BYTES", size)
    file, quick, slow = written(tmp_path, [("A", "B"), *rows]), tmp_path / "q", tmp_path / "s"
    exponents._rewrite_slowly(file, slow, ["b"])  # noqa: SLF001
    assert exponents._rewritten(file, quick, [False, True])  # noqa: SLF001
    assert quick.read_bytes() == slow.read_bytes()


@pytest.mark.parametrize(
    "record",
    [
        b'"x","1.5E7x"\n',
        b'"x"\n',
        b'"x","1","2"\n',
        b"x,1\n",
        b'"x","1"\r\n',
        b'"x","1"',
        b'"x","1',
    ],
)
def test_another_form_is_left_to_the_other_way(tmp_path, monkeypatch, record):
    compile_always(monkeypatch)
    (file := tmp_path / "rows.csv").write_bytes(b'"A","B"\n"y","1.0E7"\n' + record)
    assert not exponents._rewritten(file, tmp_path / "q", [False, True])  # noqa: SLF001

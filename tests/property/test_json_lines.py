"""Lines of JSON by the compiled function are those that SQL writes, byte for byte."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from runner.job.endpoints import FileFormat, FileShape
from runner.luajit import can_compile
from runner.tables.field_types import FieldKind
from runner.tables.targets import json_lines
from runner.tables.targets.file import write_file
from runner.tables.targets.json_lines import write_json_lines
from runner.tables.targets.rest_rows import QueryColumn
from tests.luajit_choice import compile_always, compile_never
from tests.property.bulk_files import bulk_file
from tests.short_form import sampled

pytestmark = pytest.mark.skipif(not can_compile(), reason="no LuaJIT")
COLUMNS = (
    QueryColumn("Text"),
    QueryColumn("Flag", FieldKind.BOOLEAN),
    QueryColumn("Whole", FieldKind.INTEGER),
    QueryColumn("Größe", FieldKind.NUMBER),
    QueryColumn("Place", FieldKind.JSON),
    QueryColumn("Day", FieldKind.DATE),
)
SHAPE = FileShape(FileFormat.JSONL)
NUMBERS = (
    *("0", "-0", "7", "-12.50", "1e5", "1E+05", "9.12260031E8", "0.10", "12345678901234567890.1"),
    *("00", "01", "-", "1.", ".5", "1e", "1e+", "+1", "1 ", "0x1", "1_000", "NaN", "1.e5", "1e5.0"),
)
TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", '"', '""', "\\", 'a\\"b', "a,b", "a\nb", "\n", "true", "null", "é€😀"]
    ),
    st.sampled_from(["\t", "\b", "\f", "\r", "a\r\nb\r\n"]),
    st.sampled_from(["\x7f", "\u2028", "x" * 100, "\\" * 60, '"' * 60]),
    st.text(alphabet='xy,"\\\n\r\t é/#{}', max_size=12),
)
CELLS = (
    TEXTS,
    st.sampled_from(["true", "false", "", "True", "1", "tru", "falsee"]),
    st.sampled_from(["", *NUMBERS]),
    st.sampled_from(["", *NUMBERS]),
    st.sampled_from(["", '{"city":"Köln","zip":null}', '["a","b"]', "x", '"\\n"']),
    st.sampled_from(["", "2026-11-30"]),
)
RARE = ("\x01", "\x1f", "\x0b", "x\x1e")
PLAIN = sampled(40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def by_sql(folder, rows, columns=COLUMNS):
    with pytest.MonkeyPatch.context() as patch:
        compile_never(patch)
        write_file(rows, folder / "by-sql.jsonl", SHAPE, columns)
    return (folder / "by-sql.jsonl").read_bytes()


@pytest.fixture(autouse=True)
def _few_bytes_at_a_time(monkeypatch):
    compile_always(monkeypatch)
    monkeypatch.setattr(json_lines, "_READ_BYTES", 90)


@PLAIN
@given(st.lists(st.tuples(*CELLS), max_size=12))
def test_both_ways_write_the_same(tmp_path, rows):
    file = bulk_file(tmp_path, rows, COLUMNS)
    assert write_json_lines(file, tmp_path / "out.jsonl", COLUMNS)
    assert (tmp_path / "out.jsonl").read_bytes() == by_sql(tmp_path, file)


@pytest.mark.parametrize("text", RARE)
def test_a_rare_value_is_left_to_sql(tmp_path, text):
    rows = [("plain",), (text,), ("plain",)]
    file = bulk_file(tmp_path, rows, COLUMNS[:1])
    assert not write_json_lines(file, tmp_path / "out.jsonl", COLUMNS)
    write_file(file, tmp_path / "out.jsonl", SHAPE, COLUMNS)
    assert (tmp_path / "out.jsonl").read_bytes() == by_sql(tmp_path, file, COLUMNS[:1])


@pytest.mark.parametrize(
    "content",
    [
        b'"Text","text"\n"a","b"\n',
        b'"Text","Flag"\n"a",true\n',
        b'"Text","Flag"\n"a"\n',
        b'"Text","Flag"\n"a","true","x"\n',
        b'"Text"\r\n"a"\r\n',
        b'\xef\xbb\xbf"Text"\n"a"\n',
        b'"Text"\n"a"\n\n"b"\n',
        b'"Text"\n"a',
        b'"Text"\n"a"',
        b'"Text"\n"a" \n',
        b'"Text"\n"a"b"\n',
        b"Text\na\n",
        b"\n",
        b"",
    ],
)
def test_another_form_is_left_to_sql(tmp_path, content):
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    assert not write_json_lines(file, tmp_path / "out.jsonl", COLUMNS)

import codecs

import pytest

from runner.errors import SourceError
from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.sources import chunks
from runner.tables.sources.open import read_columns

HUGE = "x" * 131_072


@pytest.mark.parametrize(
    ("content", "shape", "expected"),
    [
        (b"a,b\n1,2\n", {}, [{"a": "1", "b": "2"}]),
        (codecs.BOM_UTF8 + b"a,b\n1,2\n", {}, [{"a": "1", "b": "2"}]),
        (b"a,b\r\n1,2\r\n", {}, [{"a": "1", "b": "2"}]),
        (b"a,b\r1,2\r", {}, [{"a": "1", "b": "2"}]),
        (b"a,b\r\n1,2\n3,4\r\n", {}, [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        (b"a,b\n1,2", {}, [{"a": "1", "b": "2"}]),
        (b'a,b\n"x\r\ny",2\n', {}, [{"a": "x\ny", "b": "2"}]),
        (b'"a,1",b\n1,2\n', {}, [{"a,1": "1", "b": "2"}]),
        (b'a,b\n"say ""hi""",2\n', {}, [{"a": 'say "hi"', "b": "2"}]),
        (b'a,b\n5" pipe,2\n', {}, [{"a": '5" pipe', "b": "2"}]),
        (b"a;b\n1;2\n", {"delimiter": ";"}, [{"a": "1", "b": "2"}]),
        (b"a\tb\n1\t2\n", {"delimiter": "\t"}, [{"a": "1", "b": "2"}]),
        (b"a,b\n'x,y',2\n", {"quote": "'"}, [{"a": "x,y", "b": "2"}]),
        ("a,b\nä,€\n".encode("utf-16"), {"encoding": "utf-16"}, [{"a": "ä", "b": "€"}]),
        ("a,b\nä,€\n".encode("cp1252"), {"encoding": "windows-1252"}, [{"a": "ä", "b": "€"}]),
        (b"a,b\n1,2\n\n3,4\n\n", {}, [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        (b"a\n1\n\n2\n", {}, [{"a": "1"}, {"a": "2"}]),
        (b'a\n1\n""\n\n2\n""\n', {}, [{"a": "1"}, {"a": "2"}]),
        (b"1,2\n3,4\n", {"header": ("a", "b")}, [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        (b"a,b\n,0123\n", {}, [{"b": "0123"}]),
        (f"a,b\n{HUGE},2\n".encode(), {}, [{"a": HUGE, "b": "2"}]),
        (b"a,b\n", {}, []),
        (b"a,b", {}, []),
        (b"", {"header": ("a", "b")}, []),
        (b"sep=;\r\na;b\r\n1;2\r\n", {"delimiter": ";"}, [{"a": "1", "b": "2"}]),
        (b'sep="\na;b\n"1;";2\n', {"delimiter": ";"}, [{"a": "1;", "b": "2"}]),
        (b"\xef\xbb\xbfsep=|\na|b\n1|2\n", {"delimiter": "|"}, [{"a": "1", "b": "2"}]),
        (b'Sales, "2026\r\n\r\na,b\r\n1,"2\n"\r\n', {"skip_rows": 2}, [{"a": "1", "b": "2\n"}]),
        (
            b"Sales\na,b\n1,2\n\r\n3,4\r\n",
            {"skip_rows": 1},
            [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}],
        ),
        (
            "Umsätze\na,b\nä,2\n".encode("utf-16"),
            {"encoding": "utf-16", "skip_rows": 1},
            [{"a": "ä", "b": "2"}],
        ),
    ],
)
def test_csv_is_read_as_declared(stage, rows_of, content, shape, expected):
    assert rows_of(stage(content, shape=shape)) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n3,4,5\n", "row 2 (line 3) has 3 cells, the header has 2"),
        (b'a,b\n"x\ny",2\n3\n', "row 2 (line 4) has 1 cell, the header has 2"),
        (b'a,b\n1,2\n"3,4\n5,6\n', 'row 2 (line 3): a value that begins with " is never closed'),
        (b'a,b\n"3"x,4\n', "row 1 (line 2): text between"),
        (b"a,b\n1,2\n\xff,4\n", "line 3: byte 9 of the file is not utf-8"),
        (b"\xe4,b\n1,2\n", "the header is not utf-8: byte 1"),
        (b"sep=,\na,b\n1,2,3\n", "row 1 (line 3) has 3 cells, the header has 2"),
        (b"a,A\n1,2\n", "column 'A' appears twice in the header (1 and 2)"),
        (b"a,,c\n1,2,3\n", "column 2 of 3 has no name"),
    ],
)
def test_what_is_wrong_in_a_csv_file_is_reported_with_its_place(stage, content, said):
    with pytest.raises(SourceError) as raised:
        stage(content)
    assert said in raised.value.message
    assert raised.value.hint


def test_a_row_that_is_too_long_is_not_said_to_lack_a_quote_alone(stage, monkeypatch):
    monkeypatch.setattr(chunks, "LONGEST_RECORD_BYTES", 4_000_000)
    with pytest.raises(SourceError, match=r"csv: a row is longer than 4 MB, or a value that begin"):
        stage(b'a,b\n1,"' + b"x" * 6_000_000 + b'"\n')


def test_an_undecodable_byte_of_another_encoding_is_reported(stage):
    with pytest.raises(SourceError, match="line 2: byte 7 of the file is not windows-1252"):
        stage(b"a;b\nx;\x81\n", shape={"encoding": "windows-1252", "delimiter": ";"})


def test_json_lines_keep_digits_and_take_all_keys(stage, rows_of):
    lines = b'{"a":12345678901234567890.10,"b":"x"}\n\n{}\n{"c":true,"b":null,"a":"007"}\n'
    assert rows_of(stage(lines, form=FileFormat.JSONL)) == [
        {"a": "12345678901234567890.10", "b": "x"},
        {"a": "007", "c": "true"},
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"a":1}\n{"a":\n', "line 2, column 6: not JSON"),
        (b'{"a":1}\n[1]\n', "line 2 is not a JSON object"),
        (b'{"a":1,"A":2}\n', "appears twice"),
        (b'{"a":"\xff"}\n', "line 1: byte 7 of the file is not utf-8"),
    ],
)
def test_what_is_wrong_in_json_lines_is_reported_with_its_line(stage, content, said):
    with pytest.raises(SourceError, match=said):
        stage(content, form=FileFormat.JSONL)


def test_a_missing_file_and_a_folder_are_reported(stage, tmp_path):
    shape = FileShape(FileFormat.CSV)
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        read_columns(FileSource(tmp_path / "nowhere.csv", shape))
    with pytest.raises(SourceError, match="is a folder"):
        read_columns(FileSource(tmp_path, shape))


def test_columns_are_read_without_those_of_an_earlier_result(stage):
    assert read_columns(stage.source(b"Name,sf__Row,sf__Code\nx,1,BAD\n")) == ("Name",)


def test_failed_rows_of_a_run_are_a_source_as_they_are(stage, rows_of):
    assert rows_of(stage(b"Name,sf__Row,sf__Code\nx,1,BAD\n")) == [{"Name": "x"}]


@pytest.fixture
def header(tmp_path):
    def read(content, **shape):
        file = tmp_path / "a.csv"
        file.write_bytes(content)
        return read_columns(FileSource(file, FileShape(FileFormat.CSV, **shape)))

    return read


@pytest.mark.parametrize(
    ("content", "shape", "columns"),
    [
        (b"Id,Name\n1,2\n", {}, ("Id", "Name")),
        (b"\xef\xbb\xbfId\r\n", {}, ("Id",)),
        (b'"a\nb",c\n', {}, ("a\nb", "c")),
        (b"a|'b|c'\n", {"delimiter": "|", "quote": "'"}, ("a", "b|c")),
        ("Größe;x\n".encode("cp1252"), {"delimiter": ";", "encoding": "cp1252"}, ("Größe", "x")),
        ("a,b\n".encode("utf-16"), {"encoding": "utf-16"}, ("a", "b")),
        (b"sf__Row,Id,sf__Id\n", {}, ("Id",)),
        (b"a\n" + "é".encode() * 600_000, {}, ("a",)),
        (b"1,2\n", {"header": ("Id", "Name")}, ("Id", "Name")),
    ],
)
def test_a_header_is_read_as_declared(content, shape, columns, header):
    assert header(content, **shape) == columns


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"caf\xe9\n", "the header is not utf-8"),
        (b"a,A\n", "appears twice in the header"),
        (b"a,,b\n", "has no name"),
    ],
)
def test_a_header_that_cannot_be_read_is_an_error(content, said, header):
    with pytest.raises(SourceError, match=said):
        header(content)


@pytest.mark.parametrize("encoding", ["utf-16", "UTF16", "utf-32"])
def test_a_file_without_the_mark_of_its_encoding_is_an_error(header, encoding):
    said = f"is not {encoding}: it does not start with a byte order mark"
    with pytest.raises(SourceError, match=said):
        header(b"a,b\n", encoding=encoding)

import pytest

from runner.job.endpoints import FileFormat, FileShape, FileSource
from runner.tables.sources.csv import header_of


@pytest.fixture
def header(tmp_path):
    def read(content, **shape):
        file = tmp_path / "a.csv"
        file.write_bytes(content)
        return header_of(FileSource(file, FileShape(FileFormat.CSV, **shape)))

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
    ],
)
def test_the_first_record_is_read_as_declared(content, shape, columns, header):
    assert header(content, **shape) == columns


@pytest.mark.parametrize("content", [b"", b"\n", b"caf\xe9\n", b'"' + b"x" * 500_000])
def test_what_cannot_be_read_is_none(content, header):
    assert header(content) is None


def test_a_file_that_is_not_there_is_none(tmp_path):
    assert header_of(FileSource(tmp_path / "none", FileShape(FileFormat.CSV))) is None


def test_an_encoding_that_is_not_text_is_none(header):
    assert header(b"61\n", encoding="hex") is None
